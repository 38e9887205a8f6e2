// SPDX-License-Identifier: LGPL-2.1-or-later
/* bitmap.c - bitmaps against arrays of bools, at every offset in a word. */
#include <pthread.h>
#include <string.h>

#include "copy/bitmap.h"
#include "harness.h"

#define BITS	1000		/* no multiple of a word */

FIXTURE(bits) {
	struct bitmap bitmap;
	bool model[BITS];
};
FIXTURE_SETUP(bits)
{
	ASSERT_EQ(0, bitmap_init(&self->bitmap, BITS));
	memset(self->model, 0, sizeof(self->model));
}
FIXTURE_TEARDOWN(bits)
{
	bitmap_fini(&self->bitmap);
}

static uint64_t model_next(const bool *model, uint64_t from, uint64_t end,
			   bool value)
{
	while (from < end && model[from] != value)
		from++;
	return from;
}

static uint64_t model_count(const bool *model)
{
	uint64_t i, count = 0;

	for (i = 0; i < BITS; i++)
		count += model[i];
	return count;
}

static void model_set(FIXTURE_DATA(bits) *self, uint64_t first, uint64_t count)
{
	bitmap_set_range(&self->bitmap, first, count);
	memset(self->model + first, 1, count);
}

TEST_F(bits, new_bitmap_is_clear)
{
	EXPECT_EQ(0, bitmap_count(&self->bitmap));
	EXPECT_EQ(BITS, bitmap_next(&self->bitmap, 0, BITS, true));
	EXPECT_EQ(0, bitmap_next(&self->bitmap, 0, BITS, false));
}

TEST_F(bits, set_and_clear_say_what_was_before)
{
	EXPECT_FALSE(bitmap_set(&self->bitmap, 64));
	EXPECT_TRUE(bitmap_set(&self->bitmap, 64));
	EXPECT_TRUE(bitmap_test(&self->bitmap, 64));
	EXPECT_FALSE(bitmap_test(&self->bitmap, 63));
	EXPECT_TRUE(bitmap_clear(&self->bitmap, 64));
	EXPECT_FALSE(bitmap_clear(&self->bitmap, 64));
	EXPECT_EQ(0, bitmap_count(&self->bitmap));
}

TEST_F(bits, range_is_set_and_nothing_else)
{
	uint64_t first, count, i;

	for (first = 0; first < 130; first += 13)
		for (count = 0; count < 200; count += 7) {
			bitmap_fill(&self->bitmap, false);
			memset(self->model, 0, sizeof(self->model));
			model_set(self, first, count);
			for (i = 0; i < BITS; i++)
				ASSERT_EQ(self->model[i],
					  bitmap_test(&self->bitmap, i));
		}
}

TEST_F(bits, next_is_what_a_walk_finds)
{
	uint64_t from, end;

	model_set(self, 3, 60);
	model_set(self, 64, 1);
	model_set(self, 128, 64);
	model_set(self, 300, 333);
	model_set(self, BITS - 1, 1);
	EXPECT_EQ(model_count(self->model), bitmap_count(&self->bitmap));
	for (from = 0; from < BITS; from++)
		for (end = from; end <= BITS; end += 31) {
			ASSERT_EQ(model_next(self->model, from, end, true),
				  bitmap_next(&self->bitmap, from, end, true));
			ASSERT_EQ(model_next(self->model, from, end, false),
				  bitmap_next(&self->bitmap, from, end,
					      false));
		}
}

TEST_F(bits, full_bitmap_has_no_bits_past_its_end)
{
	bitmap_fill(&self->bitmap, true);
	EXPECT_EQ(BITS, bitmap_count(&self->bitmap));
	EXPECT_EQ(BITS, bitmap_next(&self->bitmap, 0, BITS, false));
}

TEST_F(bits, inverted_copy_is_the_rest)
{
	struct bitmap rest;
	uint64_t i;

	ASSERT_EQ(0, bitmap_init(&rest, BITS));
	model_set(self, 10, 500);
	bitmap_copy_inverted(&rest, &self->bitmap);
	EXPECT_EQ(BITS - 500, bitmap_count(&rest));
	for (i = 0; i < BITS; i++)
		ASSERT_NE(bitmap_test(&self->bitmap, i),
			  bitmap_test(&rest, i));
	bitmap_fini(&rest);
}

/* How many bits each thread was the first to set. */
struct setter {
	struct bitmap *bitmap;
	uint64_t won;
	pthread_t thread;
};

static void *set_all(void *arg)
{
	struct setter *setter = arg;
	unsigned int round;
	uint64_t bit;

	for (round = 0; round < 50; round++)
		for (bit = 0; bit < BITS; bit++)
			setter->won += !bitmap_set(setter->bitmap, bit);
	return NULL;
}

/* Broken by |= in place of the atomic in bitmap_set(). */
TEST_F(bits, bit_is_won_by_one_thread)
{
	struct setter setters[4];
	uint64_t won = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		setters[i] = (struct setter){ .bitmap = &self->bitmap };
		ASSERT_EQ(0, pthread_create(&setters[i].thread, NULL, set_all,
					    &setters[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(setters[i].thread, NULL);
		won += setters[i].won;
	}
	EXPECT_EQ(BITS, won);
}

TEST_HARNESS_MAIN
