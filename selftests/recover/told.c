// SPDX-License-Identifier: LGPL-2.1-or-later
/* told.c - what status, resolve and the log say while something is broken. */
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"

#define GUEST	"db"
#define TRIES	1200	/* 25 ms apart */
#define TRY_MS	25
#define TEXT	16384

FIXTURE(told) {
	struct pair *pair;
	const struct host *source, *dest;
	struct move move;
	struct fail fail;
	char text[TEXT];
};

/* Held: a guest runs at the dest, and most of its pages are not there. */
FIXTURE_SETUP(told)
{
	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_slow_guest(self->pair, GUEST, NULL);
	crossing_hold(self->pair, GUEST, &self->move);
}

FIXTURE_TEARDOWN(told)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void say(FIXTURE_DATA(told) *self, const struct host *host, const char *const argv[])
{
	EXPECT_EQ(0, pair_straddle(self->pair, host, argv, self->text, sizeof(self->text))) {
		TH_LOG("%s", self->text);
	}
}

#define SAY(host, ...) \
	say(self, host, (const char *const[]){ __VA_ARGS__, NULL })


/* What a worker other than @before tells of the migration here; the caller's. */
static struct json_object *progress_of(FIXTURE_DATA(told) *self, const struct host *host,
				       pid_t before)
{
	struct json_object *answer, *row, *worker, *progress = NULL;
	int i;

	for (i = 0; i < TRIES && !progress; i++) {
		poll(NULL, 0, TRY_MS);
		ASSERT_EQ(0, agent_ask(host, &answer, &self->fail, "{\"do\":\"status\"}"));
		row = json_object_array_get_idx(json_object_object_get(answer, "migrations"), 0);
		if (json_object_object_get_ex(row, "worker", &worker) &&
		    json_object_get_int(worker) != before)
			progress = json_object_get(json_object_object_get(row, "progress"));
		json_object_put(answer);
	}
	ASSERT_TRUE(progress);
	return progress;
}

/* Until it says so of what is broken. Return: since when. */
static uint64_t broken_since(FIXTURE_DATA(told) *self, const struct host *host, pid_t before,
			     const char *words)
{
	uint64_t since = 0;
	bool found = false;
	int i;

	for (i = 0; i < TRIES && !found; i++) {
		struct json_object *progress = progress_of(self, host, before);

		found = strstr(json_object_get_string(
				json_object_object_get(progress, "broken")), words);
		since = json_object_get_uint64(json_object_object_get(progress, "broken_ns"));
		json_object_put(progress);
	}
	EXPECT_TRUE(found) {
		TH_LOG("not told: %s", words);
	}
	return since;
}

static void reaches(FIXTURE_DATA(told) *self, const struct host *host, enum side side,
		    const char *state)
{
	EXPECT_TRUE(crossing_row_reaches(host, self->move.id, side, state)) {
		TH_LOG("%s: not %s", host->name, state);
	}
}

static pid_t worker_kill(const struct host *host, enum side side)
{
	pid_t worker = -1;
	int i;

	/* One that has just ended may be seen beside it. */
	for (i = 0; i < TRIES && worker < 0; i++) {
		worker = host_worker(host, side_name(side));
		poll(NULL, 0, worker < 0 ? TRY_MS : 0);
	}
	ASSERT_LT(1, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	return worker;
}

static void link_cut(FIXTURE_DATA(told) *self, bool cut)
{
	ASSERT_EQ(0, cut ? net_link_down(self->dest->net, HOST_LINK, &self->fail)
			 : net_link_up(self->dest->net, HOST_LINK, &self->fail));
}

/* It has the states of its pages, whether the source can be reached or not. */
TEST_F_TIMEOUT(told, dest_s_next_worker_knows_what_is_missing, 60)
{
	struct json_object *progress;

	link_cut(self, true);
	progress = progress_of(self, self->dest, worker_kill(self->dest, SIDE_DEST));
	EXPECT_LT(0, json_object_get_int64(json_object_object_get(progress, "missing_pages")));
	/* So status has a percentage, too. */
	EXPECT_TRUE(json_object_get_boolean(json_object_object_get(progress, "postcopy")));
	json_object_put(progress);
}

/* It does not know what arrived: none is missing is the one thing that it is not. */
TEST_F_TIMEOUT(told, source_s_next_worker_does_not_make_up_what_is_missing, 60)
{
	struct json_object *progress, *missing = NULL;
	int i;

	link_cut(self, true);
	progress = progress_of(self, self->source, worker_kill(self->source, SIDE_SOURCE));
	EXPECT_FALSE(json_object_object_get_ex(progress, "missing_pages", NULL));
	json_object_put(progress);
	SAY(self->source, "status");
	EXPECT_TRUE(strstr(self->text, "HELD   0      -     0 B/s  -   ")) {
		TH_LOG("%s", self->text);
	}
	link_cut(self, false);
	for (i = 0; i < TRIES && !missing; i++) {
		progress = progress_of(self, self->source, 0);
		json_object_object_get_ex(progress, "missing_pages", &missing);
		EXPECT_TRUE(!missing || json_object_get_int64(missing) > 0);
		json_object_put(progress);
	}
	EXPECT_TRUE(missing);
}

/* The source has it yet to hear, but nobody waits for a page. */
TEST_F_TIMEOUT(told, nobody_waits_once_a_file_brought_all_pages, 60)
{
	char file[200];

	link_cut(self, true);
	broken_since(self, self->dest, worker_kill(self->dest, SIDE_DEST), "waiting for");
	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	SAY(self->source, "resolve", GUEST, "--rescue", file);
	SAY(self->dest, "resolve", GUEST, "--rescue", file);
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	SAY(self->dest, "resolve", GUEST);
	EXPECT_TRUE(strstr(self->text, "with every page"));
	EXPECT_FALSE(strstr(self->text, "waiting for")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, broken_since(self, self->dest, 0, ""));
}

/* The guest is stopped meanwhile: what touches such a page ends it. */
TEST_F_TIMEOUT(told, pages_that_were_poisoned_are_sent_to_nobody, 60)
{
	struct guest_view view;

	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, process_freeze(view.pid));
	guest_view_fini(&view);
	SAY(self->source, "resolve", GUEST);
	EXPECT_TRUE(strstr(self->text, "are sent whenever") && strstr(self->text, "--rescue"));
	SAY(self->dest, "resolve", GUEST, "--poison", GUEST);
	broken_since(self, self->source, 0, "were poisoned");
	SAY(self->source, "resolve", GUEST);
	EXPECT_FALSE(strstr(self->text, "are sent whenever") || strstr(self->text, "--rescue")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_TRUE(strstr(self->text, "--give-up") && strstr(self->text, "none is sent"));
}

static void take_back(FIXTURE_DATA(told) *self)
{
	SAY(self->source, "resolve", GUEST, "--take-back", "--fenced", self->dest->address);
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
}

/* The cut that there was before is another thing, and over. */
TEST_F_TIMEOUT(told, copy_that_was_taken_back_is_so_since_then, 60)
{
	static const char words[] = "this copy is stopped";
	struct timespec now;
	uint64_t since;

	link_cut(self, true);
	EXPECT_LT(0, broken_since(self, self->dest, 0, " "));
	take_back(self);
	clock_gettime(CLOCK_REALTIME, &now);
	since = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	link_cut(self, false);
	EXPECT_LT(since, broken_since(self, self->dest, 0, words));
	/* Whoever comes next is not told since when. */
	EXPECT_EQ(0, broken_since(self, self->dest, worker_kill(self->dest, SIDE_DEST), words));
	SAY(self->dest, "status");
	EXPECT_FALSE(strstr(self->text, " s: ")) {
		TH_LOG("%s", self->text);
	}
}

static void log_has(FIXTURE_DATA(told) *self, const struct host *host, const char *text)
{
	int i;

	*self->text = '\0';
	for (i = 0; i < TRIES && !strstr(self->text, text); i++) {
		host_log(host, "straddled.log", self->text, sizeof(self->text));
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_TRUE(strstr(self->text, text)) {
		TH_LOG("not '%s': %s", text, self->text);
	}
}

static void log_names_the_guest(FIXTURE_DATA(told) *self, const struct host *host,
				const char *line)
{
	log_has(self, host, line);
	EXPECT_FALSE(strstr(self->text, "guest ''")) {
		TH_LOG("%s", self->text);
	}
}

/* Who tells the other host of a decision, or hears it, migrates no guest. */
TEST_F_TIMEOUT(told, log_of_who_tells_and_who_hears_names_the_guest, 60)
{
	char file[200];

	link_cut(self, true);
	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	SAY(self->source, "resolve", GUEST, "--rescue", file);
	SAY(self->dest, "resolve", GUEST, "--rescue", file);
	worker_kill(self->dest, SIDE_DEST);
	reaches(self, self->dest, SIDE_DEST, "DONE");
	take_back(self);
	log_has(self, self->source, "state TAKEN_BACK: worker");
	worker_kill(self->source, SIDE_SOURCE);
	link_cut(self, false);
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
	EXPECT_EQ(0, host_settle(self->source));
	log_names_the_guest(self, self->source, "of guest '" GUEST "': worker died");
	log_names_the_guest(self, self->dest, "of guest '" GUEST "': SUPERSEDED");
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
