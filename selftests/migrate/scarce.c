/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scarce.c - descriptors or memory run out, in a worker or an agent.
 *
 * What can go on without goes on. What cannot ends, and says of what there was
 * too little; the guest is whole, in one place, and nothing is left elsewhere.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "crossing.h"
#include "harness.h"
#include "sys.h"

#define POLLED	12	/* descriptors, by a worker */

enum where { AT_SOURCE, AT_DEST };
enum phase_at { IN_A_ROUND, AFTER_THE_STOP, PAST_GO };

FIXTURE(scarce) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(scarce) {
	enum where where;
	enum __rlimit_resource what;
	enum phase_at at;
};

#define CELL(name, ...) FIXTURE_VARIANT_ADD(scarce, name) { __VA_ARGS__ }

CELL(source_files_round, AT_SOURCE, RLIMIT_NOFILE, IN_A_ROUND);
CELL(source_files_stopped, AT_SOURCE, RLIMIT_NOFILE, AFTER_THE_STOP);
CELL(source_files_go, AT_SOURCE, RLIMIT_NOFILE, PAST_GO);
CELL(dest_files_round, AT_DEST, RLIMIT_NOFILE, IN_A_ROUND);
CELL(dest_files_stopped, AT_DEST, RLIMIT_NOFILE, AFTER_THE_STOP);
CELL(dest_files_go, AT_DEST, RLIMIT_NOFILE, PAST_GO);
CELL(source_memory_round, AT_SOURCE, RLIMIT_AS, IN_A_ROUND);
CELL(source_memory_stopped, AT_SOURCE, RLIMIT_AS, AFTER_THE_STOP);
CELL(source_memory_go, AT_SOURCE, RLIMIT_AS, PAST_GO);
CELL(dest_memory_round, AT_DEST, RLIMIT_AS, IN_A_ROUND);
CELL(dest_memory_stopped, AT_DEST, RLIMIT_AS, AFTER_THE_STOP);
CELL(dest_memory_go, AT_DEST, RLIMIT_AS, PAST_GO);

static const struct {
	const char *options;
	enum owner_state state;		/* of the source */
} phases[] = {
	[IN_A_ROUND] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":1",
		STATE_PERFORMING },
	[AFTER_THE_STOP] = { "\"live\":false", STATE_STOPPED },
	[PAST_GO] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		STATE_HELD },
};

FIXTURE_SETUP(scarce)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, &crossing_slow,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->move.fd = -1;
	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
}

FIXTURE_TEARDOWN(scarce)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* With this limit no further descriptor is to be had. */
static rlim_t files_used(pid_t pid)
{
	char path[64], target[8];
	rlim_t fd = 0;

	do {
		snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid,
			 (unsigned int)fd++);
	} while (sys_ret(readlink(path, target, sizeof(target))) >= 0);
	return fd - 1;
}

/* Not one more descriptor, not one more mapping. */
static void take_away(pid_t pid, enum __rlimit_resource what,
		      struct rlimit *before)
{
	struct rlimit now;

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, sys_ret(prlimit(pid, what, NULL, before)));
	now = *before;
	now.rlim_cur = 1 << 20;
	if (what == RLIMIT_NOFILE)
		now.rlim_cur = files_used(pid);
	/* poll(2) refuses to look at more than that. */
	if (what == RLIMIT_NOFILE && now.rlim_cur < POLLED)
		now.rlim_cur = POLLED;
	ASSERT_EQ(0, sys_ret(prlimit(pid, what, &now, NULL)));
}

static void give_back(pid_t pid, enum __rlimit_resource what,
		      const struct rlimit *before)
{
	ASSERT_EQ(0, sys_ret(prlimit(pid, what, before, NULL)));
}

static void in_one_place(FIXTURE_DATA(scarce) *self, bool arrived)
{
	if (arrived) {
		EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
						 SIDE_SOURCE, "TORN_DOWN"));
		EXPECT_TRUE(crossing_row_reaches(self->dest, self->move.id,
						 SIDE_DEST, "DONE"));
		crossing_arrived(self->pair, self->dest, "db");
		crossing_left(self->source, "db", 0);
		return;
	}
	EXPECT_TRUE(strlen(self->move.error));
	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, "RESUMED"));
	EXPECT_TRUE(crossing_row_reaches(self->dest, self->move.id, SIDE_DEST,
					 "DISCARDED"));
	crossing_undone(self->pair, "db");
}

TEST_F_TIMEOUT(scarce, worker_leaves_the_guest_in_one_place, 90)
{
	bool source = variant->where == AT_SOURCE;
	struct rlimit before;
	pid_t worker;
	int ret;

	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address,
				phases[variant->at].options));
	ASSERT_EQ(0, move_wait_state(&self->move, phases[variant->at].state)) {
		TH_LOG("%s", self->move.error);
	}
	if (variant->at != PAST_GO)
		ASSERT_EQ(0, move_wait_round(&self->move, 1));
	worker = host_worker(source ? self->source : self->dest,
			     source ? "source" : "dest");
	take_away(worker, variant->what, &before);
	/* Held for want of it, perhaps without a word, it goes on afterwards. */
	if (variant->at == PAST_GO) {
		poll(NULL, 0, 1000);
		(void)prlimit(worker, variant->what, &before, NULL);
	}
	ret = move_wait(&self->move);
	TH_LOG("%s", ret ? self->move.error : "arrived");
	if (variant->at == PAST_GO)
		EXPECT_EQ(0, ret);
	in_one_place(self, !ret);
}

TEST(agent_without_descriptors_says_so_and_goes_on)
{
	struct rlimit before, now;
	rlim_t used;
	struct pair *pair;
	struct fail fail = { 0 };
	struct move move;

	signal(SIGPIPE, SIG_IGN);	/* it closes before it has read */
	ASSERT_EQ(0, pair_create(&pair, PAIR_PLAIN, NULL, &fail));
	crossing_guest(pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, sys_ret(prlimit(pair->source_agent, RLIMIT_NOFILE, NULL,
				     &before)));
	now = before;
	/* A client's connection, and no more: a worker takes several. */
	used = files_used(pair->source_agent);
	now.rlim_cur = used + 1;
	give_back(pair->source_agent, RLIMIT_NOFILE, &now);
	EXPECT_NE(0, move_start(&move, &pair->hosts->source, "db",
				pair->hosts->dest.address, "\"live\":true"));
	TH_LOG("%s", move.error);
	EXPECT_TRUE(strstr(move.error, "oo many open files"));
	move_end(&move);
	/* Not even that: whoever connects is told. */
	now.rlim_cur = used;
	give_back(pair->source_agent, RLIMIT_NOFILE, &now);
	EXPECT_EQ(-EMFILE, agent_ask(&pair->hosts->source, NULL, &fail,
				     "{\"do\":\"status\"}")) {
		TH_LOG("%s", fail.text);
	}
	give_back(pair->source_agent, RLIMIT_NOFILE, &before);
	EXPECT_EQ(0, agent_ask(&pair->hosts->source, NULL, &fail,
			       "{\"do\":\"status\"}"));
	EXPECT_EQ(0, move_run(&move, &pair->hosts->source, "db",
			      pair->hosts->dest.address, "\"live\":true"));
	crossing_arrived(pair, &pair->hosts->dest, "db");
	move_end(&move);
	pair_destroy(pair);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
