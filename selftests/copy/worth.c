// SPDX-License-Identifier: LGPL-2.1-or-later
/* worth.c - what runs took, and how the next ones go. */
#include "copy/worth.h"
#include "harness.h"

#define RUN	(256ull << 10)
#define RUNS	20000
#define US	1000ull

FIXTURE(worth) {
	struct worth worth;
	unsigned int packed;		/* runs that were */
	unsigned int packed_last;	/* of the last half of them */
};

/* What a run takes on either way. */
FIXTURE_VARIANT(worth) {
	uint64_t plain_us, plain_waits_us;
	uint64_t packed_us, packed_waits_us;
	unsigned int least, most;	/* of a hundred that are packed in the end */
	unsigned int most_all;		/* and of all that were */
};

/* 1 Gbit/s: a run is 2.2 ms of it, packed to less than half. */
FIXTURE_VARIANT_ADD(worth, slow_link) { 2200, 1900, 900, 100, 90, 99, 100 };
/* So slow that it is waited for packed, too. */
FIXTURE_VARIANT_ADD(worth, slower_link) { 22000, 21700, 9000, 8000, 90, 99, 100 };
/* Never waited for: not even tried. */
FIXTURE_VARIANT_ADD(worth, fast_link) { 400, 50, 1200, 0, 0, 0, 0 };
/* It is the dest that is waited for: tried, and seldom. */
FIXTURE_VARIANT_ADD(worth, busy_dest) { 600, 400, 900, 300, 0, 2, 3 };
/* It takes the processor and gains next to nothing. */
FIXTURE_VARIANT_ADD(worth, as_fast_either_way) { 2200, 1900, 2100, 1000, 0, 2, 3 };
/* Nothing gets smaller. */
FIXTURE_VARIANT_ADD(worth, random_memory) { 2200, 1900, 2200, 1700, 0, 2, 3 };

FIXTURE_SETUP(worth)
{
	worth_init(&self->worth);
}
FIXTURE_TEARDOWN(worth)
{
	worth_fini(&self->worth);
}

static struct worth_run run_of(const FIXTURE_VARIANT(worth) *variant, bool packs)
{
	return packs ? (struct worth_run){ RUN, variant->packed_us * US,
					   variant->packed_waits_us * US, true }
		     : (struct worth_run){ RUN, variant->plain_us * US,
					   variant->plain_waits_us * US, false };
}

static void runs_pass(FIXTURE_DATA(worth) *self, const FIXTURE_VARIANT(worth) *variant)
{
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		bool packs = worth_packs(&self->worth);
		struct worth_run run = run_of(variant, packs);

		self->packed += packs;
		self->packed_last += i >= RUNS / 2 && packs;
		worth_note(&self->worth, &run);
	}
}

TEST_F(worth, faster_way_is_gone)
{
	runs_pass(self, variant);
	EXPECT_LE(variant->least * RUNS / 200, self->packed_last);
	EXPECT_GE(variant->most * RUNS / 200, self->packed_last);
	EXPECT_GE(variant->most_all * RUNS / 100, self->packed);
}

/* ---- one of each --------------------------------------------------------- */

/* How many runs go the same way, up to the first that does not. */
static unsigned int stretch(struct worth *worth, uint64_t plain_ns, uint64_t packed_ns)
{
	bool packs = worth->packs;
	unsigned int runs = 0;

	while (worth->packs == packs && runs < 10 * WORTH_REST_MAX) {
		uint64_t ns = packs ? packed_ns : plain_ns;
		struct worth_run run = { RUN, ns, ns, packs };

		worth_note(worth, &run);
		runs++;
	}
	return runs;
}

/* @packed_ns: how slow, for a trial of @trial runs that is in vain. */
static void rests_grow(uint64_t packed_ns, unsigned int trial)
{
	struct worth worth;
	unsigned int rest;

	worth_init(&worth);
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 100, packed_ns));
	for (rest = 4 * WORTH_REST; rest < WORTH_REST_MAX; rest *= 4) {
		EXPECT_EQ(trial, stretch(&worth, 100, packed_ns));
		EXPECT_EQ(rest, stretch(&worth, 100, packed_ns));
	}
	EXPECT_EQ(trial, stretch(&worth, 100, packed_ns));
	EXPECT_EQ(WORTH_REST_MAX, stretch(&worth, 100, packed_ns));
	EXPECT_EQ(trial, stretch(&worth, 100, packed_ns));
	EXPECT_EQ(WORTH_REST_MAX, stretch(&worth, 100, packed_ns));
	worth_fini(&worth);
}

TEST(after_each_trial_in_vain_the_rest_is_longer)
{
	rests_grow(110, WORTH_TRIAL);
}

TEST(trial_that_is_hopeless_is_short)
{
	rests_grow(200, WORTH_HOPELESS);
}

/* The trial goes on; then each looks at the other as seldom. */
TEST(trial_that_won_goes_on)
{
	struct worth worth;

	worth_init(&worth);
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 200, 100));
	EXPECT_EQ(WORTH_TRIAL + WORTH_REST, stretch(&worth, 200, 100));
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 200, 100));
	EXPECT_EQ(4 * WORTH_REST, stretch(&worth, 200, 100));
	/* The link became wide: plain is found to be better, and stays. */
	EXPECT_EQ(WORTH_TRIAL + WORTH_REST, stretch(&worth, 50, 100));
	EXPECT_TRUE(worth.tries && worth.packs);
	worth_fini(&worth);
}

TEST(zeroes_say_nothing)
{
	struct worth worth;
	struct worth_run zeroes = { 0, 1000, 1000, false };
	unsigned int i;

	worth_init(&worth);
	for (i = 0; i < 10 * WORTH_REST_MAX; i++)
		worth_note(&worth, &zeroes);
	EXPECT_FALSE(worth.packs);
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 200, 100));
	worth_fini(&worth);
}

/* Runs that only fill a buffer are quick, and do not decide for plain. */
TEST(first_plain_runs_of_a_trial_do_not_count)
{
	struct worth worth;
	unsigned int i;

	worth_init(&worth);
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 200, 100));
	EXPECT_EQ(WORTH_TRIAL + WORTH_REST, stretch(&worth, 200, 100));
	for (i = 0; i < WORTH_TRIAL - WORTH_MEASURED; i++)
		worth_note(&worth, &(struct worth_run){ RUN, 1, 0, false });
	for (i = 0; i < WORTH_MEASURED; i++)
		worth_note(&worth, &(struct worth_run){ RUN, 140, 140, false });
	EXPECT_TRUE(worth_packs(&worth));
	worth_fini(&worth);
}

/* Many lanes: each has a run on its way when one of them takes the other way. */
TEST(plain_runs_that_end_in_a_trial_do_not_count)
{
	struct worth worth;
	unsigned int i;

	worth_init(&worth);
	EXPECT_EQ(WORTH_TRIAL, stretch(&worth, 200, 100));
	for (i = 0; i < 2 * WORTH_TRIAL; i++)
		worth_note(&worth, &(struct worth_run){ RUN, 2000, 2000, false });
	EXPECT_TRUE(worth_packs(&worth));
	EXPECT_EQ(WORTH_TRIAL + WORTH_REST, stretch(&worth, 200, 100));
	worth_fini(&worth);
}

TEST_HARNESS_MAIN
