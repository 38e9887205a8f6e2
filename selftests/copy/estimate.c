// SPDX-License-Identifier: LGPL-2.1-or-later
/* estimate.c - what a round's numbers say about the next. */
#include "copy/estimate.h"
#include "harness.h"

#define MIB	(1ull << 20)
#define SECOND	1000000000ull

FIXTURE(round) { int unused; };
FIXTURE_VARIANT(round) {
	uint64_t sent, left_out, ns, dirty;	/* of 1024 MiB */
	uint64_t downtime_ns;
	enum outlook outlook;
};
FIXTURE_SETUP(round) {}
FIXTURE_TEARDOWN(round) {}

#define ROW(name, ...) FIXTURE_VARIANT_ADD(round, name) { __VA_ARGS__ };
/*	sent,       left out,  ns,         dirty,      downtime,    outlook */
ROW(nothing_dirtied,
	100 * MIB,  0,         SECOND,     0,          SECOND / 10, OUTLOOK_CONVERGED)
ROW(nothing_sent_and_nothing_dirtied,
	0,          0,         SECOND,     0,          SECOND / 10, OUTLOOK_CONVERGED)
ROW(left_just_fits,
	100 * MIB,  0,         SECOND,     9 * MIB,    SECOND / 10, OUTLOOK_CONVERGED)
ROW(no_downtime_and_nothing_left,
	100 * MIB,  0,         SECOND,     0,          0,           OUTLOOK_CONVERGED)
ROW(halved_each_round,
	100 * MIB,  0,         SECOND,     50 * MIB,   SECOND / 10, OUTLOOK_CONVERGING)
ROW(dirties_as_fast_as_it_sends,
	100 * MIB,  0,         SECOND,     100 * MIB,  SECOND / 10, OUTLOOK_HOPELESS)
ROW(dirties_faster,
	100 * MIB,  0,         SECOND,     300 * MIB,  SECOND / 10, OUTLOOK_HOPELESS)
ROW(gains_too_little_to_pay,
	500 * MIB,  0,         SECOND,     490 * MIB,  SECOND / 10, OUTLOOK_HOPELESS)
ROW(nothing_sent_and_something_left,
	0,          0,         SECOND,     MIB,        SECOND / 10, OUTLOOK_HOPELESS)
ROW(no_downtime_is_ever_short_enough,
	100 * MIB,  0,         SECOND,     50 * MIB,   0,           OUTLOOK_CONVERGING)
ROW(no_downtime_and_hardly_anything_gained,
	100 * MIB,  0,         SECOND,     99 * MIB,   0,           OUTLOOK_HOPELESS)
ROW(no_downtime_and_much_gained,
	100 * MIB,  0,         SECOND,     70 * MIB,   0,           OUTLOOK_CONVERGING)
ROW(round_took_no_time,
	100 * MIB,  0,         0,          MIB,        SECOND / 10, OUTLOOK_CONVERGED)
/* What is left out was to be sent when the round began. */
ROW(left_out_and_halved_all_the_same,
	50 * MIB,   50 * MIB,  SECOND / 2, 50 * MIB,   SECOND / 10, OUTLOOK_CONVERGING)
ROW(all_that_was_left_out_and_sent_is_dirty,
	50 * MIB,   50 * MIB,  SECOND / 2, 100 * MIB,  SECOND / 10, OUTLOOK_HOPELESS)
ROW(nothing_sent_all_left_out,
	0,          MIB,       SECOND,     MIB,        SECOND / 10, OUTLOOK_HOPELESS)
ROW(left_out_says_nothing_of_the_rate,
	10 * MIB,   90 * MIB,  SECOND / 2, 9 * MIB,    SECOND / 10, OUTLOOK_CONVERGING)

TEST_F(round, outlook_is_as_listed)
{
	struct round_result result = {
		.bytes = variant->sent,
		.pages = variant->sent,
		.ns = variant->ns,
		.dirty = variant->dirty,
		.left_out = variant->left_out,
	};

	EXPECT_EQ(variant->outlook,
		  estimate_outlook(&result, variant->downtime_ns,
				   1024 * MIB));
}

TEST(rates_are_bytes_a_second)
{
	struct round_result result = {
		.bytes = 10 * MIB, .pages = 200 * MIB, .dirty = 50 * MIB,
		.ns = SECOND / 2,
	};

	EXPECT_EQ(400 * MIB, estimate_rate(&result));
	EXPECT_EQ(100 * MIB, estimate_dirty_rate(&result));
}

/* Fails if a round of zeroes, the rest left out, makes a slow link seem fast. */
TEST(zeroes_say_nothing_of_the_rate_where_something_was_left_out)
{
	struct round_result result = {
		.pages = 200 * MIB, .data = 20 * MIB, .dirty = 10 * MIB, .left_out = 5 * MIB,
		.ns = SECOND,
	};

	EXPECT_EQ(20 * MIB, estimate_rate(&result));
	EXPECT_EQ(OUTLOOK_CONVERGING, estimate_outlook(&result, SECOND / 3, 1024 * MIB));
	EXPECT_EQ(OUTLOOK_CONVERGED, estimate_outlook(&result, SECOND / 2, 1024 * MIB));
	result.left_out = 0;
	EXPECT_EQ(200 * MIB, estimate_rate(&result));
}

TEST(round_of_no_time_has_no_infinite_rate)
{
	struct round_result nothing = { .pages = 0 };
	struct round_result something = { .pages = 1 };

	EXPECT_EQ(0, estimate_rate(&nothing));
	EXPECT_EQ(UINT64_MAX, estimate_rate(&something));
}

TEST_HARNESS_MAIN
