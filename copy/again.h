/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * again.h - which pages of a block the guest has written again.
 *
 * What it wrote since the last scan will have to be sent once more, after this
 * round: sent in it, it would cross twice. A lane looks before each block.
 */
#ifndef STRADDLE_AGAIN_H
#define STRADDLE_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/bitmap.h"
#include "copy/region.h"

#define AGAIN_PAGES	(REGION_BLOCK_SIZE >> 12)

struct again {
	const struct region *region;
	uint64_t first;			/* of the block, or of what is left of it */
	uint64_t words[AGAIN_PAGES / BITS_PER_WORD];	/* a bit a page */
};

void again_none(struct again *again, const struct region *region,
		uint64_t first);
void again_look(struct again *again, uint64_t end);

/* @page: of the block */
static inline bool again_has(const struct again *again, uint64_t page)
{
	uint64_t bit = page - again->first;

	return again->words[bit / BITS_PER_WORD] & bit_mask(bit);
}

#endif
