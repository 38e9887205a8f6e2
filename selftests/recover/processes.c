// SPDX-License-Identifier: LGPL-2.1-or-later
/* processes.c - any process of ours is killed past the switch: others go on. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"

#define GUEST	"db"
#define TRIES	1200	/* 25 ms apart */
#define TRY_MS	25

/* What is killed on a host. */
enum victim { NOBODY, WORKER, AGENT, BOTH, BROKER };

FIXTURE(processes) {
	struct pair *pair;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(processes) {
	enum victim source, dest;
	const char *memory;		/* option, or NULL: a memfd */
};

FIXTURE_VARIANT_ADD(processes, source_worker) { WORKER, NOBODY, NULL };
FIXTURE_VARIANT_ADD(processes, dest_worker) { NOBODY, WORKER, NULL };
FIXTURE_VARIANT_ADD(processes, dest_worker_private) { NOBODY, WORKER, "--private" };
FIXTURE_VARIANT_ADD(processes, both_workers) { WORKER, WORKER, "--private" };
FIXTURE_VARIANT_ADD(processes, source_agent) { AGENT, NOBODY, NULL };
FIXTURE_VARIANT_ADD(processes, dest_agent) { NOBODY, AGENT, "--private" };
FIXTURE_VARIANT_ADD(processes, source_all) { BOTH, NOBODY, "--private" };
FIXTURE_VARIANT_ADD(processes, dest_all) { NOBODY, BOTH, NULL };
FIXTURE_VARIANT_ADD(processes, brokers) { BROKER, BROKER, "--private" };
FIXTURE_VARIANT_ADD(processes, everything) { BOTH, BOTH, NULL };
FIXTURE_VARIANT_ADD(processes, everything_private) { BOTH, BOTH, "--private" };

static void held(FIXTURE_DATA(processes) *self, const char *memory)
{
	const char *const guest[] = { "--workload", "random", "--working-set",
		"40M", "--rate", "20000", memory, NULL };
	const struct two_hosts *hosts;

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	hosts = self->pair->hosts;
	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(&hosts->source, GUEST, 40000, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, &hosts->source, GUEST,
				hosts->dest.address,
				"\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
				"\"postcopy_bandwidth\":3000000"));
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

FIXTURE_SETUP(processes)
{
	held(self, variant->memory);
}

FIXTURE_TEARDOWN(processes)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* By pid, and gone when this returns. */
static void kill_now(pid_t pid)
{
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
}

static void strike(struct pair *pair, const struct host *host, pid_t *agent,
		   enum victim victim, const char *worker)
{
	(void)pair;
	if (victim == AGENT || victim == BOTH)
		kill_now(*agent);
	if (victim == BROKER)
		kill_now(host_worker(host, "straddle-broker"));
	if (victim == WORKER || victim == BOTH)
		kill_now(host_worker(host, worker));
}

static void mend(struct pair *pair, const struct host *host, pid_t *agent,
		 enum victim victim)
{
	struct fail fail = { 0 };

	/* An agent without its broker ends by itself. */
	if (victim == NOBODY || victim == WORKER)
		return;
	process_wait(*agent, 10000);
	*agent = pair_start_agent(pair, host, &fail);
	ASSERT_LT(0, *agent) {
		TH_LOG("%s", fail.text);
	}
}

/* The worker's place was taken, or what it had to do is done. */
static bool row_ends(const struct host *host, const char *id, enum side side,
		     const char *state)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		char now[16];

		row_state(host, id, side, now, sizeof(now));
		if (!strcmp(now, state))
			return true;
		poll(NULL, 0, TRY_MS);
	}
	return false;
}

static void logs_show(const struct host *host)
{
	char log[8192];

	host_log(host, "straddled.log", log, sizeof(log));
	TH_LOG("%s: %s", host->name, log);
}

TEST_F_TIMEOUT(processes, the_guest_sees_a_pause, 120)
{
	struct pair *pair = self->pair;
	const struct host *source = &pair->hosts->source;
	const struct host *dest = &pair->hosts->dest;

	strike(pair, source, &pair->source_agent, variant->source, "source");
	strike(pair, dest, &pair->dest_agent, variant->dest, "dest");
	mend(pair, source, &pair->source_agent, variant->source);
	mend(pair, dest, &pair->dest_agent, variant->dest);
	EXPECT_TRUE(row_ends(source, self->move.id, SIDE_SOURCE, "TORN_DOWN")) {
		logs_show(source);
		logs_show(dest);
	}
	EXPECT_TRUE(row_ends(dest, self->move.id, SIDE_DEST, "DONE"));
	crossing_arrived(pair, dest, GUEST);
	crossing_left(source, GUEST, 0);
}

/* ---- an agent whose journal is gone -------------------------------------- */

FIXTURE(forgetful) {
	FIXTURE_DATA(processes) base;
};

FIXTURE_SETUP(forgetful)
{
	held(&self->base, NULL);
}

FIXTURE_TEARDOWN(forgetful)
{
	fixture_teardown_processes_body(&self->base, NULL);
}

/* All its files are called PREFIXjournal.db... from then on. */
static void journal_rename(const struct host *host, const char *from, const char *to)
{
	char path[600], other[600];
	struct dirent *entry;
	DIR *dir = opendir(host->state_dir);
	int renamed = 0;

	ASSERT_TRUE(dir);
	while ((entry = readdir(dir))) {
		const char *name = strstr(entry->d_name, "journal");

		if (!name || (size_t)(name - entry->d_name) != strlen(from) ||
		    strncmp(entry->d_name, from, strlen(from)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", host->state_dir, entry->d_name);
		snprintf(other, sizeof(other), "%s/%s%s", host->state_dir, to, name);
		renamed += !rename(path, other);
	}
	closedir(dir);
	EXPECT_LT(0, renamed);
}

static void dest_agent_anew(FIXTURE_DATA(forgetful) *self, const char *from, const char *to)
{
	struct pair *pair = self->base.pair;

	kill_now(pair->dest_agent);
	process_wait(pair->dest_agent, -1);
	journal_rename(&pair->hosts->dest, from, to);
	pair->dest_agent = pair_start_agent(pair, &pair->hosts->dest, &self->base.fail);
	ASSERT_LT(0, pair->dest_agent) {
		TH_LOG("%s", self->base.fail.text);
	}
}

/* Pages go on moving; how that ends is for people, who are told. */
TEST_F_TIMEOUT(forgetful, agent_tells_of_workers_that_it_does_not_know, 60)
{
	struct pair *pair = self->base.pair;
	const struct host *dest = &pair->hosts->dest;
	pid_t worker = host_worker(dest, "dest");
	char log[8192] = "";

	dest_agent_anew(self, "", "lost-");
	host_log(dest, "straddled.log", log, sizeof(log));
	EXPECT_TRUE(strstr(log, "which the journal does not know")) {
		logs_show(dest);
	}
	EXPECT_EQ(worker, host_worker(dest, "dest"));
}

/* An empty journal is silence: what the guest needs stays until it is back. */
TEST_F_TIMEOUT(forgetful, agent_keeps_what_its_journal_does_not_know, 90)
{
	struct pair *pair = self->base.pair;
	const struct host *dest = &pair->hosts->dest;
	pid_t worker;

	dest_agent_anew(self, "", "lost-");
	worker = host_worker(dest, "dest");
	kill_now(worker);
	process_wait(worker, -1);
	dest_agent_anew(self, "", "empty-");
	EXPECT_EQ(1, host_files(dest, "testament."));
	journal_rename(dest, "", "late-");
	dest_agent_anew(self, "lost-", "");
	EXPECT_TRUE(row_ends(&pair->hosts->source, self->base.move.id, SIDE_SOURCE,
			     "TORN_DOWN"));
	EXPECT_TRUE(row_ends(dest, self->base.move.id, SIDE_DEST, "DONE"));
	crossing_arrived(pair, dest, GUEST);
	crossing_left(&pair->hosts->source, GUEST, 0);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
