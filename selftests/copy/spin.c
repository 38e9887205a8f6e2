// SPDX-License-Identifier: LGPL-2.1-or-later
/* spin.c - whoever looked in vain sleeps at once the next times. */
#include "copy/spin.h"
#include "harness.h"
#include "sys.h"

struct view {
	unsigned int looks;
	int found;			/* what a look finds */
};

static int look(void *arg)
{
	struct view *view = arg;

	view->looks++;
	return view->found;
}

/* How many waits are without a look, until one has some. */
static unsigned int rested(struct spin *tries, struct view *view)
{
	unsigned int waits = 0;

	for (view->looks = 0; ; waits++) {
		spin(tries, look, view);
		if (view->looks)
			return waits;
	}
}

TEST(what_is_found_is_returned_and_looked_for_again)
{
	struct spin tries = { 0 };
	struct view view = { .found = 7 };

	EXPECT_EQ(7, spin(&tries, look, &view));
	EXPECT_EQ(1, view.looks);
	view.found = -5;
	EXPECT_EQ(-5, spin(&tries, look, &view));
	EXPECT_EQ(2, view.looks);
}

TEST(after_each_try_in_vain_the_rest_is_longer_up_to_an_end)
{
	struct spin tries = { 0 };
	struct view view = { .found = 0 };
	unsigned int rest;

	EXPECT_EQ(0, rested(&tries, &view));
	for (rest = 1; rest < SPIN_REST_MAX; rest *= 2)
		EXPECT_EQ(rest, rested(&tries, &view));
	EXPECT_EQ(SPIN_REST_MAX, rested(&tries, &view));
	EXPECT_EQ(SPIN_REST_MAX, rested(&tries, &view));
}

TEST(success_makes_the_next_rest_shorter)
{
	struct spin tries = { .in_vain = 8 };
	struct view view = { .found = 1 };

	EXPECT_EQ(0, rested(&tries, &view));
	EXPECT_EQ(0, rested(&tries, &view));
	view.found = 0;
	EXPECT_EQ(0, rested(&tries, &view));
	EXPECT_EQ(4, rested(&tries, &view));
}

/* As it is for a thread that another one took the processor from. */
static int look_long(void *arg)
{
	uint64_t until = now_ns() + 2 * SPIN_NS;

	while (now_ns() < until)
		;
	return look(arg);
}

TEST(what_is_found_too_late_was_looked_for_in_vain)
{
	struct spin tries = { 0 };
	struct view view = { .found = 3 };

	EXPECT_EQ(3, spin(&tries, look_long, &view));
	EXPECT_EQ(0, spin(&tries, look_long, &view));
	EXPECT_EQ(1, view.looks);
}

TEST_HARNESS_MAIN
