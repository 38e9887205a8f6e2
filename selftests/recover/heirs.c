// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * heirs.c - whoever is to take a dead worker's place cannot, or not at once.
 *
 * It has done nothing by then, and what its predecessor left must stay: without
 * it nobody knows where the guest's memory lies.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "selftests/lib/freezer.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"

#define GUEST	"db"
#define TRIES	1200	/* 25 ms apart */
#define TRY_MS	25
#define LOG_MAX	65536

FIXTURE(heirs) {
	struct pair *pair;
	struct host *source, *dest, *host;
	pid_t *agent;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(heirs) {
	enum side side;			/* whose worker dies */
};

FIXTURE_VARIANT_ADD(heirs, source) { SIDE_SOURCE };
FIXTURE_VARIANT_ADD(heirs, dest) { SIDE_DEST };

static void begin(FIXTURE_DATA(heirs) *self, enum side side)
{
	static const char *const guest[] = { "--workload", "random", "--working-set", "40M",
					     "--rate", "20000", NULL };

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PSK, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->host = side == SIDE_SOURCE ? self->source : self->dest;
	self->agent = side == SIDE_SOURCE ? &self->pair->source_agent : &self->pair->dest_agent;
	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(self->source, GUEST, 40000, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, GUEST, self->dest->address,
				"\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
				"\"postcopy_bandwidth\":3000000"));
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

FIXTURE_SETUP(heirs)
{
	begin(self, variant->side);
}

FIXTURE_TEARDOWN(heirs)
{
	freezer_open();
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void log_has(const struct host *host, const char *text)
{
	static char log[LOG_MAX];
	int i;

	for (i = 0; i < TRIES; i++) {
		host_log(host, "straddled.log", log, sizeof(log));
		if (strstr(log, text))
			return;
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_STREQ(text, log);
}

/* By status, as long as it lasts. */
static void is_told(FIXTURE_DATA(heirs) *self, const struct host *host, const char *text)
{
	const char *const argv[] = { "--json", "status", NULL };
	static char said[LOG_MAX];
	int i;

	for (i = 0; i < TRIES; i++) {
		EXPECT_EQ(0, pair_straddle(self->pair, host, argv, said, sizeof(said)));
		if (strstr(said, text))
			return;
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_STREQ(text, said);
}

static void worker_kill(const struct host *host, enum side side)
{
	ASSERT_EQ(0, kill(host_worker(host, side_name(side)), SIGKILL));
}

static void reaches(FIXTURE_DATA(heirs) *self, const struct host *host, enum side side,
		    const char *state)
{
	EXPECT_TRUE(crossing_row_reaches(host, self->move.id, side, state)) {
		TH_LOG("%s: not %s", host->name, state);
	}
}

static void arrives(FIXTURE_DATA(heirs) *self)
{
	reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN");
	reaches(self, self->dest, SIDE_DEST, "DONE");
	crossing_arrived(self->pair, self->dest, GUEST);
	crossing_left(self->source, GUEST, 0);
}

/* It is mended, and another one finds all that the first one left. */
TEST_F_TIMEOUT(heirs, key_that_is_away_for_a_while_costs_a_pause, 90)
{
	char path[200], away[210];

	snprintf(path, sizeof(path), "%s/psk", self->host->dir);
	snprintf(away, sizeof(away), "%s.away", path);
	ASSERT_EQ(0, rename(path, away));
	worker_kill(self->host, variant->side);
	log_has(self->host, "cannot open the pre-shared keys");
	EXPECT_EQ(1, host_files(self->host, "testament."));
	ASSERT_EQ(0, rename(away, path));
	arrives(self);
}

/*
 * SQLite's locks of readers, at the end of the first header of its index. A row
 * that is asked for cannot be read as long as somebody else has all of them.
 */
static int journal_lock(const struct host *host)
{
	struct flock readers = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 123, .l_len = 5,
	};
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/journal.db-shm", host->state_dir);
	fd = sys_ret(open(path, O_RDWR | O_CLOEXEC));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_ret(fcntl(fd, F_SETLKW, &readers)));
	return fd;
}

/* Nobody knows then whether it is over, so nothing is removed. */
TEST_F_TIMEOUT(heirs, row_that_cannot_be_read_is_read_again, 120)
{
	int fd = journal_lock(self->host);

	worker_kill(self->host, variant->side);
	log_has(self->host, "whose worker has ended: cannot read a migration");
	EXPECT_EQ(1, host_files(self->host, "testament."));
	close(fd);
	arrives(self);
}

/* How it was to be migrated is not made up, as long as it may be known. */
TEST_F_TIMEOUT(heirs, job_that_cannot_be_read_is_read_again, 90)
{
	char path[256], away[270];

	snprintf(path, sizeof(path), "%s/job.%s.%s", self->host->run_dir, self->move.id,
		 side_name(variant->side));
	snprintf(away, sizeof(away), "%s.away", path);
	ASSERT_EQ(0, rename(path, away));
	ASSERT_EQ(0, mkdir(path, 0700));
	worker_kill(self->host, variant->side);
	log_has(self->host, "cannot be settled yet: cannot read");
	is_told(self, self->host, "it waits for a worker, which is tried again: cannot read");
	EXPECT_EQ(1, host_files(self->host, "testament."));
	ASSERT_EQ(0, rmdir(path));
	ASSERT_EQ(0, rename(away, path));
	arrives(self);
}

/* There may be one: a second one would make two. */
TEST_F_TIMEOUT(heirs, worker_that_cannot_be_looked_for_is_not_gone, 90)
{
	pid_t worker = host_worker(self->host, side_name(variant->side));
	char path[256], away[270];

	snprintf(path, sizeof(path), "%s/worker.%s.%s", self->host->run_dir, self->move.id,
		 side_name(variant->side));
	snprintf(away, sizeof(away), "%s.away", path);
	ASSERT_EQ(0, kill(*self->agent, SIGKILL));
	process_wait(*self->agent, -1);
	ASSERT_EQ(0, rename(path, away));
	ASSERT_EQ(0, mkdir(path, 0700));
	*self->agent = pair_start_agent(self->pair, self->host, &self->fail);
	ASSERT_LT(0, *self->agent);
	log_has(self->host, "of an earlier agent, cannot be found out");
	EXPECT_EQ(worker, host_worker(self->host, side_name(variant->side)));
	ASSERT_EQ(0, rmdir(path));
	ASSERT_EQ(0, rename(away, path));
	arrives(self);
}

/* It was killed, and is in a call yet: another one beside it makes two. */
TEST_F_TIMEOUT(heirs, steward_that_has_not_ended_is_waited_for, 90)
{
	pid_t steward = host_worker(self->host, "steward");
	int ret;

	ASSERT_LT(1, steward);
	ret = freezer_close(steward);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "no freezer of cgroup v1 is mounted, which alone keeps a process "
		     "that was killed from ending");
	ASSERT_EQ(0, ret);
	worker_kill(self->host, variant->side);
	log_has(self->host, "worker died");
	is_told(self, self->host, "has not ended");
	EXPECT_EQ(-ESRCH, host_worker(self->host, side_name(variant->side)));
	EXPECT_EQ(steward, host_worker(self->host, "steward"));
	freezer_open();
	arrives(self);
}

/* ---- what only one of them meets ----------------------------------------- */

FIXTURE(heir) {
	FIXTURE_DATA(heirs) base;
};

FIXTURE_SETUP(heir)
{
	self->base.move.fd = -1;
}

FIXTURE_TEARDOWN(heir)
{
	fixture_teardown_heirs_body(&self->base, NULL);
}

static void agent_restart(FIXTURE_DATA(heirs) *self, const char *allow_peer)
{
	EXPECT_EQ(0, process_stop(*self->agent));
	self->pair->allow_peer = allow_peer;
	*self->agent = pair_start_agent(self->pair, self->host, &self->fail);
	ASSERT_LT(0, *self->agent);
}

/* Who may come is this agent's list, not that of the one which began it. */
TEST_F_TIMEOUT(heir, peers_of_the_agent_that_runs_are_let_in, 90)
{
	FIXTURE_DATA(heirs) *base = &self->base;

	begin(base, SIDE_DEST);
	agent_restart(base, "bridge");
	is_told(base, base->source, "refused the TLS handshake");
	agent_restart(base, NULL);
	arrives(base);
}

/* A guest of libvirt's would have one; what it says has arrived long ago. */
static void definition_say(FIXTURE_DATA(heirs) *self, const char *definition)
{
	struct json_object *job, *options;
	char path[256];

	snprintf(path, sizeof(path), "%s/job.%s.source", self->source->run_dir, self->move.id);
	job = json_object_from_file(path);
	ASSERT_TRUE(json_object_object_get_ex(job, "options", &options));
	json_object_object_add(options, "xml", json_object_new_string(definition));
	ASSERT_EQ(0, json_object_to_file(path, job));
	json_object_put(job);
}

TEST_F_TIMEOUT(heir, definition_that_is_gone_is_not_read_again, 90)
{
	FIXTURE_DATA(heirs) *base = &self->base;

	begin(base, SIDE_SOURCE);
	definition_say(base, "/no/such/definition");
	worker_kill(base->source, SIDE_SOURCE);
	arrives(base);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
