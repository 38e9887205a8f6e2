// SPDX-License-Identifier: LGPL-2.1-or-later
/* options.c - options of a migration do what they say. */
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "sys.h"

#define MIB		(1u << 20)
#define SECOND		1000000000.0

FIXTURE(options) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
};

FIXTURE_SETUP(options)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
}

FIXTURE_TEARDOWN(options)
{
	pair_destroy(self->pair);
}

static void slow_down(FIXTURE_DATA(options) *self)
{
	ASSERT_EQ(0, two_hosts_limit(self->pair->hosts, &crossing_slow,
				     &self->fail));
}

/* A whole migration that ends well; what it said last is in @move. */
static void migrate(FIXTURE_DATA(options) *self, const char *options,
		    struct move *move)
{
	ASSERT_EQ(0, move_run(move, self->source, "db", self->dest->address,
			      options)) {
		TH_LOG("%s", move->error);
	}
	crossing_rows(self->pair, move->id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
	crossing_left(self->source, "db", 0);
}

static uint64_t late_bytes(const struct move *move)
{
	return move->progress.push_bytes + move->progress.fault_bytes;
}

/*
 * Bytes and time are both the source's, told together: from the first report
 * of the round to the last one in it. A report is taken while blocks are on
 * their way, so that the longer it goes the less they weigh.
 */
TEST_F_TIMEOUT(options, bandwidth_holds_within_5_percent, 60)
{
	const double limit = 14.0 * MIB;
	struct progress first = { .round = 0 }, last = { .round = 0 };
	double rate, seconds;
	struct move move;

	crossing_guest(self->pair, "db", (const char *const[]){
		"--workload", "sequential", "--rate", "20000", NULL });
	ASSERT_EQ(0, guest_run_on(self->source, "db", 20000, &self->fail));
	/* What it writes from now on would be left out of the round. */
	ASSERT_EQ(0, guest_set_rate(self->source, "db", 10, true, false,
				    &self->fail));
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"postcopy\":true,"
				"\"rounds_max\":1,\"bandwidth\":14680064"));
	while (!move_next(&move) && move.progress.round < 2 &&
	       move.progress.state <= STATE_PERFORMING) {
		if (move.progress.round_bytes < 2 * MIB)
			continue;
		if (!first.round)
			first = move.progress;
		if (!*move.progress.note)
			last = move.progress;
	}
	EXPECT_EQ(0, move_wait(&move));
	move_end(&move);
	seconds = (double)(last.total_ns - first.total_ns) / SECOND;
	ASSERT_LE(2, (long)seconds);
	rate = (double)(last.round_bytes - first.round_bytes) / seconds;
	EXPECT_LE((long)(0.95 * limit), (long)rate);
	EXPECT_GE((long)(1.05 * limit), (long)rate);
	crossing_arrived(self->pair, self->dest, "db");
}

/* What the guest waits for is not limited, so it waits for next to nothing. */
TEST_F_TIMEOUT(options, postcopy_bandwidth_is_one_of_its_own, 60)
{
	struct move move;

	crossing_guest(self->pair, "db", (const char *const[]){
		"--workload", "sequential", "--rate", "20000", NULL });
	ASSERT_EQ(0, guest_run_on(self->source, "db", 20000, &self->fail));
	ASSERT_EQ(0, guest_set_rate(self->source, "db", 10, true, false,
				    &self->fail));
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"postcopy\":true,"
				"\"rounds_max\":0,\"bandwidth\":1073741824,"
				"\"postcopy_bandwidth\":2097152"));
	ASSERT_EQ(0, move_wait_state(&move, STATE_HELD));
	/* It is still on its way when a limit of the first kind is over. */
	while (!move_next(&move) && move.progress.push_bytes < 2 * MIB)
		;
	EXPECT_GT(8 * MIB, move.progress.push_bytes);
	EXPECT_EQ(STATE_HELD, move.progress.state);
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"bandwidth\",\"guest\":\"db\","
			       "\"bytes\":0}"));
	EXPECT_EQ(0, move_wait(&move));
	move_end(&move);
	crossing_arrived(self->pair, self->dest, "db");
}

TEST_F(options, bandwidth_can_be_lifted_while_it_runs)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"postcopy\":true,"
				"\"rounds_max\":1,\"bandwidth\":65536"));
	ASSERT_EQ(0, move_wait_round(&move, 1));
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"bandwidth\",\"guest\":\"db\","
			       "\"bytes\":0}"));
	EXPECT_EQ(0, move_wait(&move));
	move_end(&move);
	crossing_arrived(self->pair, self->dest, "db");
}

TEST_F_TIMEOUT(options, timeout_suspend_stops_the_guest, 60)
{
	struct move move;

	slow_down(self);
	crossing_guest(self->pair, "db", NO_OPTIONS);
	migrate(self, "\"live\":true,\"timeout_ns\":500000000,"
		"\"timeout_action\":\"suspend\"", &move);
	EXPECT_NE(NULL, strstr(move.progress.note, "time is up, stopping"));
	EXPECT_EQ(0, late_bytes(&move));
}

TEST_F_TIMEOUT(options, timeout_postcopy_switches, 60)
{
	struct move move;

	slow_down(self);
	crossing_guest(self->pair, "db", NO_OPTIONS);
	migrate(self, "\"live\":true,\"timeout_ns\":500000000,"
		"\"timeout_action\":\"postcopy\",\"postcopy\":true", &move);
	EXPECT_NE(NULL, strstr(move.progress.note, "time is up, switching"));
	EXPECT_LT(0, late_bytes(&move));
}

TEST_F_TIMEOUT(options, postcopy_after_precopy_switches_after_one_round, 60)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	migrate(self, "\"live\":true,\"postcopy\":true,"
		"\"postcopy_after_precopy\":true", &move);
	EXPECT_EQ(1, move.progress.round);
	EXPECT_NE(NULL, strstr(move.progress.note, "after pre-copy"));
}

/* Fails if a round sends what it would have to send again. */
TEST_F_TIMEOUT(options, what_is_written_again_before_its_turn_is_left_out, 60)
{
	struct move move;

	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "96M", "--workload", "sequential", NULL });
	ASSERT_EQ(0, guest_run_on(self->source, "db", 20000, &self->fail));
	migrate(self, "\"live\":true,\"postcopy\":true,\"rounds_max\":1,"
		"\"bandwidth\":33554432", &move);
	EXPECT_LT(16 * MIB, move.progress.round_bytes);
	EXPECT_LT(0, move.progress.left_out_bytes);
	EXPECT_NE(NULL, strstr(move.progress.note, "before their turn"));
}

TEST_F_TIMEOUT(options, precopy_rounds_bounds_them, 60)
{
	struct move move;

	slow_down(self);
	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "24M", NULL });
	migrate(self, "\"live\":true,\"rounds_max\":2", &move);
	EXPECT_EQ(3, move.progress.round);	/* and the last, stopped */
	EXPECT_NE(NULL, strstr(move.progress.note, "no more rounds"));
}

TEST_F_TIMEOUT(options, postcopy_command_switches_in_the_middle_of_a_round, 60)
{
	struct move move;

	slow_down(self);
	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true"));
	ASSERT_EQ(0, move_wait_round(&move, 1));
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"postcopy\",\"guest\":\"db\"}"));
	EXPECT_EQ(0, move_wait(&move));
	move_end(&move);
	EXPECT_EQ(1, move.progress.round);
	EXPECT_NE(NULL, strstr(move.progress.note, "as asked"));
	EXPECT_LT(0, late_bytes(&move));
	crossing_arrived(self->pair, self->dest, "db");
}

TEST_F(options, guest_that_is_not_live_stands_still_before_the_first_round)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	migrate(self, "\"live\":false", &move);
	EXPECT_EQ(1, move.progress.round);
	EXPECT_EQ(0, late_bytes(&move));
}

TEST_F(options, paused_guest_stays_paused_and_goes_on_when_resumed)
{
	struct guest_stats before, after;
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, guest_verb(self->source, "db", "pause", &self->fail));
	ASSERT_EQ(0, guest_stats_get(self->source, "db", &before, &self->fail));
	ASSERT_EQ(0, move_run(&move, self->source, "db", self->dest->address,
			      "\"live\":true,\"postcopy\":true,"
			      "\"rounds_max\":0"));
	EXPECT_EQ(0, host_settle(self->dest));
	ASSERT_EQ(0, guest_stats_get(self->dest, "db", &after, &self->fail));
	EXPECT_STREQ("paused", after.state);
	EXPECT_EQ(before.ticks, after.ticks);
	ASSERT_EQ(0, guest_verb(self->dest, "db", "resume", &self->fail));
	crossing_arrived(self->pair, self->dest, "db");
}

TEST_F_TIMEOUT(options, sixteen_vcpus_and_handover, 60)
{
	struct move move;

	crossing_guest(self->pair, "db", (const char *const[]){
		"--vcpus", "16", NULL });
	migrate(self, "\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
		"\"fault_lanes\":8,\"push_lanes\":3,\"handover\":true", &move);
	EXPECT_LT(0, late_bytes(&move));
}

TEST_F_TIMEOUT(options, there_and_back_and_there_again, 60)
{
	const char *options = "\"live\":true,\"postcopy\":true,"
			      "\"rounds_max\":1";
	struct move move;
	int hop;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	for (hop = 0; hop < 3; hop++) {
		const struct host *from = hop % 2 ? self->dest : self->source;
		const struct host *to = hop % 2 ? self->source : self->dest;

		ASSERT_EQ(0, move_run(&move, from, "db", to->address,
				      options)) {
			TH_LOG("%s", move.error);
		}
		crossing_arrived(self->pair, to, "db");
		crossing_left(from, "db", 0);
	}
}

/* Two at once: from here both, and then one in each direction. */
TEST_F_TIMEOUT(options, migrations_do_not_disturb_each_other, 60)
{
	const char *options = "\"live\":true,\"postcopy\":true,"
			      "\"rounds_max\":1";
	const char *back = self->source->address, *there = self->dest->address;
	struct move a, b;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	crossing_guest(self->pair, "web", NO_OPTIONS);
	EXPECT_EQ(0, move_start(&a, self->source, "db", there, options));
	EXPECT_EQ(0, move_start(&b, self->source, "web", there, options));
	EXPECT_EQ(0, move_wait(&a));
	EXPECT_EQ(0, move_wait(&b));
	move_end(&a);
	move_end(&b);
	EXPECT_EQ(0, host_settle(self->dest));
	EXPECT_EQ(0, guest_run_on(self->dest, "db", 20, &self->fail));
	ASSERT_EQ(0, move_run(&a, self->dest, "db", back, options));
	EXPECT_EQ(0, move_start(&a, self->source, "db", there, options));
	EXPECT_EQ(0, move_start(&b, self->dest, "web", back, options));
	EXPECT_EQ(0, move_wait(&a));
	EXPECT_EQ(0, move_wait(&b));
	move_end(&a);
	move_end(&b);
	EXPECT_EQ(2, witness_owners(self->pair));	/* of two guests */
	EXPECT_TRUE(guest_exists(self->dest, "db"));
	EXPECT_TRUE(guest_exists(self->source, "web"));
	crossing_left(self->source, "db", 1);
	crossing_left(self->dest, "web", 1);
}

TEST_F(options, native_engine_is_for_libvirts_guests)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	EXPECT_EQ(-ECANCELED, move_run(&move, self->source, "db",
				       self->dest->address,
				       "\"live\":true,\"engine\":\"native\""));
	EXPECT_NE(NULL, strstr(move.error, "none of libvirt's")) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "", "");
	crossing_undone(self->pair, "db");
}

/* Nor does auto take libvirt for one that straddle cannot move either. */
TEST_F(options, auto_engine_falls_back_to_nobody)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	EXPECT_EQ(-ECANCELED, move_run(&move, self->source, "db", "127.0.0.1:1",
				       "\"live\":true,\"engine\":\"auto\""));
	EXPECT_EQ(ENGINE_STRADDLE, move.progress.engine);
	crossing_rows(self->pair, move.id, "RESUMED", "");
	crossing_undone(self->pair, "db");
}

TEST_F(options, auto_engine_is_ours_where_we_can)
{
	struct move move;

	crossing_guest(self->pair, "db", NO_OPTIONS);
	migrate(self, "\"live\":true,\"postcopy\":true,\"rounds_max\":1,"
		"\"engine\":\"auto\"", &move);
	EXPECT_EQ(ENGINE_STRADDLE, move.progress.engine);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
