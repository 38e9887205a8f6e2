// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * states.c - what a dest leaves when it is killed between any two stores.
 *
 * Each test does what a lane does up to some step, lets go of the file without
 * another word, and opens it again as a successor does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "copy/states.h"
#include "harness.h"
#include "lib/directory.h"

#define PAGES	1000
#define FIRST	37		/* neither at the start of a word, nor within one */
#define COUNT	29

/* How far the lane came. */
enum step { CLAIMED, WRITTEN, MARKED_HALF, MARKED, ADDED, STRUCK };

FIXTURE(states) {
	char dir[96], path[128];
	struct region_map map;
	struct states states;
	struct digest sum;
};

FIXTURE_VARIANT(states) {
	enum step step;
	bool counts;		/* the run is there, and in the proof */
};

FIXTURE_VARIANT_ADD(states, claimed) { CLAIMED, false };
FIXTURE_VARIANT_ADD(states, written) { WRITTEN, true };
FIXTURE_VARIANT_ADD(states, marked_half) { MARKED_HALF, true };
FIXTURE_VARIANT_ADD(states, marked) { MARKED, true };
FIXTURE_VARIANT_ADD(states, added) { ADDED, true };
FIXTURE_VARIANT_ADD(states, struck) { STRUCK, true };

FIXTURE_SETUP(states)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, directory_create(self->dir, sizeof(self->dir)));
	snprintf(self->path, sizeof(self->path), "%s/pages", self->dir);
	self->map.count = 2;
	self->map.regions[0] = (struct region){ .id = 0, .page_shift = 12, .pages = 3 };
	self->map.regions[1] = (struct region){ .id = 1, .page_shift = 12, .pages = PAGES };
	self->sum = (struct digest){ 11, ~0ull };
	ASSERT_EQ(0, states_create(&self->states, self->path, &self->map));
}

FIXTURE_TEARDOWN(states)
{
	if (self->states.file)
		states_close(&self->states);
	directory_remove(self->dir);
}

/* As store_claimed() does it. */
static void store_up_to(FIXTURE_DATA(states) *self, enum step step)
{
	struct ledger *ledger = &self->states.ledgers[5];
	struct pages *pages = &self->states.pages[1];

	ASSERT_EQ(COUNT, pages_claim(pages, FIRST, COUNT));
	if (step >= WRITTEN)
		ledger_write(ledger, &self->map.regions[1], FIRST, COUNT, self->sum);
	if (step == MARKED_HALF)
		pages_present(pages, FIRST, COUNT / 2);
	if (step >= MARKED)
		pages_present(pages, FIRST, COUNT);
	if (step >= ADDED)
		ledger->proofs[1] = ledger->entry.after;
	if (step >= STRUCK)
		ledger_strike(ledger);
}

static void die_and_open(FIXTURE_DATA(states) *self)
{
	states_close(&self->states);
	ASSERT_EQ(0, states_open(&self->states, self->path, &self->map));
}

static void look(FIXTURE_DATA(states) *self, bool counts)
{
	const struct pages *pages = &self->states.pages[1];
	struct proof proof = states_proof(&self->states, 1);
	uint64_t there = counts ? COUNT : 0;

	EXPECT_EQ(there, pages_with(pages, PAGE_STATE | PAGE_COUNTED,
				    PAGE_PRESENT | PAGE_COUNTED));
	EXPECT_EQ(PAGES - there, pages_with(pages, PAGE_STATE, PAGE_MISSING));
	EXPECT_EQ(there, proof.pages);
	EXPECT_EQ(counts ? self->sum.low : 0, proof.sum.low);
	EXPECT_EQ(counts ? self->sum.high : 0, proof.sum.high);
	EXPECT_EQ(0, states_proof(&self->states, 0).pages);
}

TEST_F(states, present_exactly_when_complete_and_counted_once)
{
	store_up_to(self, variant->step);
	die_and_open(self);
	look(self, variant->counts);
	/* The successor is killed as well. */
	die_and_open(self);
	look(self, variant->counts);
}

/* One that goes on adds to what was there. */
TEST_F(states, successor_goes_on_with_the_sums)
{
	struct ledger *ledger;

	store_up_to(self, variant->step);
	die_and_open(self);
	ledger = &self->states.ledgers[5];
	ASSERT_EQ(1, pages_claim(&self->states.pages[1], 500, 1));
	ledger_write(ledger, &self->map.regions[1], 500, 1, (struct digest){ 1, 1 });
	pages_present(&self->states.pages[1], 500, 1);
	ledger_strike(ledger);
	EXPECT_EQ(variant->counts ? COUNT + 1 : 1, states_proof(&self->states, 1).pages);
	EXPECT_EQ(variant->counts ? 12 : 1, states_proof(&self->states, 1).sum.low);
	EXPECT_EQ(variant->counts ? 0 : 1, states_proof(&self->states, 1).sum.high);
}

TEST_F(states, who_waited_still_does_and_kept_pages_stay)
{
	struct pages *pages = &self->states.pages[1];
	uint64_t keep[PAGES / 64 + 1], got[PAGES / 64 + 1];

	memset(keep, 0x5a, sizeof(keep));
	keep[0] &= ~(((1ull << (64 - FIRST)) - 1) << FIRST);
	keep[1] &= ~3ull;
	pages_keep(pages, 0, PAGES, keep);
	page_want(pages, FIRST);
	store_up_to(self, variant->step);
	die_and_open(self);
	pages = &self->states.pages[1];
	EXPECT_TRUE(page_state(pages, FIRST) & PAGE_WAITING);
	pages_bitmap(pages, 0, PAGES, got);
	EXPECT_EQ(keep[5], got[5]);
	EXPECT_EQ(keep[PAGES / 64] & ((1ull << PAGES % 64) - 1), got[PAGES / 64]);
	pages_forget(pages);
	EXPECT_FALSE(page_state(pages, FIRST) & PAGE_WAITING);
}

TEST_F(states, file_of_other_regions_is_refused)
{
	states_close(&self->states);
	self->map.regions[0].pages = 4;
	EXPECT_EQ(-EUCLEAN, states_open(&self->states, self->path, &self->map));
	self->map.regions[0].pages = 3;
	ASSERT_EQ(0, truncate(self->path, 4096));
	EXPECT_EQ(-EUCLEAN, states_open(&self->states, self->path, &self->map));
	ASSERT_EQ(0, unlink(self->path));
	EXPECT_EQ(-ENOENT, states_open(&self->states, self->path, &self->map));
}

TEST_F(states, entry_that_names_no_pages_is_refused)
{
	ledger_write(&self->states.ledgers[0], &self->map.regions[1], 990, 11, self->sum);
	states_close(&self->states);
	EXPECT_EQ(-EUCLEAN, states_open(&self->states, self->path, &self->map));
}

TEST_HARNESS_MAIN
