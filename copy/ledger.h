/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.h - one thread's part of the proof, which outlives that thread.
 *
 * A page's state and the digest that is added for it lie in different words,
 * and a process may be killed between the two. So the thread first writes down
 * what it is about to do (an entry: the pages, and what the sums are
 * afterwards), does it, and strikes the entry. Whoever finds an entry does it
 * again: with the same result, however far the dead one had come.
 *
 * Each ledger has one writer. What is killed stops between two of its stores,
 * so their order in the program is all that counts.
 */
#ifndef STRADDLE_LEDGER_H
#define STRADDLE_LEDGER_H

#include "copy/digest.h"
#include "copy/pages.h"
#include "uffd/uffd.h"

struct ledger_entry {
	uint32_t open;		/* 1: not struck yet */
	uint32_t region;
	uint64_t first, count;	/* pages: complete, from here on for good */
	struct proof after;	/* of the region, with them */
};

struct ledger {
	struct ledger_entry entry;
	struct uffd_inbox inbox;	/* of a thread that reads events */
	struct proof proofs[REGIONS_MAX];
};

void ledger_write(struct ledger *ledger, const struct region *region,
		  uint64_t first, uint64_t count, struct digest sum);
void ledger_strike(struct ledger *ledger);
int ledger_redo(struct ledger *ledger, const struct region_map *map,
		struct pages *pages);

#endif
