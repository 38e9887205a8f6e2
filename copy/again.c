// SPDX-License-Identifier: LGPL-2.1-or-later
/* again.c - which pages of a block the guest has written again. */
#include "copy/again.h"

static int note(struct range range, void *arg)
{
	struct again *again = arg;
	struct bitmap pages = { again->words, AGAIN_PAGES };
	uint64_t first, end;

	range_pages(again->region, range, &first, &end);
	bitmap_set_range(&pages, first - again->first, end - first);
	return 0;
}

/**
 * again_none() - begin with a block: nothing of it is known
 * @again: receives that
 * @region: of the block
 * @first: its first page
 */
void again_none(struct again *again, const struct region *region,
		uint64_t first)
{
	*again = (struct again){ .region = region, .first = first };
}

/**
 * again_look() - see what of the block was written since the last scan
 * @again: receives it
 * @end: the page behind the block's last
 *
 * It only saves work. Where a look fails some pages are sent that need not be,
 * and the scan after the round says what is wrong.
 */
void again_look(struct again *again, uint64_t end)
{
	const struct region *region = again->region;

	(void)uffd_rewritten(region->pagemap,
			     page_range(region, again->first, end - again->first),
			     note, again);
}
