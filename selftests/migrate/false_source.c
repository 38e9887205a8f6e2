// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * false_source.c - a source that misbehaves, against a real agent.
 *
 * Whatever it does before Finish, the dest promises that the guest never runs
 * there (DISCARDED) and leaves nothing behind.
 */
#include <endian.h>
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <zstd.h>

#include "crossing.h"
#include "harness.h"
#include "log.h"
#include "copy/digest.h"
#include "protocol/accept.h"
#include "protocol/lanes.h"
#include "protocol/phase.h"
#include "scripted.h"
#include "sys.h"
#include "tools/lib/migration_json.h"

#define WAIT_MS		20000
#define GHOST		"ghost"
#define UUID		"6a1f7e0c-3a52-4d0a-9d1e-0c8d3c1b2a90"

FIXTURE(false_source) {
	struct pair *pair;
	struct host *source, *dest;
	struct scripted end;
	struct credentials *other;	/* of another host, or NULL */
	struct fail fail;
	char id[MIGRATION_ID_TEXT];
	char *live;
	uint64_t pages;
	bool private;
	struct lane *lane;		/* instead of the push lane; or NULL */
	struct region_map map;		/* its */
};

FIXTURE_VARIANT(false_source) {
	enum pair_security security;
};

FIXTURE_VARIANT_ADD(false_source, plain) { .security = PAIR_PLAIN };
FIXTURE_VARIANT_ADD(false_source, x509) { .security = PAIR_X509 };

static struct credentials *keys_of(enum pair_security security,
				   const struct host *host)
{
	struct credentials_paths paths = { .pki_dir = host->pki_dir };
	struct credentials *credentials;
	struct fail fail = { 0 };

	ASSERT_EQ(0, credentials_load(security == PAIR_X509 ? SECURITY_X509
							    : SECURITY_NONE,
				      &paths, &credentials, &fail)) {
		TH_LOG("%s", fail.text);
	}
	return credentials;
}

/* The definition of a real guest, under another name and UUID. */
static void ghost_define(FIXTURE_DATA(false_source) *self)
{
	struct json_object *object;
	struct guest_view view;

	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "16M", NULL });
	ASSERT_EQ(0, guest_view_get(self->source, "db", &view, &self->fail));
	object = json_tokener_parse(view.live);
	json_object_object_add(object, "name", json_object_new_string(GHOST));
	json_object_object_add(object, "uuid", json_object_new_string(UUID));
	self->live = strdup(json_object_to_json_string(object));
	self->pages = view.size / view.page_size;
	json_object_put(object);
	guest_view_fini(&view);
}

FIXTURE_SETUP(false_source)
{
	ASSERT_EQ(0, pair_create(&self->pair, variant->security, NULL,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->end = (struct scripted){ .listen_fd = -1, .drain_stop = -1 };
	memset(self->end.id, 0x3d, sizeof(self->end.id));
	migration_id_to_text(self->end.id, self->id);
	ghost_define(self);
	self->end.credentials = keys_of(variant->security, self->source);
	self->other = keys_of(variant->security, self->dest);
}

FIXTURE_TEARDOWN(false_source)
{
	if (self->lane) {
		lane_destroy(self->lane);
		self->end.lanes[1] = NULL;
	}
	scripted_end(&self->end);
	credentials_free(self->other);
	free(self->live);
	pair_destroy(self->pair);
}

static void connect_control(FIXTURE_DATA(false_source) *self)
{
	ASSERT_EQ(0, scripted_connect(self->source, self->dest->address,
				      ROLE_CONTROL, self->end.id,
				      self->end.credentials,
				      &self->end.control));
}

static void prepare(FIXTURE_DATA(false_source) *self)
{
	Straddle__Region region = STRADDLE__REGION__INIT, *list = &region;
	Straddle__Prepare said = STRADDLE__PREPARE__INIT;
	const Straddle__Prepared *prepared;
	struct message answer;

	region.name = (char *)"ram";
	region.size = self->pages * 4096;
	region.page_size = 4096;
	region.shared = !self->private;
	said.guest = said.dest_name = (char *)GHOST;
	said.uuid = (char *)UUID;
	said.live = self->live;
	said.n_regions = 1;
	said.regions = &list;
	said.vcpus = 1;
	said.has_fault_lanes = said.has_push_lanes = true;
	said.fault_lanes = said.push_lanes = 1;
	connect_control(self);
	scripted_send(&self->end, MSG_PREPARE, &said.base);
	ASSERT_EQ(0, message_receive(self->end.control, SIDE_DEST,
				     PHASE_PREPARE, WAIT_MS, &answer,
				     &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(MSG_PREPARED, answer.type);
	prepared = (const Straddle__Prepared *)answer.body;
	ASSERT_EQ(TOKEN_SIZE, prepared->token.len);
	memcpy(self->end.token, prepared->token.data, TOKEN_SIZE);
	message_fini(&answer);
}

/* Return: 0: the lane was welcomed; or how it ended. */
static int open_lane(FIXTURE_DATA(false_source) *self, enum channel_role role,
		     const uint8_t *token, struct credentials *credentials,
		     struct channel **lane)
{
	uint32_t welcome = 0;
	int ret = scripted_connect(self->source, self->dest->address, role,
				   self->end.id, credentials, lane);

	if (!ret)
		ret = channel_send(*lane, token, TOKEN_SIZE, WAIT_MS);
	if (!ret)
		ret = channel_receive(*lane, &welcome, sizeof(welcome),
				      WAIT_MS);
	if (!ret && le32toh(welcome) != LANE_WELCOME)
		ret = -EPROTO;
	return ret;
}

static void perform(FIXTURE_DATA(false_source) *self)
{
	prepare(self);
	ASSERT_EQ(0, open_lane(self, ROLE_FAULT, self->end.token,
			       self->end.credentials, &self->end.lanes[0]));
	ASSERT_EQ(0, open_lane(self, ROLE_PUSH, self->end.token,
			       self->end.credentials, &self->end.lanes[1]));
}

/* The dest ends it by itself, then nothing of the guest is there. */
static void discarded(FIXTURE_DATA(false_source) *self)
{
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "DISCARDED"));
	crossing_left(self->dest, GHOST, 0);
}

/* @word: which of the first 64 pages are in it; of the others none. */
static void set_send(FIXTURE_DATA(false_source) *self, enum message_type type,
		     uint64_t first, uint64_t pages, uint64_t word)
{
	Straddle__PageSet set = STRADDLE__PAGE_SET__INIT;
	uint64_t words[64] = { word };	/* 4096 pages */
	uint8_t packed[1024];

	set.first = first;
	set.pages = pages;
	set.bitmap.len = ZSTD_compress(packed, sizeof(packed), words,
				       sizeof(words), 1);
	set.bitmap.data = packed;
	scripted_send(&self->end, type, &set.base);
}

static void keep_send(FIXTURE_DATA(false_source) *self, uint64_t first,
		      uint64_t pages)
{
	set_send(self, MSG_KEEP, first, pages, 0);
}

static void piece_send(FIXTURE_DATA(false_source) *self, uint64_t offset,
		       uint64_t total, bool ahead)
{
	Straddle__State state = STRADDLE__STATE__INIT;
	uint8_t bytes[64] = { 0xee };

	state.offset = offset;
	state.total = total;
	state.data.data = bytes;
	state.data.len = sizeof(bytes);
	state.has_ahead = state.ahead = ahead;
	scripted_send(&self->end, MSG_STATE, &state.base);
}

static void device_send(FIXTURE_DATA(false_source) *self, uint64_t offset,
			uint64_t total)
{
	piece_send(self, offset, total, false);
}

static void finish_send(FIXTURE_DATA(false_source) *self, uint32_t generation)
{
	Straddle__Finish finish = STRADDLE__FINISH__INIT;

	finish.generation = generation;
	scripted_send(&self->end, MSG_FINISH, &finish.base);
}

TEST_F(false_source, lane_with_a_wrong_token_is_nobody)
{
	uint8_t wrong[TOKEN_SIZE];

	prepare(self);
	memcpy(wrong, self->end.token, sizeof(wrong));
	wrong[TOKEN_SIZE - 1] ^= 1;
	EXPECT_NE(0, open_lane(self, ROLE_PUSH, wrong, self->end.credentials,
			       &self->end.lanes[0]));
	channel_close(self->end.lanes[0]);
	/* It disturbed nothing: the right one gets in. */
	EXPECT_EQ(0, open_lane(self, ROLE_PUSH, self->end.token,
			       self->end.credentials, &self->end.lanes[0]));
	scripted_hang_up(&self->end);
	discarded(self);
}

TEST_F(false_source, lane_of_another_certificate_is_nobody)
{
	if (variant->security == PAIR_PLAIN)
		SKIP(return, "without TLS there are no certificates");
	prepare(self);
	EXPECT_NE(0, open_lane(self, ROLE_PUSH, self->end.token, self->other,
			       &self->end.lanes[0]));
	scripted_hang_up(&self->end);
	discarded(self);
}

/* It is welcome as a lane, and then there is no disk for it. */
/* Whoever knows the id, which is on the wire in clear, has proven nothing. */
TEST_F(false_source, control_connection_of_nobody_leaves_the_peer_as_it_is)
{
	char before[256], now[256], byte;
	struct channel *second = NULL;

	perform(self);
	ASSERT_EQ(0, status_peer(self->dest, before, sizeof(before)));
	if (!scripted_connect(self->source, self->dest->address, ROLE_CONTROL,
			      self->end.id, variant->security == PAIR_PLAIN ?
			      self->end.credentials : self->other, &second))
		EXPECT_EQ(-EPIPE, channel_receive(second, &byte, 1, WAIT_MS));
	channel_close(second);
	ASSERT_EQ(0, status_peer(self->dest, now, sizeof(now)));
	EXPECT_STREQ(before, now);
	scripted_hang_up(&self->end);
	discarded(self);
}

/* More of them than the log tells of. */
static void strangers_come(FIXTURE_DATA(false_source) *self)
{
	struct channel *channel;
	int i;

	for (i = 0; i < LOG_LIMIT + 5; i++)
		if (!scripted_connect(self->source, self->dest->address, ROLE_PUSH,
				      self->end.id, NULL, &channel))
			channel_close(channel);
}

/* Nor does who is nobody keep another host, which is known, out of the logs. */
TEST_F(false_source, another_host_is_logged_whoever_else_is_refused)
{
	struct channel *channel;

	if (variant->security == PAIR_PLAIN)
		SKIP(return, "without TLS nobody is known");
	prepare(self);
	strangers_come(self);
	EXPECT_NE(0, open_lane(self, ROLE_PUSH, self->end.token, self->other,
			       &self->end.lanes[0]));
	EXPECT_TRUE(crossing_log_has(self->dest, " is refused: it proved to be dest"));
	scripted_hang_up(&self->end);
	discarded(self);
	/* Now the agent tells of it: there is a row, and no worker. */
	ASSERT_EQ(0, host_settle(self->dest));
	strangers_come(self);
	ASSERT_EQ(0, scripted_connect(self->source, self->dest->address, ROLE_CONTROL,
				      self->end.id, self->other, &channel));
	EXPECT_TRUE(crossing_log_has(self->dest,
				     "dest asks for a migration that is not its own"));
	channel_close(channel);
}

TEST_F(false_source, worker_that_ends_says_how_many_refusals_it_left_out)
{
	prepare(self);
	strangers_come(self);
	scripted_hang_up(&self->end);
	discarded(self);
	EXPECT_TRUE(crossing_log_has(self->dest, "a push lane from 10.88.0.1:"));
	EXPECT_TRUE(crossing_log_has(self->dest, " more lines were left out: of refusals of "));
}

TEST_F(false_source, lane_of_a_disk_that_is_not_copied_is_closed)
{
	struct channel *lane;
	uint8_t byte;

	perform(self);
	ASSERT_EQ(0, open_lane(self, ROLE_STORAGE, self->end.token,
			       self->end.credentials, &lane));
	EXPECT_GT(0, channel_receive(lane, &byte, 1, WAIT_MS));
	channel_close(lane);
	/* It disturbed nothing. */
	keep_send(self, 0, self->pages);
	scripted_hang_up(&self->end);
	discarded(self);
}

TEST_F(false_source, lane_that_sends_garbage_ends_it)
{
	uint8_t bytes[4096];

	perform(self);
	memset(bytes, 0xa5, sizeof(bytes));
	ASSERT_EQ(0, channel_send(self->end.lanes[1], bytes, sizeof(bytes),
				  WAIT_MS));
	discarded(self);
}

TEST_F(false_source, keep_of_too_many_pages_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages + 64);
	discarded(self);
}

TEST_F(false_source, keep_that_comes_twice_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages);
	keep_send(self, 0, self->pages);
	discarded(self);
}

TEST_F(false_source, stale_of_too_many_pages_ends_it)
{
	perform(self);
	set_send(self, MSG_STALE, 0, self->pages + 64, 0);
	discarded(self);
}

TEST_F(false_source, stale_after_keep_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages);
	set_send(self, MSG_STALE, 0, self->pages, 1);
	discarded(self);
}

/* Not even where the one leaves off does the other go on. */
static void sets_may_not_mix(FIXTURE_DATA(false_source) *self,
			     enum message_type first, enum message_type then)
{
	perform(self);
	set_send(self, first, 0, 64, 0);
	set_send(self, then, 64, self->pages - 64, 0);
	discarded(self);
}

TEST_F(false_source, keep_within_stale_ends_it)
{
	sets_may_not_mix(self, MSG_STALE, MSG_KEEP);
}

TEST_F(false_source, stale_within_keep_ends_it)
{
	sets_may_not_mix(self, MSG_KEEP, MSG_STALE);
}

static void make_private(FIXTURE_DATA(false_source) *self)
{
	struct json_object *object = json_tokener_parse(self->live);

	json_object_object_add(object, "private", json_object_new_boolean(true));
	free(self->live);
	self->live = strdup(json_object_to_json_string(object));
	json_object_put(object);
	self->private = true;
}

static void push_begin(FIXTURE_DATA(false_source) *self)
{
	struct region region = { .page_shift = 12, .pages = self->pages };

	ASSERT_EQ(0, region_add(&self->map, &region));
	ASSERT_EQ(0, lane_over_channel(self->end.lanes[1], LANE_PUSH, 0,
				       &self->map, &self->lane));
}

/* A round of one run: four pages from the first on. */
static void round_send(FIXTURE_DATA(false_source) *self, uint32_t generation)
{
	static uint8_t bytes[4 * 4096];
	struct frame run = {
		.type = FRAME_DATA, .generation = generation, .count = 4,
		.region = &self->map.regions[0],
	};
	struct frame barrier = {
		.type = FRAME_BARRIER, .generation = generation,
	};

	memset(bytes, 0x5a, sizeof(bytes));
	run.digest = digest_run(run.region, 0, run.count, bytes);
	ASSERT_EQ(0, lane_send(self->lane, &run, bytes));
	ASSERT_EQ(0, lane_send(self->lane, &barrier, NULL));
	EXPECT_TRUE(scripted_await(&self->end, MSG_BARRIER));
}

static bool is_mapped(const struct guest_view *view, uint64_t page)
{
	uint64_t entry = 0, at = view->address / 4096 + page;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)view->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ((ssize_t)sizeof(entry),
		  pread(fd, &entry, sizeof(entry), (off_t)(at * sizeof(entry))));
	close(fd);
	return entry >> 63;
}

TEST_F(false_source, stale_pages_go_before_the_stop)
{
	struct guest_view view;

	make_private(self);
	perform(self);
	push_begin(self);
	round_send(self, 1);
	ASSERT_EQ(0, guest_view_get(self->dest, GHOST, &view, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_TRUE(is_mapped(&view, 1));
	EXPECT_TRUE(is_mapped(&view, 2));
	set_send(self, MSG_STALE, 0, self->pages, 1 << 1);
	EXPECT_TRUE(scripted_await(&self->end, MSG_BARRIER));
	EXPECT_FALSE(is_mapped(&view, 1));
	EXPECT_TRUE(is_mapped(&view, 2));
	/* A round may follow all the same. */
	round_send(self, 2);
	EXPECT_TRUE(is_mapped(&view, 1));
	guest_view_fini(&view);
	scripted_hang_up(&self->end);
	discarded(self);
}

TEST_F(false_source, state_in_pieces_that_do_not_fit_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages);
	device_send(self, 0, 256);
	device_send(self, 128, 256);
	discarded(self);
}

TEST_F(false_source, state_ahead_that_nobody_takes_ends_it)
{
	perform(self);
	piece_send(self, 0, 64, true);
	discarded(self);
}

TEST_F(false_source, state_ahead_of_nothing_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages);
	device_send(self, 0, 256);
	piece_send(self, 64, 256, true);
	discarded(self);
}

TEST_F(false_source, finish_before_state_ends_it)
{
	perform(self);
	keep_send(self, 0, self->pages);
	finish_send(self, 1);
	discarded(self);
}

TEST_F(false_source, finish_without_keep_is_answered_never_ran)
{
	perform(self);
	device_send(self, 0, 64);
	finish_send(self, 1);
	EXPECT_TRUE(scripted_await(&self->end, MSG_ANSWER));
	discarded(self);
}

TEST_F(false_source, device_state_that_means_nothing_is_answered_never_ran)
{
	perform(self);
	keep_send(self, 0, self->pages);
	device_send(self, 0, 64);
	finish_send(self, 1);
	EXPECT_TRUE(scripted_await(&self->end, MSG_ANSWER));
	discarded(self);
}

/* The device state of the real guest, which is made like the ghost. */
static void real_state_send(FIXTURE_DATA(false_source) *self)
{
	Straddle__State state = STRADDLE__STATE__INIT;
	struct vmm_call call = { .send_fd = -1, .timeout_ms = WAIT_MS };
	struct vmm_client *client;
	uint8_t bytes[4096];
	ssize_t size;

	ASSERT_EQ(0, guest_verb(self->source, "db", "pause", &self->fail));
	ASSERT_EQ(0, vmm_connect(self->source->run_dir, "db", &client,
				 &self->fail));
	call.request = vmm_request("save");
	ASSERT_EQ(0, vmm_call(client, &call, &self->fail));
	json_object_put(call.answer);
	vmm_disconnect(client);
	size = sys_retry(pread(call.fd, bytes, sizeof(bytes), 0));
	close(call.fd);
	ASSERT_LT(0, size);
	ASSERT_GT((ssize_t)sizeof(bytes), size);
	state.total = (uint64_t)size;
	state.data.data = bytes;
	state.data.len = (size_t)size;
	scripted_send(&self->end, MSG_STATE, &state.base);
}

/* Its handshake may take longer than the question does. */
TEST_F_TIMEOUT(false_source, question_may_be_faster_than_the_last_lane, 60)
{
	prepare(self);
	ASSERT_EQ(0, open_lane(self, ROLE_FAULT, self->end.token,
			       self->end.credentials, &self->end.lanes[0]));
	keep_send(self, 0, self->pages);
	real_state_send(self);
	finish_send(self, 1);
	/* For it to be read meanwhile. */
	poll(NULL, 0, 200);
	ASSERT_EQ(0, open_lane(self, ROLE_PUSH, self->end.token,
			       self->end.credentials, &self->end.lanes[1]));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "RUNNING"));
}

/* Killed, it would have died where it had not run; not asked, never start. */
TEST_F_TIMEOUT(false_source, hypervisor_that_is_silent_at_go_is_asked_again, 60)
{
	struct guest_view view;

	perform(self);
	keep_send(self, 0, self->pages);
	real_state_send(self);
	ASSERT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "LOADED"));
	ASSERT_EQ(0, guest_view_get(self->dest, GHOST, &view, &self->fail));
	ASSERT_EQ(0, kill(view.pid, SIGSTOP));
	finish_send(self, 1);
	ASSERT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "GO"));
	/* The first call is given up meanwhile. */
	EXPECT_FALSE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					  "DIED"));
	ASSERT_EQ(0, kill(view.pid, SIGCONT));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "RUNNING"));
	ASSERT_EQ(0, kill(view.pid, SIGKILL));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->id, SIDE_DEST,
					 "DIED"));
	guest_view_fini(&view);
}

TEST_F(false_source, what_nobody_may_send_ends_it)
{
	static const enum misdeed misdeeds[] = {
		GARBAGE, WRONG_MESSAGE, UNKNOWN_MESSAGE, HUGE_MESSAGE, CLOSED,
	};
	size_t i;

	for (i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++) {
		self->end.id[0] = (uint8_t)i;
		migration_id_to_text(self->end.id, self->id);
		perform(self);
		scripted_misdeed(&self->end, misdeeds[i]);
		discarded(self);
		channel_close(self->end.lanes[0]);
		channel_close(self->end.lanes[1]);
		self->end.lanes[0] = self->end.lanes[1] = NULL;
		scripted_hang_up(&self->end);
	}
}

/* An empty journal is silence, and says so. */
TEST_F(false_source, query_of_an_unknown_migration_is_answered_unknown)
{
	Straddle__Query query = STRADDLE__QUERY__INIT;
	struct message answer = { .body = NULL };

	connect_control(self);
	query.migration.data = self->end.id;
	query.migration.len = sizeof(self->end.id);
	scripted_send(&self->end, MSG_QUERY, &query.base);
	ASSERT_EQ(0, message_receive(self->end.control, SIDE_DEST,
				     PHASE_FINISH, WAIT_MS, &answer,
				     &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(MSG_ANSWER, answer.type);
	EXPECT_EQ(STRADDLE__ANSWER_KIND__UNKNOWN,
		  ((const Straddle__Answer *)answer.body)->kind);
	message_fini(&answer);
	crossing_left(self->dest, GHOST, 0);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
