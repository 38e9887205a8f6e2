/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.h - the state of every page at the dest, 4 bits each.
 *
 *   MISSING -> CLAIMED -> PRESENT       and two flags beside the state
 *      |                     |
 *      +----> DISCARDED <----+  kept, and not counted yet
 *
 * pages_claim() and pages_present() are the only writers that move a page
 * forward once the guest may run. The words live in a file on tmpfs: they
 * outlive every process of ours and die with the host, as the guest does.
 *
 * Lost wake-ups: a fault sets WAITING and a filler sets PRESENT, each by one
 * atomic read-modify-write of the same word that answers the old value. One
 * of the two comes second and sees the other: either the fault finds PRESENT
 * and places the page itself, or the filler finds WAITING and wakes.
 */
#ifndef STRADDLE_PAGES_H
#define STRADDLE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/bitmap.h"

enum page_state {
	PAGE_MISSING = 0,
	PAGE_CLAIMED = 1,	/* somebody fills it right now */
	PAGE_PRESENT = 2,	/* complete; perhaps not mapped yet */
	PAGE_DISCARDED = 3,	/* the guest freed it: zero, never filled */
	PAGE_STATE = 3,		/* mask */
	PAGE_WAITING = 4,	/* a fault was recorded */
	PAGE_COUNTED = 8,	/* its digest is in the proof */
};

struct pages {
	uint64_t *words;	/* 16 pages each; atomic read-modify-write */
	uint64_t count;
};

uint64_t pages_words(uint64_t count);

unsigned int page_state(const struct pages *pages, uint64_t page);
unsigned int page_want(struct pages *pages, uint64_t page);

uint64_t pages_claim(struct pages *pages, uint64_t first, uint64_t count);
uint64_t pages_count(struct pages *pages, uint64_t first, uint64_t count);
uint64_t pages_unclaimable(const struct pages *pages, uint64_t first,
			   uint64_t count);
bool pages_present(struct pages *pages, uint64_t first, uint64_t count);
void pages_unclaim(struct pages *pages, uint64_t first, uint64_t count);
uint64_t pages_discard(struct pages *pages, uint64_t first, uint64_t count,
		       enum page_state from);
void pages_forget(struct pages *pages);
void pages_complete(struct pages *pages, uint64_t first, uint64_t count);

uint64_t pages_next(const struct pages *pages, uint64_t from, uint64_t end,
		    unsigned int mask, unsigned int value, bool equal);
uint64_t pages_with(const struct pages *pages, unsigned int mask,
		    unsigned int value);
void pages_bitmap(const struct pages *pages, uint64_t first, uint64_t count,
		  uint64_t *present);

void pages_received(struct pages *pages, uint64_t first, uint64_t count);
uint64_t pages_keep(struct pages *pages, uint64_t first, uint64_t count,
		    const uint64_t *keep);

#endif
