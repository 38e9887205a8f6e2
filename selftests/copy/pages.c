// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pages.c - the states of pages against arrays, and under threads.
 *
 * What the threads below check was seen to fail with
 * - a store in place of the compare-and-swap of take_in_word(): pages claimed
 *   by two at a time,
 * - a load of its own for the old value in pages_present(), in place of the
 *   fetch-and-xor's: waiters that nobody wakes.
 */
#include <pthread.h>
#include <string.h>

#include "copy/pages.h"
#include "harness.h"

#define PAGES	2000		/* no multiple of a word */
#define FILLERS	3
#define WAITERS	2

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

FIXTURE(pages) {
	struct pages pages;
	uint64_t words[PAGES / 16 + 1];
	uint8_t model[PAGES];		/* enum page_state bits */
	uint64_t random;
};

FIXTURE_SETUP(pages)
{
	memset(self, 0, sizeof(*self));
	self->pages = (struct pages){ self->words, PAGES };
	self->random = 88172645463325252ull;
}
FIXTURE_TEARDOWN(pages) {}

static uint64_t model_run(const uint8_t *model, uint64_t first, uint64_t count,
			  unsigned int mask, unsigned int value, bool equal)
{
	uint64_t page = first;

	while (page < first + count &&
	       ((model[page] & mask) == value) == equal)
		page++;
	return page - first;
}

static void discard(FIXTURE_DATA(pages) *self, uint64_t first, uint64_t count,
		    enum page_state from)
{
	uint64_t i, changed = 0;

	for (i = first; i < first + count; i++) {
		unsigned int mask = PAGE_STATE | PAGE_COUNTED;

		if ((self->model[i] & mask) != (unsigned int)from)
			continue;
		self->model[i] |= PAGE_DISCARDED;
		changed++;
	}
	ASSERT_EQ(changed, pages_discard(&self->pages, first, count, from));
}

/* Do one thing to both, at a random place. */
static void step(FIXTURE_DATA(pages) *self)
{
	uint64_t first = random_next(&self->random) % PAGES;
	uint64_t most = PAGES - first < 50 ? PAGES - first : 50;
	uint64_t count = random_next(&self->random) % most + 1;
	uint64_t got, i;
	bool waited = false;

	switch (random_next(&self->random) % 7) {
	case 0:
		got = pages_claim(&self->pages, first, count);
		ASSERT_EQ(model_run(self->model, first, count, PAGE_STATE,
				    PAGE_MISSING, true), got);
		for (i = first; i < first + got; i++)
			self->model[i] |= PAGE_CLAIMED;
		break;
	case 1:
		count = model_run(self->model, first, count, PAGE_STATE,
				  PAGE_CLAIMED, true);
		for (i = first; i < first + count; i++) {
			waited |= self->model[i] & PAGE_WAITING;
			self->model[i] ^= PAGE_STATE | PAGE_COUNTED;
		}
		if (count)
			ASSERT_EQ(waited, pages_present(&self->pages, first,
							count));
		break;
	case 2:
		count = model_run(self->model, first, count, PAGE_STATE,
				  PAGE_CLAIMED, true);
		for (i = first; i < first + count; i++)
			self->model[i] &= (uint8_t)~PAGE_CLAIMED;
		if (count)
			pages_unclaim(&self->pages, first, count);
		break;
	case 3:
		ASSERT_EQ(self->model[first], page_want(&self->pages, first));
		self->model[first] |= PAGE_WAITING;
		break;
	case 4:
		ASSERT_EQ(model_run(self->model, first, count, PAGE_STATE,
				    PAGE_MISSING, false),
			  pages_unclaimable(&self->pages, first, count));
		break;
	case 5:
		discard(self, first, count, PAGE_MISSING);
		break;
	case 6:
		discard(self, first, count, PAGE_PRESENT);
		break;
	}
}

static void compare(FIXTURE_DATA(pages) *self)
{
	uint64_t page;

	for (page = 0; page < PAGES; page++)
		ASSERT_EQ(self->model[page],
			  page_state(&self->pages, page));
}

static void compare_next(FIXTURE_DATA(pages) *self)
{
	uint64_t from = random_next(&self->random) % PAGES;
	uint64_t end = from + random_next(&self->random) % (PAGES - from + 1);
	unsigned int mask = random_next(&self->random) % 16;
	unsigned int value = random_next(&self->random) % 16 & mask;

	ASSERT_EQ(from + model_run(self->model, from, end - from, mask, value,
				   false),
		  pages_next(&self->pages, from, end, mask, value, true));
	ASSERT_EQ(from + model_run(self->model, from, end - from, mask, value,
				   true),
		  pages_next(&self->pages, from, end, mask, value, false));
}

TEST_F(pages, random_steps_go_as_in_the_model)
{
	unsigned long i, steps = test_sample(200000);

	for (i = 0; i < steps; i++) {
		step(self);
		compare_next(self);
		if (i % 1000 == 0)
			compare(self);
	}
	compare(self);
}

TEST_F(pages, kept_pages_are_present_and_the_rest_is_missing)
{
	uint64_t keep[(PAGES + 63) / 64], page, missing = 0;

	for (page = 0; page < PAGES; page++)
		step(self);
	pages_received(&self->pages, 3, 1000);
	for (page = 0; page < sizeof(keep) / 8; page++)
		keep[page] = random_next(&self->random) &
			     random_next(&self->random);
	/* The first pages and the last are not named. */
	for (page = 64; page < PAGES - 7; page++) {
		bool kept = keep[page / 64 - 1] >> page % 64 & 1;

		self->model[page] = kept ? PAGE_PRESENT : PAGE_MISSING;
		missing += !kept;
	}
	for (page = 3; page < 64; page++)
		self->model[page] |= PAGE_PRESENT;
	EXPECT_EQ(missing, pages_keep(&self->pages, 64, PAGES - 7 - 64, keep));
	for (page = PAGES - 7; page < PAGES; page++)
		self->model[page] = (uint8_t)page_state(&self->pages, page);
	compare(self);
}

TEST_F(pages, received_page_is_present_and_not_counted)
{
	pages_received(&self->pages, 10, 100);
	memset(self->model + 10, PAGE_PRESENT, 100);
	compare(self);
	EXPECT_EQ(0, pages_claim(&self->pages, 10, 1));
	EXPECT_EQ(100, pages_count(&self->pages, 10, 100));
	EXPECT_EQ(0, pages_count(&self->pages, 10, 100));
}

TEST_F(pages, discarded_page_is_neither_claimed_nor_asked_for)
{
	uint64_t present = 0;

	EXPECT_EQ(3, pages_discard(&self->pages, 2, 3, PAGE_MISSING));
	EXPECT_EQ(0, pages_discard(&self->pages, 2, 3, PAGE_MISSING));
	EXPECT_EQ(2, pages_claim(&self->pages, 0, 10));
	EXPECT_EQ(0, pages_claim(&self->pages, 2, 10));
	pages_unclaim(&self->pages, 0, 10);
	EXPECT_EQ(PAGE_DISCARDED, page_state(&self->pages, 2));
	pages_bitmap(&self->pages, 0, 10, &present);
	EXPECT_EQ(0x1c, present);
	pages_complete(&self->pages, 0, 10);
	EXPECT_EQ(PAGE_DISCARDED | PAGE_COUNTED, page_state(&self->pages, 2));
	EXPECT_EQ(PAGE_PRESENT | PAGE_COUNTED, page_state(&self->pages, 1));
}

TEST_F(pages, arrived_page_is_counted_already)
{
	EXPECT_EQ(5, pages_claim(&self->pages, 0, 5));
	EXPECT_FALSE(pages_present(&self->pages, 0, 5));
	EXPECT_EQ(0, pages_count(&self->pages, 0, 5));
}

/* ---- threads ------------------------------------------------------------- */

/* What happened to one page. */
struct history {
	int held;		/* atomic; fillers that have it claimed */
	int presented;		/* atomic; how often it became PRESENT */
	int relied;		/* atomic; somebody waits to be woken */
	int woken;		/* atomic; its filler said that it wakes */
	int counted;		/* atomic */
	uint64_t bytes;		/* plain: written before PRESENT, read after */
};

struct crowd {
	struct pages *pages;
	struct history history[PAGES];
};

struct member {
	struct crowd *crowd;
	uint64_t random;
	pthread_t thread;
};

static int add(int *counter, int value)
{
	return __atomic_add_fetch(counter, value, __ATOMIC_RELAXED);
}

static void claimed(struct crowd *crowd, uint64_t first, uint64_t count,
		    bool fill)
{
	uint64_t page;

	for (page = first; page < first + count; page++) {
		ASSERT_EQ(1, add(&crowd->history[page].held, 1));
		if (fill)
			crowd->history[page].bytes = ~page;
	}
	for (page = first; page < first + count; page++)
		ASSERT_EQ(0, add(&crowd->history[page].held, -1));
}

static void present(struct crowd *crowd, uint64_t first, uint64_t count)
{
	bool waking = pages_present(crowd->pages, first, count);
	uint64_t page;

	for (page = first; page < first + count; page++) {
		ASSERT_EQ(1, add(&crowd->history[page].presented, 1));
		if (waking)
			add(&crowd->history[page].woken, 1);
	}
}

static void *filler_main(void *arg)
{
	struct member *self = arg;
	struct crowd *crowd = self->crowd;
	uint64_t from = 0;

	/* Always near the first page that is missing: there is a crowd. */
	while ((from = pages_next(crowd->pages, from, PAGES, PAGE_STATE,
				  PAGE_PRESENT, false)) < PAGES) {
		uint64_t dice = random_next(&self->random);
		uint64_t first = from + dice % 40;
		uint64_t count = dice / 64 % 40 + 1;
		bool fill = dice / 4096 % 4;

		if (first >= PAGES)
			first = from;
		if (count > PAGES - first)
			count = PAGES - first;
		count = pages_claim(crowd->pages, first, count);
		if (!count)
			continue;
		claimed(crowd, first, count, fill);
		if (fill)
			present(crowd, first, count);
		else
			pages_unclaim(crowd->pages, first, count);
	}
	return NULL;
}

static void *waiter_main(void *arg)
{
	struct member *self = arg;
	struct crowd *crowd = self->crowd;
	uint64_t from = 0;

	while ((from = pages_next(crowd->pages, from, PAGES, PAGE_STATE,
				  PAGE_PRESENT, false)) < PAGES) {
		uint64_t page = from + random_next(&self->random) % 60;

		if (page >= PAGES)
			page = from;
		if (!(page_want(crowd->pages, page) & PAGE_PRESENT))
			add(&crowd->history[page].relied, 1);
		else
			ASSERT_EQ(~page, crowd->history[page].bytes);
	}
	return NULL;
}

static void crowd_run(struct crowd *crowd, uint64_t *random)
{
	struct member members[FILLERS + WAITERS];
	unsigned int i;

	for (i = 0; i < FILLERS + WAITERS; i++) {
		members[i].crowd = crowd;
		members[i].random = random_next(random) | 1;
		ASSERT_EQ(0, pthread_create(&members[i].thread, NULL,
			i < FILLERS ? filler_main : waiter_main,
			&members[i]));
	}
	for (i = 0; i < FILLERS + WAITERS; i++)
		pthread_join(members[i].thread, NULL);
}

TEST_F(pages, page_has_one_filler_and_its_waiters_are_woken)
{
	unsigned long round, rounds = test_sample(200);
	struct crowd *crowd = malloc(sizeof(*crowd));
	uint64_t page;

	ASSERT_NE(NULL, crowd);
	crowd->pages = &self->pages;
	for (round = 0; round < rounds; round++) {
		memset(self->words, 0, sizeof(self->words));
		memset(crowd->history, 0, sizeof(crowd->history));
		crowd_run(crowd, &self->random);
		for (page = 0; page < PAGES; page++) {
			struct history *seen = &crowd->history[page];

			ASSERT_EQ(1, seen->presented);
			if (seen->relied)
				ASSERT_EQ(1, seen->woken);
		}
	}
	free(crowd);
}

static void *counter_main(void *arg)
{
	struct member *self = arg;
	struct crowd *crowd = self->crowd;
	uint64_t at = 0, i;

	while (at < PAGES) {
		uint64_t most = random_next(&self->random) % 40 + 1;
		uint64_t won = pages_count(crowd->pages, at,
				most < PAGES - at ? most : PAGES - at);

		for (i = at; i < at + won; i++)
			add(&crowd->history[i].counted, 1);
		at += won ? won : 1;
	}
	return NULL;
}

TEST_F(pages, page_is_counted_by_one)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct member members[4];
	unsigned long round, rounds = test_sample(100);
	uint64_t page, i;

	ASSERT_NE(NULL, crowd);
	crowd->pages = &self->pages;
	for (round = 1; round <= rounds; round++) {
		memset(self->words, 0, sizeof(self->words));
		pages_received(&self->pages, 0, PAGES);
		for (i = 0; i < 4; i++) {
			members[i] = (struct member){ crowd, i + round, 0 };
			ASSERT_EQ(0, pthread_create(&members[i].thread, NULL,
						    counter_main,
						    &members[i]));
		}
		for (i = 0; i < 4; i++)
			pthread_join(members[i].thread, NULL);
		for (page = 0; page < PAGES; page++)
			ASSERT_EQ(round, crowd->history[page].counted);
	}
	free(crowd);
}

TEST_HARNESS_MAIN
