// SPDX-License-Identifier: LGPL-2.1-or-later
/* heralds.c - a worker that only tells the dest how a migration ended at its source. */
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent_process.h"
#include "harness.h"
#include "protocol/journal.h"
#include "sys.h"
#include "tools/lib/textfile.h"

#define ID	"00112233445566778899aabbccddeeff"
#define TRIES	800	/* 25 ms apart */
#define TRY_MS	25
#define TOTAL	INT64_C(9000000000)
#define SUMMARY	"{\"total_ns\":9000000000,\"downtime_ns\":41000000}"
#define NOBODY	"127.0.0.1:1"

static const enum owner_state torn_down[] = {
	STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED,
	STATE_TEARING_DOWN, STATE_TORN_DOWN, STATE_NONE
};

static const enum owner_state done[] = {
	STATE_PREPARED, STATE_LOADED, STATE_GO, STATE_RUNNING, STATE_COMPLETE, STATE_DONE,
	STATE_NONE
};

/* Of a migration that has ended, which the other host has not heard. */
static void row_write(const struct agent_process *agent, const enum owner_state *way,
		      const char *peer)
{
	struct journal_row row = {
		.id = ID, .guest = "moved", .uuid = "c0ffee00-0000-4000-8000-000000000001",
		.state = *way, .side = owner_rule(*way)->side,
	};
	struct journal *journal;

	/* Whoever comes without TLS. */
	memset(row.peer_digest, '0', sizeof(row.peer_digest) - 1);
	snprintf(row.peer, sizeof(row.peer), "%s", peer);
	ASSERT_EQ(0, journal_open(agent->state_dir, &journal, NULL));
	ASSERT_EQ(0, journal_begin(journal, &row, NULL));
	while (*++way)
		ASSERT_EQ(0, journal_move(journal, ID, row.side, *way, NULL, NULL));
	ASSERT_EQ(0, journal_note(journal, ID, row.side, NULL, SUMMARY, NULL, NULL));
	journal_close(journal);
}

FIXTURE(heralds)
{
	struct agent_process source, dest;
	char psk[320], disks[360];
};

FIXTURE_SETUP(heralds)
{
	agent_dirs(&self->source, "a");
	agent_dirs(&self->dest, "b");
	snprintf(self->psk, sizeof(self->psk), "%s/psk", test_dir());
	snprintf(self->disks, sizeof(self->disks), "%s/disks-" ID, self->source.run_dir);
}

FIXTURE_TEARDOWN(heralds)
{
	if (self->source.pid)
		EXPECT_EQ(0, agent_stop(&self->source));
	if (self->dest.pid)
		EXPECT_EQ(0, agent_stop(&self->dest));
}

static void source_start(FIXTURE_DATA(heralds) *self, const char *peer, const char *const *more)
{
	row_write(&self->source, torn_down, peer);
	ASSERT_EQ(0, agent_start(&self->source, more)) {
		TH_LOG("%s", self->source.log);
	}
}

/* One that is there, and has the guest. */
static void dest_start(FIXTURE_DATA(heralds) *self)
{
	row_write(&self->dest, done, "127.0.0.1");
	ASSERT_EQ(0, agent_start(&self->dest, NULL)) {
		TH_LOG("%s", self->dest.log);
	}
}

static void source_of_dest_start(FIXTURE_DATA(heralds) *self, const char *const *more)
{
	char peer[32];

	snprintf(peer, sizeof(peer), "127.0.0.1:%u", self->dest.port);
	source_start(self, peer, more);
}

static void both_start(FIXTURE_DATA(heralds) *self, const char *const *more)
{
	dest_start(self);
	source_of_dest_start(self, more);
}

/* What the source tells of it; the caller's. */
static struct json_object *told(const struct agent_process *agent, const char *verb)
{
	struct json_object *answer, *list = NULL, *row;
	char line[64];

	snprintf(line, sizeof(line), "{\"do\":\"%s\"}", verb);
	answer = agent_answer(agent, line);
	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &list));
	row = json_object_get(json_object_array_get_idx(list, 0));
	json_object_put(answer);
	return row;
}

static int64_t number(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return json_object_get_int64(value);
}

/* The last that a herald does. */
static void herald_ends(FIXTURE_DATA(heralds) *self)
{
	struct json_object *answer;
	int64_t workers = 1;
	int i;

	ASSERT_TRUE(agent_says(&self->source, " has heard how it ended")) {
		TH_LOG("%s", self->source.log);
	}
	for (i = 0; i < TRIES && workers; i++) {
		answer = agent_answer(&self->source, "{\"do\":\"status\"}");
		workers = number(answer, "workers");
		json_object_put(answer);
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_EQ(0, workers);
}

/* How long the guest stood still is the migration's, which is over. */
TEST_F(heralds, summary_stays_that_of_the_migration)
{
	struct json_object *row, *summary = NULL;

	both_start(self, NULL);
	herald_ends(self);
	row = told(&self->source, "history");
	EXPECT_TRUE(json_object_object_get_ex(row, "summary", &summary));
	EXPECT_EQ(TOTAL, number(summary, "total_ns"));
	EXPECT_EQ(1, number(row, "acknowledged"));
	json_object_put(row);
}

static pid_t herald_of(FIXTURE_DATA(heralds) *self)
{
	struct json_object *row = told(&self->source, "status");
	pid_t pid = (pid_t)number(row, "worker");

	json_object_put(row);
	return pid;
}

/* That the dest cannot be told is no reason why a guest did not go there. */
TEST_F(heralds, failure_is_not_that_of_the_migration)
{
	const char *const more[] = { "--listen", "127.0.0.1:0", "--tls", "psk", "--psk-file",
				     self->psk, NULL };
	struct json_object *row, *error = NULL;
	char away[340];

	snprintf(away, sizeof(away), "%s.away", self->psk);
	ASSERT_EQ(0, textfile_write(self->psk, "a:00112233445566778899aabbccddeeff"
				    "00112233445566778899aabbccddeeff\n", NULL));
	source_start(self, NOBODY, more);
	ASSERT_EQ(0, rename(self->psk, away));
	ASSERT_LT(1, herald_of(self));
	ASSERT_EQ(0, kill(herald_of(self), SIGKILL));
	ASSERT_TRUE(agent_says(&self->source, "cannot open the pre-shared keys")) {
		TH_LOG("%s", self->source.log);
	}
	row = told(&self->source, "history");
	EXPECT_TRUE(json_object_object_get_ex(row, "error", &error));
	EXPECT_STREQ("", json_object_get_string(error));
	json_object_put(row);
}

/* Nobody goes anywhere by that: it is said who has heard what. */
TEST_F(heralds, success_is_told_once_and_is_not_the_guests)
{
	static const char text[] = "of guest 'moved': the dest has heard how it ended";
	const char *heard;

	both_start(self, NULL);
	herald_ends(self);
	EXPECT_EQ(0, agent_stop(&self->source));
	EXPECT_EQ(NULL, strstr(self->source.log, "' went to "));
	heard = strstr(self->source.log, text);
	ASSERT_NE(NULL, heard);
	EXPECT_EQ(NULL, strstr(heard + strlen(text), "has heard how it ended"));
}

TEST_F(heralds, reason_says_whose_end_is_not_heard)
{
	source_start(self, NOBODY, NULL);
	ASSERT_TRUE(agent_says(&self->source, " could not be told"));
	EXPECT_NE(NULL, strstr(self->source.log, "of guest 'moved', which has ended here: "));
	EXPECT_EQ(NULL, strstr(self->source.log, "taken back"));
}

/* It has said so, and only this host's disk is in the way. */
TEST_F(heralds, dest_that_has_heard_is_said_to_know)
{
	const char *const more[] = { "--listen", "127.0.0.1:0", "--inject",
				     "journal.acknowledge:fail=ENOSPC/all", NULL };
	struct json_object *row, *problem = NULL;

	if (!STRADDLE_INJECT)
		SKIP(return, "built without fault injection");
	both_start(self, more);
	ASSERT_TRUE(agent_says(&self->source, " has heard how it ended, which cannot be written"));
	row = told(&self->source, "status");
	EXPECT_TRUE(json_object_object_get_ex(row, "problem", &problem));
	EXPECT_NE(NULL, strstr(json_object_get_string(problem), " knows: ")) {
		TH_LOG("%s", json_object_get_string(problem));
	}
	json_object_put(row);
}

/* ---- what a worker left that was killed when it was over ------------------- */

/* Is it listed there? Then somebody may still need it. */
static bool is_left(FIXTURE_DATA(heralds) *self)
{
	return !sys_ret(access(self->disks, F_OK));
}

/* As if it had copied disks. */
static void disks_leave(FIXTURE_DATA(heralds) *self)
{
	ASSERT_EQ(0, sys_ret(mkdir(self->source.run_dir, 0700)));
	ASSERT_EQ(0, textfile_write(self->disks, "copy vda\n", NULL));
}

/* Which may be away for long. */
TEST_F(heralds, disks_are_seen_to_before_the_dest_hears)
{
	int i;

	disks_leave(self);
	source_start(self, NOBODY, NULL);
	for (i = 0; i < TRIES && is_left(self); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_FALSE(is_left(self));
	EXPECT_TRUE(agent_says(&self->source, " could not be told"));
	EXPECT_LT(1, herald_of(self));
	EXPECT_EQ(NULL, strstr(self->source.log, "' went to "));
}

/* A folder is no list: who is to see to it does not get anywhere. */
static void disks_unreadable(FIXTURE_DATA(heralds) *self)
{
	ASSERT_EQ(0, sys_ret(mkdir(self->source.run_dir, 0700)));
	ASSERT_EQ(0, sys_ret(mkdir(self->disks, 0700)));
}

TEST_F(heralds, dest_hears_also_where_something_stays_left)
{
	struct json_object *row;

	disks_unreadable(self);
	both_start(self, NULL);
	herald_ends(self);
	row = told(&self->source, "history");
	EXPECT_EQ(1, number(row, "acknowledged"));
	json_object_put(row);
	EXPECT_TRUE(is_left(self));
}

TEST_F(heralds, disks_are_tried_once_more_when_the_dest_has_heard)
{
	int i;

	disks_unreadable(self);
	dest_start(self);
	ASSERT_EQ(0, kill(self->dest.pid, SIGSTOP));
	source_of_dest_start(self, NULL);
	ASSERT_TRUE(agent_says(&self->source, " goes on with it"));
	ASSERT_EQ(0, sys_ret(rmdir(self->disks)));
	ASSERT_EQ(0, textfile_write(self->disks, "copy vda\n", NULL));
	ASSERT_EQ(0, kill(self->dest.pid, SIGCONT));
	for (i = 0; i < TRIES && is_left(self); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_FALSE(is_left(self));
}

TEST_HARNESS_MAIN
