// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * silence.c - what is dropped on the way is noticed, and a long queue is not
 * taken for it.
 *
 * Nothing is closed or reset: from some moment on the segments of a connection,
 * or of all of them, do not come through. How long it took until that was told
 * is logged; what is asserted is by which rule it was noticed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/cut.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"

#define GUEST	"db"
#define TRIES	800	/* reports, a fifth of a second apart at most */
#define REPORTS	75
#define LONG_US	2500000	/* more than is a cut without a queue */
#define ELSEWHERE	"10.88.0.3"

/* Post-copy of 48 MiB that takes half a minute, until hurry(). */
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"postcopy_bandwidth\":1500000"
/* As fast as the link is. */
#define FULL_SPEED	"\"live\":true,\"postcopy\":true,\"rounds_max\":0"
/* Rounds that do not end by themselves. */
#define ROUNDS		"\"live\":true,\"bandwidth\":5000000"

FIXTURE(silence) {
	struct pair *pair;
	struct two_hosts *hosts;
	struct move move;
	struct fail fail;
	uint64_t cut_ns;
};

FIXTURE_SETUP(silence)
{
	const char *const guest[] = { "--workload", "random", "--working-set",
		"40M", "--rate", "20000", NULL };

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->hosts = self->pair->hosts;
	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(&self->hosts->source, GUEST, 40000, &self->fail));
	/* From here on it is to leave what is missing to the push lanes. */
	ASSERT_EQ(0, guest_set_rate(&self->hosts->source, GUEST, 200, true, false,
				    &self->fail));
}

FIXTURE_TEARDOWN(silence)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void set_out(FIXTURE_DATA(silence) *self, const char *options)
{
	ASSERT_EQ(0, move_start(&self->move, &self->hosts->source, GUEST,
				self->hosts->dest.address, options)) {
		TH_LOG("%s", self->move.error);
	}
}

static void past_go(FIXTURE_DATA(silence) *self)
{
	set_out(self, POST_COPY);
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

static void in_a_round(FIXTURE_DATA(silence) *self, const char *options)
{
	set_out(self, options);
	ASSERT_EQ(0, move_wait_round(&self->move, 1)) {
		TH_LOG("%s", self->move.error);
	}
}

static pid_t worker(const struct host *host)
{
	return host_worker(host, host->name);
}

static void drop(FIXTURE_DATA(silence) *self, enum cut_what what)
{
	ASSERT_EQ(0, cut_silently(worker(&self->hosts->source),
				  worker(&self->hosts->dest), what));
	self->cut_ns = now_ns();
}

static void log_time(const FIXTURE_DATA(silence) *self, const char *words)
{
	TH_LOG("after %.1f s: %s", (double)(now_ns() - self->cut_ns) / 1e9, words);
}

/* Until what is broken is told in these words; NULL: until nothing is. */
static bool told(FIXTURE_DATA(silence) *self, const char *words)
{
	struct progress *progress = &self->move.progress;
	int i;

	for (i = 0; i < TRIES; i++) {
		if (words ? strstr(progress->broken, words) != NULL : !progress->broken_ns)
			return true;
		if (move_next(&self->move))
			break;
	}
	TH_LOG("what was told last: '%s'", progress->broken);
	return false;
}

/* What was to be seen while lanes go on has been. */
static void hurry(FIXTURE_DATA(silence) *self)
{
	EXPECT_EQ(0, agent_ask(&self->hosts->source, NULL, &self->fail,
			       "{\"do\":\"bandwidth\",\"guest\":\"" GUEST "\",\"bytes\":0}")) {
		TH_LOG("%s", self->fail.text);
	}
}

static void arrives(FIXTURE_DATA(silence) *self)
{
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	crossing_arrived(self->pair, &self->hosts->dest, GUEST);
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_left(&self->hosts->source, GUEST, 0);
}

/* It ends with these words, and has left nothing behind. */
static void given_up(FIXTURE_DATA(silence) *self, const char *words)
{
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	log_time(self, self->move.error);
	EXPECT_NE(NULL, strstr(self->move.error, words));
	EXPECT_STREQ("RESUMED", self->move.state);
	EXPECT_TRUE(crossing_row_reaches(&self->hosts->dest, self->move.id, SIDE_DEST,
					 "DISCARDED"));
	crossing_undone(self->pair, GUEST);
}

/* The lanes go on, so it is not by their silence. */
TEST_F_TIMEOUT(silence, control_alone_is_noticed_past_go, 90)
{
	past_go(self);
	drop(self, CUT_CONTROL);
	EXPECT_TRUE(told(self, "control connection alone"));
	log_time(self, self->move.progress.broken);
	EXPECT_TRUE(told(self, NULL));
	EXPECT_LT(0, self->move.progress.missing_pages);
	hurry(self);
	arrives(self);
}

TEST_F_TIMEOUT(silence, push_lane_is_noticed_past_go, 90)
{
	past_go(self);
	drop(self, CUT_PUSH);
	EXPECT_TRUE(told(self, "lanes to"));
	log_time(self, self->move.progress.broken);
	EXPECT_NE(NULL, strstr(self->move.progress.broken, "acknowledged"));
	EXPECT_TRUE(told(self, NULL));
	EXPECT_EQ(1, self->move.progress.recoveries);
	hurry(self);
	arrives(self);
}

TEST_F_TIMEOUT(silence, control_alone_in_a_round_ends_the_migration, 90)
{
	in_a_round(self, ROUNDS);
	drop(self, CUT_CONTROL);
	given_up(self, "control connection alone");
}

TEST_F_TIMEOUT(silence, push_lane_in_a_round_ends_the_migration, 90)
{
	in_a_round(self, ROUNDS);
	drop(self, CUT_PUSH);
	given_up(self, "acknowledged");
}

/* A moment of it is no end, and whoever looks is told. */
TEST_F_TIMEOUT(silence, status_says_since_when_nothing_comes, 90)
{
	const char *const ask[] = { "status", GUEST, NULL };
	struct host *dest = &self->hosts->dest;
	const char *address = dest->address;
	char text[4096];

	in_a_round(self, ROUNDS);
	ASSERT_EQ(0, host_readdress(dest, ELSEWHERE, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	while (!self->move.progress.silent_ns && !move_next(&self->move))
		;
	EXPECT_EQ(0, pair_straddle(self->pair, &self->hosts->source, ask, text,
				   sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "nothing comes from the other host")) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, host_readdress(dest, address, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	while (self->move.progress.silent_ns && !move_next(&self->move))
		;
	EXPECT_FALSE(self->move.over) {
		TH_LOG("%s", self->move.error);
	}
	EXPECT_EQ(0, self->move.progress.broken_ns);
	ASSERT_EQ(0, agent_ask(&self->hosts->source, NULL, &self->fail,
			       "{\"do\":\"abort\",\"guest\":\"" GUEST "\"}"));
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_NE(NULL, strstr(self->move.error, "aborted")) {
		TH_LOG("%s", self->move.error);
	}
}

/*
 * Some seconds of bulk wait in front of a narrow place, and heartbeats behind
 * them. A rule that knows nothing of that takes it for a cut.
 */
TEST_F_TIMEOUT(silence, narrow_link_with_a_long_queue_is_no_cut, 120)
{
	static const struct net_rate narrow = {
		.rate = 400000, .burst = 16 << 10, .latency_us = 16000000,
	};
	int64_t longest = 0, now;
	int i;

	ASSERT_EQ(0, two_hosts_limit(self->hosts, &crossing_slow, &self->fail));
	set_out(self, FULL_SPEED);
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	ASSERT_EQ(0, net_limit_tbf(self->hosts->source.net, HOST_LINK, &narrow,
				   &self->fail));
	self->cut_ns = now_ns();
	/* For a while, and until the queue is as long as it is to be. */
	for (i = 0; (i < REPORTS || (longest < LONG_US && i < TRIES)) &&
		    !self->move.progress.broken_ns; i++) {
		ASSERT_EQ(0, move_next(&self->move));
		now = cut_round_trip(worker(&self->hosts->source), CUT_PUSH);
		longest = now > longest ? now : longest;
	}
	EXPECT_EQ(0, self->move.progress.broken_ns) {
		log_time(self, self->move.progress.broken);
	}
	TH_LOG("round trip of up to %.1f s", (double)longest / 1e6);
	EXPECT_LT(LONG_US, longest);
	/* What waits in the queue is lost with it, and may cost a recovery. */
	ASSERT_EQ(0, net_limit_none(self->hosts->source.net, HOST_LINK, &self->fail));
	arrives(self);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
