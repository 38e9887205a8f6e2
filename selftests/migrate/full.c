// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * full.c - no room for the journal or for what workers leave, in each phase.
 *
 * While the disk is full the guest runs where it should, and nothing is done
 * that had to be written first. When there is room again everything ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "crossing.h"
#include "harness.h"
#include "lib/directory.h"
#include "lib/process.h"
#include "sys.h"

#define TRIES	400	/* 25 ms apart */
#define TRY_MS	25

enum where { AT_SOURCE, AT_DEST };
enum dir { STATE_DIR, RUN_DIR };
enum phase_at { BEFORE, IN_A_ROUND, AFTER_THE_STOP, PAST_GO };

FIXTURE(full) {
	struct pair *pair;
	struct host *source, *dest, *host;
	struct move move;
	struct fail fail;
	char dir[160];		/* on a small file system */
	bool skipped;
};

FIXTURE_VARIANT(full) {
	enum where where;
	enum dir dir;
	enum phase_at at;
};

#define CELL(name, ...) FIXTURE_VARIANT_ADD(full, name) { __VA_ARGS__ }

CELL(source_state_before, AT_SOURCE, STATE_DIR, BEFORE);
CELL(source_state_round, AT_SOURCE, STATE_DIR, IN_A_ROUND);
CELL(source_state_stopped, AT_SOURCE, STATE_DIR, AFTER_THE_STOP);
CELL(source_state_go, AT_SOURCE, STATE_DIR, PAST_GO);
CELL(dest_state_before, AT_DEST, STATE_DIR, BEFORE);
CELL(dest_state_round, AT_DEST, STATE_DIR, IN_A_ROUND);
CELL(dest_state_stopped, AT_DEST, STATE_DIR, AFTER_THE_STOP);
CELL(dest_state_go, AT_DEST, STATE_DIR, PAST_GO);
CELL(source_run_before, AT_SOURCE, RUN_DIR, BEFORE);
CELL(source_run_round, AT_SOURCE, RUN_DIR, IN_A_ROUND);
CELL(source_run_stopped, AT_SOURCE, RUN_DIR, AFTER_THE_STOP);
CELL(source_run_go, AT_SOURCE, RUN_DIR, PAST_GO);
CELL(dest_run_before, AT_DEST, RUN_DIR, BEFORE);
CELL(dest_run_round, AT_DEST, RUN_DIR, IN_A_ROUND);
CELL(dest_run_stopped, AT_DEST, RUN_DIR, AFTER_THE_STOP);
CELL(dest_run_go, AT_DEST, RUN_DIR, PAST_GO);

static const struct {
	const char *options;
	enum owner_state state;		/* of the source */
} phases[] = {
	[BEFORE] = { "\"live\":true,\"postcopy\":true", STATE_NONE },
	[IN_A_ROUND] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":1",
		STATE_PERFORMING },
	[AFTER_THE_STOP] = { "\"live\":false", STATE_STOPPED },
	[PAST_GO] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		STATE_HELD },
};

/* The agent anew, with a small file system under one of its folders. */
static void shrink(FIXTURE_DATA(full) *self, pid_t *agent)
{
	char size[64];

	ASSERT_EQ(0, kill(*agent, SIGTERM));
	process_wait(*agent, -1);
	snprintf(size, sizeof(size), "size=8m,mode=0700");
	ASSERT_EQ(0, sys_ret(mount("straddle-test", self->dir, "tmpfs", 0,
				   size)));
	*agent = pair_start_agent(self->pair, self->host, &self->fail);
	ASSERT_LT(0, *agent) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_SETUP(full)
{
	bool source = variant->where == AT_SOURCE;
	int ret = mounts_of_own();

	self->move.fd = -1;
	self->skipped = ret == -EPERM;
	if (self->skipped)
		SKIP(return, "a mount namespace of its own needs root");
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, &crossing_slow,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->host = source ? self->source : self->dest;
	snprintf(self->dir, sizeof(self->dir), "%s", variant->dir == STATE_DIR
		 ? self->host->state_dir : self->host->run_dir);
	shrink(self, source ? &self->pair->source_agent
			    : &self->pair->dest_agent);
	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
}

FIXTURE_TEARDOWN(full)
{
	if (self->skipped)
		return;
	move_end(&self->move);
	pair_destroy(self->pair);
	(void)sys_ret(umount2(self->dir, MNT_DETACH));
}

static void fill(FIXTURE_DATA(full) *self)
{
	ASSERT_EQ(0, directory_fill(self->dir));
}

static void make_room(FIXTURE_DATA(full) *self)
{
	ASSERT_EQ(0, directory_make_room(self->dir));
}

static int start(FIXTURE_DATA(full) *self, enum phase_at at)
{
	return move_start(&self->move, self->source, "db", self->dest->address,
			  phases[at].options);
}

/* It says that it was the disk, on whichever host that is. */
static void told(FIXTURE_DATA(full) *self)
{
	EXPECT_TRUE(strstr(self->move.error, "space")) {
		TH_LOG("it says: %s", self->move.error);
	}
}

static void goes_on(FIXTURE_DATA(full) *self)
{
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	told(self);
	/* Not only when there is room again. */
	EXPECT_EQ(0, guest_run_on(self->source, "db", 2, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	make_room(self);
	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, "RESUMED"));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->move.id, SIDE_DEST,
					 "DISCARDED"));
	crossing_undone(self->pair, "db");
}

/*
 * The dest can promise nothing, so the source asks on, and nobody runs it. It is
 * told where that is, and ends with the disk's being mended.
 */
static void is_held(FIXTURE_DATA(full) *self)
{
	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, "ASKED"));
	make_room(self);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
}

/* Nobody can take its place, and who asks is told why. */
static void worker_dies(FIXTURE_DATA(full) *self, enum side side)
{
	const char *const ask[] = { "status", "db", NULL };
	char text[4096] = "";
	int i;

	ASSERT_EQ(0, kill(host_worker(self->host, side_name(side)), SIGKILL));
	for (i = 0; i < TRIES && !strstr(text, strerror(ENOSPC)); i++) {
		poll(NULL, 0, TRY_MS);
		EXPECT_EQ(0, pair_straddle(self->pair, self->host, ask, text, sizeof(text)));
	}
	EXPECT_TRUE(strstr(text, self->dir)) {
		TH_LOG("%s", text);
	}
}

static void runs_there(FIXTURE_DATA(full) *self)
{
	EXPECT_EQ(0, guest_run_on(self->dest, "db", 2, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

static void arrives(FIXTURE_DATA(full) *self)
{
	make_room(self);
	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, "TORN_DOWN"));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->move.id, SIDE_DEST,
					 "DONE"));
	crossing_arrived(self->pair, self->dest, "db");
	crossing_left(self->source, "db", 0);
}

/* It has not begun: no row, or one that has ended. */
static void refused(FIXTURE_DATA(full) *self)
{
	fill(self);
	if (!start(self, BEFORE))
		EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	told(self);
	EXPECT_EQ(0, guest_run_on(self->source, "db", 2, &self->fail));
	make_room(self);
	crossing_undone(self->pair, "db");
	move_end(&self->move);
	EXPECT_EQ(0, start(self, BEFORE));
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
}

static void strike(FIXTURE_DATA(full) *self, enum phase_at at)
{
	ASSERT_EQ(0, start(self, at)) {
		TH_LOG("%s", self->move.error);
	}
	ASSERT_EQ(0, move_wait_state(&self->move, phases[at].state)) {
		TH_LOG("%s", self->move.error);
	}
	if (at != PAST_GO)
		ASSERT_EQ(0, move_wait_round(&self->move, 1));
	fill(self);
}

/*
 * What lies in the run directory is written before GO; at the dest, all of it
 * in Prepare but the testament.
 */
TEST_F_TIMEOUT(full, disk_leaves_the_guest_where_it_should_be, 120)
{
	if (self->skipped)
		return;
	if (variant->at == BEFORE) {
		refused(self);
		return;
	}
	strike(self, variant->at);
	if (variant->at == PAST_GO)
		runs_there(self);
	if (variant->at == PAST_GO && variant->dir == RUN_DIR)
		worker_dies(self, variant->where == AT_SOURCE ? SIDE_SOURCE : SIDE_DEST);
	if (variant->at == PAST_GO)
		arrives(self);
	else if (variant->where == AT_DEST && variant->dir == STATE_DIR)
		is_held(self);
	else
		goes_on(self);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
