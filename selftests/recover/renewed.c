// SPDX-License-Identifier: LGPL-2.1-or-later
/* renewed.c - a host's certificate is renewed while its migration is open. */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/pki.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"

#define GUEST	"db"
#define TRIES	1200	/* 25 ms apart */
#define TRY_MS	25
#define FEW	100	/* tries of the source, and some more */
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"postcopy_bandwidth\":"

FIXTURE(renewed) {
	struct pair *pair;
	struct host *source, *dest;
	struct pki *pki;
	struct move move;
	struct fail fail;
};

/* A CA that the test has the key of. Workers read their files at their start. */
FIXTURE_SETUP(renewed)
{
	*self = (FIXTURE_DATA(renewed)){ .move.fd = -1 };
	ASSERT_EQ(0, pki_create(&self->pki));
}

FIXTURE_TEARDOWN(renewed)
{
	move_end(&self->move);
	pair_destroy(self->pair);
	pki_destroy(self->pki);
}

static void issue(FIXTURE_DATA(renewed) *self, const struct host *host, const char *name)
{
	ASSERT_EQ(0, pki_issue(self->pki, host->pki_dir, name, host->address, 1));
}

static void set_out(FIXTURE_DATA(renewed) *self, const char *options)
{
	static const char *const guest[] = { "--working-set", "40M", "--workload", "random",
					     "--rate", "20000", NULL };

	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	issue(self, self->source, "source");
	issue(self, self->dest, "dest");
	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(self->source, GUEST, 4000, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, GUEST, self->dest->address,
				options));
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

static void held(FIXTURE_DATA(renewed) *self)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_X509, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	set_out(self, POST_COPY "3000000");
}

static void kill_worker(const struct host *host, const char *name)
{
	pid_t pid = host_worker(host, name);

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
}

static void agent_kill(pid_t agent)
{
	ASSERT_EQ(0, kill(agent, SIGKILL));
	ASSERT_EQ(128 + SIGKILL, process_wait(agent, -1));
}

static void agent_start(FIXTURE_DATA(renewed) *self, const struct host *host, pid_t *agent)
{
	*agent = pair_start_agent(self->pair, host, &self->fail);
	ASSERT_LT(0, *agent) {
		TH_LOG("%s", self->fail.text);
	}
}

static bool reaches(FIXTURE_DATA(renewed) *self, const struct host *host, enum side side,
		    const char *state)
{
	char now[16] = "", log[8192];
	int i;

	for (i = 0; i < TRIES && strcmp(now, state); i++) {
		row_state(host, self->move.id, side, now, sizeof(now));
		poll(NULL, 0, TRY_MS);
	}
	if (i < TRIES)
		return true;
	host_log(host, "straddled.log", log, sizeof(log));
	TH_LOG("in %s, not in %s: %s", now, state, log);
	return false;
}

static void arrives(FIXTURE_DATA(renewed) *self)
{
	EXPECT_TRUE(reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN"));
	EXPECT_TRUE(reaches(self, self->dest, SIDE_DEST, "DONE"));
	crossing_arrived(self->pair, self->dest, GUEST);
	crossing_left(self->source, GUEST, 0);
}

/* The dest's worker lives, and remembers who its source is. */
TEST_F_TIMEOUT(renewed, source_goes_on_with_another_key_of_its_name, 60)
{
	held(self);
	issue(self, self->source, "source");
	kill_worker(self->source, "source");
	arrives(self);
}

/* Who the source is stands in the journal only. */
TEST_F_TIMEOUT(renewed, both_hosts_are_renewed_and_their_agents_restarted, 60)
{
	struct pair *pair;

	held(self);
	pair = self->pair;
	agent_kill(pair->source_agent);
	agent_kill(pair->dest_agent);
	issue(self, self->source, "source");
	issue(self, self->dest, "dest");
	agent_start(self, self->dest, &pair->dest_agent);
	agent_start(self, self->source, &pair->source_agent);
	arrives(self);
}

static uint32_t recoveries(const struct host *host)
{
	struct json_object *answer = NULL, *list, *one, *progress, *count = NULL;
	struct fail fail = { 0 };
	uint32_t number;

	ASSERT_EQ(0, agent_ask(host, &answer, &fail, "{\"do\":\"status\"}"));
	json_object_object_get_ex(answer, "migrations", &list);
	one = json_object_array_get_idx(list, 0);
	if (one && json_object_object_get_ex(one, "progress", &progress) && progress)
		json_object_object_get_ex(progress, "recoveries", &count);
	number = (uint32_t)json_object_get_int(count);
	json_object_put(answer);
	return number;
}

/* Its certificate is good, and names somebody else. */
TEST_F_TIMEOUT(renewed, source_of_another_name_is_another_peer, 60)
{
	char state[16], log[16384];
	int i;

	held(self);
	issue(self, self->source, "intruder");
	kill_worker(self->source, "source");
	for (i = 0; i < FEW; i++) {
		ASSERT_EQ(0, recoveries(self->source));
		poll(NULL, 0, TRY_MS);
	}
	row_state(self->source, self->move.id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ("HELD", state);
	host_log(self->dest, "straddled.log", log, sizeof(log));
	EXPECT_NE(NULL, strstr(log, ": a control connection from 10.88.0.1:")) {
		TH_LOG("%s", log);
	}
	EXPECT_NE(NULL, strstr(log, " is refused: it proved to be intruder"));
	issue(self, self->source, "source");
	kill_worker(self->source, "source");
	arrives(self);
}

/* The worker that answers a question has nothing but the row. */
TEST_F_TIMEOUT(renewed, source_of_another_key_is_answered_from_the_journal, 60)
{
	int ret = pair_create_faulty(&self->pair, PAIR_X509, NULL,
				     "journal.TEARING_DOWN:kill", NULL, &self->fail);
	pid_t worker;

	if (ret == -EOPNOTSUPP)
		SKIP(return, "%s", self->fail.text);
	ASSERT_EQ(0, ret);
	set_out(self, POST_COPY "0");
	ASSERT_EQ(128 + SIGKILL, process_wait(self->pair->source_agent, 20000));
	worker = host_worker(self->source, "source");
	if (worker > 0)		/* else it has ended with its agent */
		ASSERT_EQ(0, kill(worker, SIGKILL));
	EXPECT_TRUE(reaches(self, self->dest, SIDE_DEST, "DONE"));
	EXPECT_EQ(0, host_settle(self->dest));
	issue(self, self->source, "source");
	self->pair->inject[SIDE_SOURCE] = NULL;
	agent_start(self, self->source, &self->pair->source_agent);
	arrives(self);
}

/* As a build before this one wrote it: of the certificate, not of its names. */
static void row_of_old(FIXTURE_DATA(renewed) *self, const uint8_t *digest)
{
	char path[256], hex[65], sql[200], *error = NULL;
	sqlite3 *db;
	unsigned int i;

	for (i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	snprintf(path, sizeof(path), "%s/journal.db", self->dest->state_dir);
	snprintf(sql, sizeof(sql), "UPDATE migration SET peer_digest = '%s'", hex);
	ASSERT_EQ(SQLITE_OK, sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL));
	EXPECT_EQ(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, &error)) {
		TH_LOG("%s", error);
	}
	EXPECT_EQ(1, sqlite3_changes(db));
	sqlite3_close(db);
}

TEST_F_TIMEOUT(renewed, row_of_an_older_build_is_gone_on_with, 60)
{
	struct pair *pair;
	uint8_t digest[32];

	held(self);
	pair = self->pair;
	ASSERT_EQ(0, pki_client_digest(self->source->pki_dir, digest));
	agent_kill(pair->dest_agent);
	row_of_old(self, digest);
	agent_start(self, self->dest, &pair->dest_agent);
	arrives(self);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
