/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.c - each fault at work: what the peer receives, and what the process
 * does to itself.
 */
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/process.h"
#include "protocol/inject.h"
#include "protocol/channel.h"
#include "sys.h"

#define ID	"0123456789abcdef0123456789abcdef"
#define WAIT_MS	20000
#define PAGES	16
#define ROOM	(2 * (FRAME_HEADER_SIZE + 65536))

FIXTURE(line) {
	struct inject *inject;
	struct channel *channel;	/* sends messages, or NULL */
	struct lane *lane;		/* sends frames, or NULL */
	struct region_map map;
	int peer;			/* receives, raw */
	uint8_t whole[ROOM], got[ROOM];
	size_t whole_size, header, got_size;
	bool skipped;
};

FIXTURE_VARIANT(line) {
	bool tcp;
	bool frames;
};

FIXTURE_VARIANT_ADD(line, message_over_tcp) { .tcp = true };
FIXTURE_VARIANT_ADD(line, message_over_unix) { .tcp = false };
FIXTURE_VARIANT_ADD(line, frame_over_tcp) { .tcp = true, .frames = true };
FIXTURE_VARIANT_ADD(line, frame_over_unix) { .frames = true };

static uint8_t page_bytes[PAGES * 4096];

static void tcp_pair(int fds[2])
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&at, sizeof(at)));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&at, &size));
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(fds[0], (struct sockaddr *)&at, sizeof(at)));
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, fds[1]);
	close(listener);
}

static void frame_of(FIXTURE_DATA(line) *self, struct frame *frame)
{
	*frame = (struct frame){
		.type = FRAME_DATA, .generation = 3, .region = &self->map.regions[0],
		.first = 0, .count = PAGES,
	};
}

FIXTURE_SETUP(line)
{
	struct region region = { .page_shift = 12, .pages = 64, .fd = -1, .uffd = -1,
				 .shared = true };
	struct fail fail = { .err = 0 };
	int fds[2], ret;
	size_t i;

	memset(self, 0, sizeof(*self));
	self->peer = -1;
	ret = inject_create(&self->inject, &fail);
	self->skipped = ret == -EOPNOTSUPP;
	if (self->skipped)
		SKIP(return, "%s", fail.text);
	ASSERT_EQ(0, ret);
	for (i = 0; i < sizeof(page_bytes); i++)
		page_bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	if (variant->tcp)
		tcp_pair(fds);
	else
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	self->peer = fds[1];
	ASSERT_EQ(0, region_add(&self->map, &region));
	if (variant->frames)
		ASSERT_EQ(0, lane_create_plain(fds[0], LANE_PUSH, 0, &self->map, &self->lane));
	else
		ASSERT_EQ(0, channel_wrap(fds[0], &self->channel));
}

FIXTURE_TEARDOWN(line)
{
	lane_destroy(self->lane);
	channel_close(self->channel);
	inject_destroy(self->inject);
	region_map_fini(&self->map);
	if (self->peer >= 0)
		close(self->peer);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

/* "drop" at the point of the variant, and what would travel without it. */
static void inject(FIXTURE_DATA(line) *self, const char *what)
{
	Straddle__Cancel cancel = STRADDLE__CANCEL__INIT;
	struct fail fail = { .err = 0 };
	uint8_t *bytes;
	struct frame frame;
	char text[96];

	snprintf(text, sizeof(text), "%s:%s", self->lane ? "push.data" : "cancel", what);
	ASSERT_EQ(0, inject_add(self->inject, text, &fail)) {
		TH_LOG("%s", fail.text);
	}
	inject_phase(self->inject, PHASE_PERFORM);
	if (self->lane) {
		inject_lane(self->inject, self->lane);
		frame_of(self, &frame);
		frame_encode(&frame, self->whole);
		self->header = FRAME_HEADER_SIZE;
		memcpy(self->whole + self->header, page_bytes, sizeof(page_bytes));
		self->whole_size = self->header + sizeof(page_bytes);
		return;
	}
	cancel.reason = (char *)"because a test says so, and at some length";
	ASSERT_EQ(0, message_encode(self->channel, MSG_CANCEL, &cancel.base, &bytes,
				    &self->whole_size, &fail));
	self->header = sizeof(struct message_header);
	memcpy(self->whole, bytes, self->whole_size);
	free(bytes);
}

static int leave(FIXTURE_DATA(line) *self)
{
	Straddle__Cancel cancel = STRADDLE__CANCEL__INIT;
	struct fail fail = { .err = 0 };
	struct frame frame;

	if (self->lane) {
		frame_of(self, &frame);
		return lane_send(self->lane, &frame, page_bytes);
	}
	cancel.reason = (char *)"because a test says so, and at some length";
	return inject_message(self->inject, PHASE_PERFORM, self->channel, MSG_CANCEL,
			      &cancel.base, &fail);
}

/* One that nothing strikes. */
static void leave_another(FIXTURE_DATA(line) *self)
{
	struct frame barrier = { .type = FRAME_BARRIER, .generation = 3 };
	struct fail fail = { .err = 0 };

	if (self->lane)
		EXPECT_EQ(0, lane_send(self->lane, &barrier, NULL));
	else
		EXPECT_EQ(0, inject_message(self->inject, PHASE_PERFORM, self->channel, MSG_PING,
					    NULL, &fail));
}

/* @size bytes and no more of them; the peer does not wait for what never comes. */
static void receive(FIXTURE_DATA(line) *self, size_t size)
{
	while (self->got_size < size) {
		ssize_t got;

		ASSERT_EQ(0, sys_wait_fd(self->peer, POLLIN, WAIT_MS));
		got = sys_retry(recv(self->peer, self->got + self->got_size,
				     size - self->got_size, 0));
		ASSERT_LT(0, got) {
			TH_LOG("%zd after %zu bytes", got, self->got_size);
		}
		self->got_size += (size_t)got;
	}
}

/* The end of the connection: 0, or -ECONNRESET where it was reset. */
static int end(FIXTURE_DATA(line) *self)
{
	uint8_t byte;

	EXPECT_EQ(0, sys_wait_fd(self->peer, POLLIN, WAIT_MS));
	return (int)sys_retry(recv(self->peer, &byte, 1, MSG_DONTWAIT));
}

static void another_follows(FIXTURE_DATA(line) *self)
{
	uint8_t type[4];

	leave_another(self);
	self->got_size = 0;
	receive(self, self->header);
	memcpy(type, self->got, sizeof(type));
	EXPECT_EQ(self->lane ? FRAME_BARRIER : MSG_PING, type[0]);
}

TEST_F(line, dropped_is_never_received)
{
	SKIPPED(self);
	inject(self, "drop");
	EXPECT_EQ(0, leave(self));
	another_follows(self);
}

TEST_F(line, duplicate_is_received_twice)
{
	SKIPPED(self);
	if (self->lane)
		ASSERT_EQ(0, setsockopt(self->lane->fd, SOL_SOCKET, SO_SNDBUFFORCE,
					&(int){ 1 << 20 }, sizeof(int)));
	inject(self, "duplicate");
	EXPECT_EQ(0, leave(self));
	receive(self, 2 * self->whole_size);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->whole_size));
	EXPECT_EQ(0, memcmp(self->got + self->whole_size, self->whole, self->whole_size));
	another_follows(self);
}

static unsigned int bits_that_differ(FIXTURE_DATA(line) *self, size_t first, size_t last)
{
	unsigned int count = 0;
	size_t i;

	for (i = first; i < last; i++)
		count += (unsigned int)__builtin_popcount(self->got[i] ^ self->whole[i]);
	return count;
}

/* The pages that were to be sent are not touched: they are a guest's. */
static void flipped(FIXTURE_DATA(line) *self, const char *how, size_t first, size_t last)
{
	uint64_t before = 0, after = 0;
	size_t i;

	for (i = 0; i < sizeof(page_bytes); i++)
		before = before * 31 + page_bytes[i];
	inject(self, how);
	EXPECT_EQ(0, leave(self));
	receive(self, self->whole_size);
	EXPECT_EQ(1, bits_that_differ(self, 0, self->whole_size));
	EXPECT_EQ(1, bits_that_differ(self, first, last));
	for (i = 0; i < sizeof(page_bytes); i++)
		after = after * 31 + page_bytes[i];
	EXPECT_EQ(before, after);
	another_follows(self);
}

TEST_F(line, flip_changes_one_bit)
{
	SKIPPED(self);
	flipped(self, "flip", 0, ROOM);
}

TEST_F(line, flip_of_the_header_changes_one_bit_of_it)
{
	SKIPPED(self);
	flipped(self, "flip=header", 0, self->lane ? FRAME_HEADER_SIZE :
		sizeof(struct message_header));
}

TEST_F(line, flip_of_the_body_changes_one_bit_of_it)
{
	SKIPPED(self);
	flipped(self, "flip=body", self->lane ? FRAME_HEADER_SIZE :
		sizeof(struct message_header), ROOM);
}

TEST_F(line, truncated_ends_in_the_middle)
{
	SKIPPED(self);
	inject(self, "truncate");
	EXPECT_EQ(0, leave(self));
	receive(self, (self->whole_size + 1) / 2);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->got_size));
	EXPECT_EQ(0, end(self));
}

TEST_F(line, cut_before_sends_nothing_and_is_noticed)
{
	SKIPPED(self);
	inject(self, "cut-before");
	EXPECT_EQ(-ECONNRESET, leave(self));
	EXPECT_EQ(variant->tcp ? -ECONNRESET : 0, end(self));
}

/* A reset may overtake what was sent before it. */
TEST_F(line, cut_in_the_middle_is_noticed)
{
	ssize_t got;

	SKIPPED(self);
	inject(self, "cut-middle");
	EXPECT_EQ(-ECONNRESET, leave(self));
	do {
		ASSERT_EQ(0, sys_wait_fd(self->peer, POLLIN, WAIT_MS));
		got = sys_retry(recv(self->peer, self->got + self->got_size,
				     ROOM - self->got_size, 0));
		self->got_size += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	EXPECT_EQ(variant->tcp ? -ECONNRESET : 0, got);
	EXPECT_GE((self->whole_size + 1) / 2, self->got_size);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->got_size));
}

TEST_F(line, cut_after_is_received_whole)
{
	SKIPPED(self);
	inject(self, "cut-after");
	EXPECT_EQ(0, leave(self));
	receive(self, self->whole_size);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->whole_size));
	EXPECT_EQ(0, end(self));
	EXPECT_NE(0, leave(self));
}

TEST_F(line, delayed_leaves_after_that_time)
{
	uint64_t before = now_ns();

	SKIPPED(self);
	inject(self, "delay=20ms");
	EXPECT_EQ(0, leave(self));
	EXPECT_LE(20000000, now_ns() - before);
	receive(self, self->whole_size);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->whole_size));
}

/* Who waits has no use for a connection that broke meanwhile. */
TEST_F(line, delay_ends_with_the_connection)
{
	SKIPPED(self);
	inject(self, "delay=3600s");
	shutdown(self->lane ? self->lane->fd : channel_fd(self->channel), SHUT_RDWR);
	EXPECT_NE(0, leave(self));
}

TEST_F(line, slow_waits_for_its_bytes)
{
	uint64_t before = now_ns();

	SKIPPED(self);
	inject(self, self->lane ? "slow=1M/all" : "slow=1K/all");
	EXPECT_EQ(0, leave(self));
	EXPECT_LE(self->whole_size * 1000000000 / (self->lane ? 1 << 20 : 1 << 10),
		  now_ns() - before);
	receive(self, self->whole_size);
}

/* A child that sends it. Return: its pid. */
static pid_t leave_in_child(FIXTURE_DATA(line) *self)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(leave(self) ? 1 : 0);
	return pid;
}

TEST_F(line, kill_strikes_before_it_is_sent)
{
	int status;
	pid_t pid;

	SKIPPED(self);
	inject(self, "kill");
	pid = leave_in_child(self);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(-EAGAIN, sys_ret(recv(self->peer, self->got, 1, MSG_DONTWAIT)));
}

TEST_F(line, kill_after_strikes_once_it_is_sent)
{
	int status;
	pid_t pid;

	SKIPPED(self);
	inject(self, "kill-after");
	pid = leave_in_child(self);
	receive(self, self->whole_size);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->whole_size));
}

TEST_F(line, stalled_goes_on_when_it_is_told)
{
	int status;
	pid_t pid;

	SKIPPED(self);
	inject(self, "stall");
	pid = leave_in_child(self);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(-EAGAIN, sys_ret(recv(self->peer, self->got, 1, MSG_DONTWAIT)));
	ASSERT_EQ(0, kill(pid, SIGCONT));
	receive(self, self->whole_size);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
}

TEST_F(line, other_points_are_left_alone)
{
	SKIPPED(self);
	inject(self, "drop/#2");
	EXPECT_EQ(0, leave(self));
	receive(self, self->whole_size);
	EXPECT_EQ(0, memcmp(self->got, self->whole, self->whole_size));
	EXPECT_EQ(0, leave(self));
	another_follows(self);
}

/* ---- the journal ---------------------------------------------------------- */

FIXTURE(book) {
	struct inject *inject;
	struct journal *journal;
	char dir[300];
	struct fail fail;
	bool skipped;
};

static void book_open(FIXTURE_DATA(book) *self)
{
	ASSERT_EQ(0, journal_open(self->dir, &self->journal, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_SETUP(book)
{
	struct journal_row row = { .id = ID, .side = SIDE_DEST, .state = STATE_PREPARED };
	int ret;

	memset(self, 0, sizeof(*self));
	ret = inject_create(&self->inject, &self->fail);
	self->skipped = ret == -EOPNOTSUPP;
	if (self->skipped)
		SKIP(return, "%s", self->fail.text);
	snprintf(self->dir, sizeof(self->dir), "%s/state", test_dir());
	book_open(self);
	ASSERT_EQ(0, journal_begin(self->journal, &row, &self->fail));
}

FIXTURE_TEARDOWN(book)
{
	journal_close(self->journal);
	inject_destroy(self->inject);
}

static void strike(FIXTURE_DATA(book) *self, const char *spec)
{
	ASSERT_EQ(0, inject_add(self->inject, spec, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	journal_inject(self->journal, self->inject);
}

static enum owner_state state_now(FIXTURE_DATA(book) *self)
{
	enum owner_state state;
	struct journal_row row;

	ASSERT_EQ(0, journal_get(self->journal, ID, SIDE_DEST, &row, &self->fail));
	state = row.state;
	journal_row_fini(&row);
	return state;
}

static int load(FIXTURE_DATA(book) *self, struct fail *fail)
{
	return journal_move(self->journal, ID, SIDE_DEST, STATE_LOADED, NULL, fail);
}

TEST_F(book, write_fails_as_the_disk_would)
{
	static const struct {
		int error;
		const char *spec, *says;
	} errors[] = {
		{ -ENOSPC, "journal.LOADED:fail=ENOSPC/#1", "no space left" },
		{ -EROFS, "journal.LOADED:fail=EROFS/#2", "read-only" },
		{ -EIO, "journal.LOADED:fail=EIO/#3", "disk" },
	};
	size_t i;

	SKIPPED(self);
	for (i = 0; i < 3; i++)
		strike(self, errors[i].spec);
	for (i = 0; i < 3; i++) {
		struct fail fail = { .err = 0 };

		EXPECT_EQ(errors[i].error, load(self, &fail));
		EXPECT_NE(NULL, strstr(fail.text, errors[i].says)) {
			TH_LOG("%s", fail.text);
		}
		EXPECT_EQ(STATE_PREPARED, state_now(self));
	}
	EXPECT_EQ(0, load(self, &self->fail));
	EXPECT_EQ(STATE_LOADED, state_now(self));
}

/* As an agent that dies there, and the one that reads what it left. */
static void dies_and_leaves(FIXTURE_DATA(book) *self, const char *spec, enum owner_state left)
{
	struct fail fail = { .err = 0 };
	int status;
	pid_t pid;

	/* SQLite's files are not for a child of who opened them. */
	journal_close(self->journal);
	self->journal = NULL;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		book_open(self);
		strike(self, spec);
		load(self, &fail);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	book_open(self);
	EXPECT_EQ(left, state_now(self));
}

TEST_F(book, kill_strikes_before_it_is_on_the_disk)
{
	SKIPPED(self);
	dies_and_leaves(self, "journal.LOADED:kill", STATE_PREPARED);
}

TEST_F(book, kill_after_strikes_once_it_is_on_the_disk)
{
	SKIPPED(self);
	dies_and_leaves(self, "journal.LOADED:kill-after", STATE_LOADED);
}

TEST_F(book, every_write_is_a_point)
{
	struct fail fail = { .err = 0 };
	struct journal_row row = { .id = "1", .side = SIDE_SOURCE, .state = STATE_BEGUN };

	SKIPPED(self);
	strike(self, "journal.BEGUN:fail=EIO,journal.note:fail=EIO,journal.paused:fail=EIO,"
	       "journal.acknowledge:fail=EIO,journal.expire:fail=EIO");
	EXPECT_EQ(-EIO, journal_begin(self->journal, &row, &fail));
	EXPECT_EQ(-EIO, journal_note(self->journal, ID, SIDE_DEST, "why", NULL, NULL, &fail));
	EXPECT_EQ(-EIO, journal_paused(self->journal, ID, SIDE_DEST, true, &fail));
	EXPECT_EQ(-EIO, journal_acknowledge(self->journal, ID, SIDE_DEST, &fail));
	EXPECT_EQ(-EIO, journal_expire(self->journal, 30, &fail));
	EXPECT_EQ(0, journal_begin(self->journal, &row, &fail));
	EXPECT_EQ(0, journal_note(self->journal, ID, SIDE_DEST, "why", NULL, NULL, &fail));
	EXPECT_EQ(0, journal_paused(self->journal, ID, SIDE_DEST, true, &fail));
	EXPECT_EQ(0, journal_acknowledge(self->journal, ID, SIDE_DEST, &fail));
	EXPECT_EQ(0, journal_expire(self->journal, 30, &fail));
}

TEST_HARNESS_MAIN
