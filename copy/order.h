/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * order.h - which pages the push sends next.
 *
 *   1. around recent faults, outward in both directions, newest first
 *   2. the rest, in address order
 *
 * Lanes work in different blocks of 2 MiB; where they meet all the same, the
 * test-and-set of a page's sent bit decides.
 */
#ifndef STRADDLE_ORDER_H
#define STRADDLE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/region.h"

#define ORDER_PIVOTS	16	/* recent faults that are remembered */
#define ORDER_NEAR	2	/* steps that are pushed to each side of one */

struct source;

struct order {
	uint64_t pivots[ORDER_PIVOTS];	/* atomic; region << 48 | page */
	uint64_t noted;			/* atomic; pivots so far */
	uint64_t block;			/* atomic; next block nobody took */
};

/* A block that one lane walks. */
struct order_block {
	struct region *region;		/* NULL: none at the moment */
	uint64_t page, end;		/* what is left of it */
	bool over;			/* all blocks are taken */
};

/* Where one push lane is. */
struct order_cursor {
	struct {
		struct region *region;
		uint64_t low, high;	/* window around it, pages */
		uint64_t ahead, behind;	/* next to try in each direction */
	} pivot;
	uint64_t seen;			/* pivots that it has taken up */
	struct order_block rest;
};

void order_reset(struct order *order);
void order_note_fault(struct order *order, const struct region *region,
		      uint64_t page);
bool order_next_block(struct region_map *map, uint64_t *next,
		      struct region **region, uint64_t *first, uint64_t *end);
uint64_t order_take(struct source *source, const struct region *region,
		    uint64_t first, uint64_t end);
bool order_next(struct source *source, struct order_cursor *cursor,
		struct region **region, uint64_t *first, uint64_t *count);

#endif
