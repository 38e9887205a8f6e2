// SPDX-License-Identifier: LGPL-2.1-or-later
/* ledger.c - one thread's part of the proof, which outlives that thread. */
#include "copy/ledger.h"

#include <errno.h>

/**
 * ledger_write() - write down what is about to be done
 * @ledger: of the calling thread, without an open entry
 * @region: of the pages
 * @first: the first of them; all of them complete
 * @count: how many
 * @sum: of their digests
 *
 * The caller marks the pages then, and strikes the entry.
 */
void ledger_write(struct ledger *ledger, const struct region *region,
		  uint64_t first, uint64_t count, struct digest sum)
{
	struct ledger_entry *entry = &ledger->entry;

	entry->region = region->id;
	entry->first = first;
	entry->count = count;
	entry->after = ledger->proofs[region->id];
	entry->after.pages += count;
	digest_add(&entry->after.sum, sum);
	__atomic_store_n(&entry->open, 1, __ATOMIC_RELEASE);
}

/**
 * ledger_strike() - the pages are marked: their digests count
 * @ledger: with an open entry
 */
void ledger_strike(struct ledger *ledger)
{
	struct ledger_entry *entry = &ledger->entry;

	ledger->proofs[entry->region] = entry->after;
	__atomic_store_n(&entry->open, 0, __ATOMIC_RELEASE);
}

/**
 * ledger_redo() - bring what a dead thread had begun to its end
 * @ledger: of a thread that is gone; from a file, so it is looked at first
 * @map: the regions
 * @pages: states, one for each region
 *
 * Return: 0, or -EUCLEAN: it names pages that there are none of.
 */
int ledger_redo(struct ledger *ledger, const struct region_map *map,
		struct pages *pages)
{
	const struct ledger_entry *entry = &ledger->entry;

	if (!entry->open)
		return 0;
	if (entry->region >= map->count ||
	    entry->first >= map->regions[entry->region].pages ||
	    entry->count > map->regions[entry->region].pages - entry->first)
		return -EUCLEAN;
	pages_complete(&pages[entry->region], entry->first, entry->count);
	ledger_strike(ledger);
	return 0;
}
