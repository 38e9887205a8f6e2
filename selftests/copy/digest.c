// SPDX-License-Identifier: LGPL-2.1-or-later
/* digest.c - a digest changes with every bit, and sums do not depend on order. */
#include <string.h>

#include "copy/digest.h"
#include "harness.h"

static const struct region small = { .id = 3, .page_shift = 12,
				     .pages = 1ull << 32 };
static const struct region large = { .id = 0, .page_shift = 21, .pages = 16 };
static uint8_t page[2u << 20] __attribute__((aligned(64)));

static void page_fill(uint64_t size)
{
	uint64_t i, state = 88172645463325252ull;

	for (i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		page[i] = (uint8_t)state;
	}
}

TEST(any_flipped_bit_changes_the_digest)
{
	struct digest whole;
	uint64_t bit;

	page_fill(4096);
	whole = digest_page(&small, 7, page);
	for (bit = 0; bit < 4096 * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ASSERT_FALSE(digest_equal(whole, digest_page(&small, 7, page)));
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	EXPECT_TRUE(digest_equal(whole, digest_page(&small, 7, page)));
}

TEST(any_bit_in_a_zero_page_is_seen)
{
	uint64_t bit;

	memset(page, 0, 4096);
	ASSERT_TRUE(page_is_zero(page, 4096));
	for (bit = 0; bit < 4096 * 8; bit++) {
		page[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ASSERT_FALSE(page_is_zero(page, 4096));
		page[bit / 8] = 0;
	}
}

/* Under UBSan a load that needs an aligned address fails here. */
TEST(digest_does_not_depend_on_the_address)
{
	struct digest here;

	page_fill(4096);
	here = digest_page(&small, 7, page);
	memmove(page + 4097, page, 4096);
	EXPECT_TRUE(digest_equal(here, digest_page(&small, 7, page + 4097)));
	memset(page, 0, sizeof(page));
	EXPECT_TRUE(page_is_zero(page + 1, 4096));
}

TEST(last_bit_of_a_large_page_counts)
{
	struct digest before;

	memset(page, 0, sizeof(page));
	EXPECT_TRUE(page_is_zero(page, sizeof(page)));
	page[sizeof(page) - 1] = 0x80;
	EXPECT_FALSE(page_is_zero(page, sizeof(page)));
	before = digest_page(&large, 1, page);
	page[sizeof(page) - 1] = 0x40;
	EXPECT_FALSE(digest_equal(before, digest_page(&large, 1, page)));
}

TEST(position_matters)
{
	struct region other = small;
	struct digest here;

	page_fill(4096);
	other.id++;
	here = digest_page(&small, 7, page);
	EXPECT_FALSE(digest_equal(here, digest_page(&small, 8, page)));
	EXPECT_FALSE(digest_equal(here, digest_page(&other, 7, page)));
	EXPECT_FALSE(digest_equal(digest_zero_run(&small, 7, 1),
				  digest_zero_run(&small, 8, 1)));
	EXPECT_FALSE(digest_equal(digest_zero_run(&small, 7, 1),
				  digest_zero_run(&other, 7, 1)));
}

/* Two pages that swapped places do not sum up to the same. */
TEST(swapped_pages_change_the_sum)
{
	struct digest right, swapped;
	uint8_t first[4096] __attribute__((aligned(64)));

	page_fill(4096);
	memcpy(first, page, 4096);
	page[0] ^= 1;
	right = digest_page(&small, 0, first);
	digest_add(&right, digest_page(&small, 1, page));
	swapped = digest_page(&small, 1, first);
	digest_add(&swapped, digest_page(&small, 0, page));
	EXPECT_FALSE(digest_equal(right, swapped));
}

TEST(zero_run_is_the_sum_of_its_pages)
{
	static const uint64_t firsts[] = { 0, 1, 1000, (1ull << 32) - 40 };
	uint64_t count, i;
	unsigned int f;

	memset(page, 0, 4096);
	for (f = 0; f < 4; f++) {
		struct digest sum = { 0, 0 };

		for (count = 1, i = firsts[f]; count < 40; count++, i++) {
			digest_add(&sum, digest_page(&small, i, page));
			ASSERT_TRUE(digest_equal(sum,
				digest_zero_run(&small, firsts[f], count)));
		}
	}
}

/* 12 TiB at once: nothing wraps that should not. */
TEST(zero_runs_join_at_any_length)
{
	uint64_t all = 3ull << 30, cut;

	for (cut = 1; cut < all; cut = cut * 5 + 1) {
		struct digest sum = digest_zero_run(&small, 0, cut);

		digest_add(&sum, digest_zero_run(&small, cut, all - cut));
		EXPECT_TRUE(digest_equal(sum, digest_zero_run(&small, 0,
							      all)));
	}
}

TEST(zero_run_of_other_length_differs)
{
	EXPECT_FALSE(digest_equal(digest_zero_run(&small, 5, 10),
				  digest_zero_run(&small, 5, 11)));
	EXPECT_FALSE(digest_equal(digest_zero_run(&small, 5, 10),
				  digest_zero_run(&small, 6, 10)));
}

TEST(proof_adds_up)
{
	struct proof proof = { 0, { 0, 0 } };

	proof_add(&proof, 3, digest_zero_run(&small, 0, 3));
	proof_add(&proof, 2, digest_zero_run(&small, 3, 2));
	EXPECT_EQ(5, proof.pages);
	EXPECT_TRUE(digest_equal(proof.sum, digest_zero_run(&small, 0, 5)));
}

TEST_HARNESS_MAIN
