// SPDX-License-Identifier: LGPL-2.1-or-later
/* histogram.c - quantiles are right within a step of an octave. */
#include "copy/stats.h"
#include "harness.h"

static struct histogram histogram;

TEST(empty_histogram_says_zero)
{
	EXPECT_EQ(0, histogram_quantile(&histogram, 0.5));
}

TEST(one_value_is_every_quantile_within_a_ninth)
{
	uint64_t value;

	for (value = 1; value < UINT64_MAX / 10; value += value / 3 + 1) {
		uint64_t said;

		histogram = (struct histogram){ { 0 } };
		histogram_add(&histogram, value);
		said = histogram_quantile(&histogram, 0.5);
		ASSERT_GE(said, value);
		ASSERT_LE(said - value, value / 8 + 1);
		EXPECT_EQ(said, histogram_quantile(&histogram, 0.01));
		EXPECT_EQ(said, histogram_quantile(&histogram, 1.0));
	}
}

TEST(extreme_values_have_a_bin)
{
	histogram_add(&histogram, 0);
	EXPECT_EQ(0, histogram_quantile(&histogram, 1.0));
	histogram_add(&histogram, UINT64_MAX);
	EXPECT_GE(histogram_quantile(&histogram, 1.0), 1ull << 63);
}

TEST(quantiles_part_the_values)
{
	uint64_t i, median, high;

	for (i = 1; i <= 1000; i++)
		histogram_add(&histogram, i * 1000);
	median = histogram_quantile(&histogram, 0.5);
	high = histogram_quantile(&histogram, 0.99);
	EXPECT_GE(median, 500000);
	EXPECT_LE(median, 500000 + 500000 / 8);
	EXPECT_GE(high, 990000);
	EXPECT_LE(high, 990000 + 990000 / 8);
}

TEST_HARNESS_MAIN
