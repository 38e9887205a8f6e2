// SPDX-License-Identifier: LGPL-2.1-or-later
/* ahead.c - what goes along with the pages that a walking guest wants. */
#include "copy/ahead.h"

#include <string.h>

#include "harness.h"

#define PAGES	4096

FIXTURE(walk) {
	struct ahead ahead;
	struct bitmap sent;
	struct region region;
	uint64_t first;		/* of what went along last */
};

FIXTURE_SETUP(walk)
{
	memset(&self->region, 0, sizeof(self->region));
	self->region.page_shift = 12;
	self->region.pages = PAGES;
	ASSERT_EQ(0, bitmap_init(&self->sent, PAGES));
	ahead_init(&self->ahead);
}

FIXTURE_TEARDOWN(walk)
{
	ahead_fini(&self->ahead);
	bitmap_fini(&self->sent);
}

/* A page is wanted, and sent with all that goes along. Return: how many that are. */
static uint64_t want(FIXTURE_DATA(walk) *self, uint64_t page)
{
	uint64_t count;

	bitmap_set(&self->sent, page);
	count = ahead_window(&self->ahead, &self->region, &self->sent, page,
			     &self->first);
	if (count)
		bitmap_set_range(&self->sent, self->first, count);
	return count;
}

TEST_F(walk, takes_twice_as_many_along_each_time)
{
	static const uint64_t windows[] = { 0, 2, 4, 8, 16, 16 };
	uint64_t page = 100;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		ASSERT_EQ(windows[i], want(self, page));
		if (windows[i])
			EXPECT_EQ(page + 1, self->first);
		page += windows[i] + 1;
	}
}

TEST_F(walk, wants_with_gaps_or_downwards_take_nothing_along)
{
	uint64_t page;

	for (page = 0; page < PAGES / 2; page += 2)
		ASSERT_EQ(0, want(self, page));
	for (page = PAGES - 1; page > PAGES / 2; page--)
		ASSERT_EQ(0, want(self, page));
}

TEST_F(walk, leaps_over_what_the_push_has_sent)
{
	want(self, 10);
	bitmap_set_range(&self->sent, 11, 100);
	EXPECT_EQ(2, want(self, 111));
	EXPECT_EQ(112, self->first);
	bitmap_set_range(&self->sent, 114, AHEAD_LEAP + 1);
	EXPECT_EQ(0, want(self, 114 + AHEAD_LEAP + 1));
}

TEST_F(walk, page_left_out_ends_it)
{
	want(self, 10);
	EXPECT_EQ(2, want(self, 11));
	EXPECT_EQ(0, want(self, 15));
	EXPECT_EQ(2, want(self, 16));
}

/* What went along is on its way: only what lies behind it is sent. */
TEST_F(walk, guest_quicker_than_the_answer_is_kept_ahead_of)
{
	want(self, 10);
	EXPECT_EQ(2, want(self, 11));
	EXPECT_EQ(3, want(self, 12));	/* up to 4 behind 12 */
	EXPECT_EQ(14, self->first);
	EXPECT_EQ(17, self->ahead.walks[0].next);
	EXPECT_EQ(0, want(self, 12));	/* asked again: no walk */
}

TEST_F(walk, others_do_not_disturb_it)
{
	unsigned int i;

	for (i = 0; i < AHEAD_WALKS; i++)
		EXPECT_EQ(0, want(self, i * 200));
	for (i = 0; i < AHEAD_WALKS; i++)
		EXPECT_EQ(2, want(self, i * 200 + 1));
}

TEST_F(walk, that_is_idle_for_longest_is_forgotten)
{
	unsigned int i;

	for (i = 0; i < AHEAD_WALKS; i++)
		EXPECT_EQ(0, want(self, i * 200));
	EXPECT_EQ(2, want(self, 1));
	EXPECT_EQ(0, want(self, AHEAD_WALKS * 200));
	EXPECT_EQ(4, want(self, 4));
	EXPECT_EQ(0, want(self, 201));
}

TEST_F(walk, ends_with_the_region)
{
	want(self, PAGES - 3);
	EXPECT_EQ(1, want(self, PAGES - 2));
	EXPECT_EQ(PAGES - 1, self->first);
	EXPECT_EQ(0, want(self, PAGES - 1));
}

TEST_F(walk, is_of_one_region)
{
	struct region other = self->region;

	want(self, 10);
	EXPECT_EQ(0, ahead_window(&self->ahead, &other, &self->sent, 11,
				  &self->first));
}

TEST_F(walk, large_pages_go_alone)
{
	uint64_t page;

	self->region.page_shift = 21;
	for (page = 0; page < 8; page++)
		EXPECT_EQ(0, want(self, page));
}

TEST_HARNESS_MAIN
