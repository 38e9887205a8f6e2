// SPDX-License-Identifier: LGPL-2.1-or-later
/* order.c - which pages the push sends next. */
#include "copy/order.h"

#include <string.h>

#include "copy/source.h"

#define PIVOT_REGION_SHIFT	48
#define PIVOT_PAGE_MASK		((1ull << PIVOT_REGION_SHIFT) - 1)

/**
 * order_reset() - begin again at the first block
 * @order: no lane uses it at the moment
 */
void order_reset(struct order *order)
{
	memset(order, 0, sizeof(*order));
}

/**
 * order_note_fault() - a guest waits here: the neighbourhood comes next
 * @order: of the source
 * @region: of the fault
 * @page: its number
 *
 * Two faults at once may swap places in the ring; nothing depends on it.
 */
void order_note_fault(struct order *order, const struct region *region,
		      uint64_t page)
{
	uint64_t slot = __atomic_load_n(&order->noted, __ATOMIC_RELAXED);

	__atomic_store_n(&order->pivots[slot % ORDER_PIVOTS],
			 (uint64_t)region->id << PIVOT_REGION_SHIFT | page,
			 __ATOMIC_RELAXED);
	__atomic_fetch_add(&order->noted, 1, __ATOMIC_RELEASE);
}

static uint64_t region_blocks(const struct region *region)
{
	return (region->pages + block_pages(region) - 1) /
	       block_pages(region);
}

/**
 * order_next_block() - take the next block that no lane has taken
 * @map: the regions, in whose order blocks are numbered
 * @next: the shared cursor
 * @region: receives the region
 * @first: receives the block's first page
 * @end: receives the page behind its last
 *
 * Return: false when all blocks were taken.
 */
bool order_next_block(struct region_map *map, uint64_t *next,
		      struct region **region, uint64_t *first, uint64_t *end)
{
	uint64_t block = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		struct region *candidate = &map->regions[i];
		uint64_t blocks = region_blocks(candidate);

		if (block >= blocks) {
			block -= blocks;
			continue;
		}
		*region = candidate;
		*first = block * block_pages(candidate);
		*end = *first + block_pages(candidate);
		if (*end > candidate->pages)
			*end = candidate->pages;
		return true;
	}
	return false;
}

static uint64_t clip(uint64_t page, uint64_t end)
{
	return page < end ? page : end;
}

/**
 * order_take() - take neighbouring unsent pages
 * @source: of the pages; their sent bits are set
 * @region: of the pages
 * @first: the first of them
 * @end: take none from here on
 *
 * Return: how many from @first on, at most run_pages(); 0: it is sent.
 */
uint64_t order_take(struct source *source, const struct region *region,
		    uint64_t first, uint64_t end)
{
	struct bitmap *sent = &source->regions[region->id].sent;
	uint64_t page = first;

	end = clip(first + run_pages(region), end);
	while (page < end && !bitmap_set(sent, page))
		page++;
	return page - first;
}

static uint64_t next_unsent(struct source *source, const struct region *region,
			    uint64_t from, uint64_t end)
{
	return bitmap_next(&source->regions[region->id].sent, from, end, false);
}

/* Make the newest fault that this lane has not seen its pivot. */
static void pivot_update(struct source *source, struct order_cursor *cursor)
{
	struct order *order = &source->order;
	uint64_t noted = __atomic_load_n(&order->noted, __ATOMIC_ACQUIRE);
	uint64_t pivot, page, near;
	struct region *region;

	if (noted == cursor->seen)
		return;
	cursor->seen = noted;
	pivot = __atomic_load_n(&order->pivots[(noted - 1) % ORDER_PIVOTS],
				__ATOMIC_RELAXED);
	region = &source->map->regions[pivot >> PIVOT_REGION_SHIFT];
	page = pivot & PIVOT_PAGE_MASK;
	near = ORDER_NEAR * step_pages(region);
	cursor->pivot.region = region;
	cursor->pivot.low = page > near ? page - near : 0;
	cursor->pivot.high = region->pages - page > near ? page + near
							 : region->pages;
	cursor->pivot.ahead = page;
	cursor->pivot.behind = page;
}

/* A step ahead of the pivot, else one behind it. */
static uint64_t take_near(struct source *source, struct order_cursor *cursor,
			  uint64_t *first)
{
	struct region *region = cursor->pivot.region;
	uint64_t from, count, step = step_pages(region);

	from = next_unsent(source, region, cursor->pivot.ahead,
			   cursor->pivot.high);
	count = order_take(source, region, from,
			   clip(from + step, cursor->pivot.high));
	cursor->pivot.ahead = from + count;
	if (count) {
		*first = from;
		return count;
	}
	while (cursor->pivot.behind > cursor->pivot.low) {
		uint64_t end = cursor->pivot.behind;

		from = end - cursor->pivot.low > step ? end - step
						     : cursor->pivot.low;
		cursor->pivot.behind = from;
		from = next_unsent(source, region, from, end);
		count = order_take(source, region, from, end);
		if (count) {
			*first = from;
			return count;
		}
	}
	cursor->pivot.region = NULL;
	return 0;
}

/* The next run of the block that a lane is in. Return: its length, 0: none. */
static uint64_t take_in_block(struct source *source, struct order_block *block,
			      uint64_t *first)
{
	while (block->page < block->end) {
		uint64_t from = next_unsent(source, block->region, block->page,
					    block->end);
		uint64_t count = order_take(source, block->region, from,
					    block->end);

		block->page = from + (count ? count : 1);
		if (count) {
			*first = from;
			return count;
		}
	}
	block->region = NULL;
	return 0;
}

/* The next run of this block, or of the next one that nobody took. */
static uint64_t take_block(struct source *source, struct order_block *block,
			   uint64_t *first)
{
	while (!block->over) {
		uint64_t count = 0;

		if (block->region)
			count = take_in_block(source, block, first);
		if (count)
			return count;
		block->over = !order_next_block(source->map, &source->order.block,
						&block->region, &block->page,
						&block->end);
	}
	return 0;
}

/**
 * order_next() - take the next run of pages to push
 * @source: whose pages and fault history decide
 * @cursor: of the calling lane
 * @region: receives the region
 * @first: receives the first page
 * @count: receives how many, at most run_pages(); their sent bits are set
 *
 * Return: false when every page is sent or taken.
 */
bool order_next(struct source *source, struct order_cursor *cursor,
		struct region **region, uint64_t *first, uint64_t *count)
{
	pivot_update(source, cursor);
	if (cursor->pivot.region) {
		struct region *near = cursor->pivot.region;

		*count = take_near(source, cursor, first);
		*region = near;
		if (*count)
			return true;
	}
	*count = take_block(source, &cursor->rest, first);
	*region = cursor->rest.region;
	return *count;
}
