// SPDX-License-Identifier: LGPL-2.1-or-later
/* precopy.c - which pages a round has to send. */
#include "copy/kind.h"
#include "copy/source.h"

#define GAP_MERGE	64	/* dirty pages between two gaps: one look */

/* What a scan found is dirty. */
struct scan {
	struct source *source;
	struct region *region;
	struct uffd_tracker *tracker;	/* where it is about writes */
};

static int mark_dirty(struct range range, void *arg)
{
	struct scan *scan = arg;
	uint64_t first, end;

	range_pages(scan->region, range, &first, &end);
	bitmap_set_range(&scan->source->regions[scan->region->id].dirty, first,
			 end - first);
	return 0;
}

/* Not mapped, and it was sent: it may have become a hole since. */
static int mark_holes(struct range range, void *arg)
{
	struct scan *scan = arg;
	struct source_region *state = &scan->source->regions[scan->region->id];
	uint64_t page, end;

	range_pages(scan->region, range, &page, &end);
	for (;; page++) {
		int ret;

		page = bitmap_next(&state->filled, page, end, true);
		if (page == end)
			return 0;
		ret = scan->region->kind->is_hole(scan->region, page);
		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		bitmap_clear(&state->filled, page);
		bitmap_set(&state->dirty, page);
	}
}

/* The end of a gap in @dirty that begins at @first, short runs included. */
static uint64_t gap_end(const struct bitmap *dirty, uint64_t first)
{
	uint64_t end, next = first;

	do {
		end = bitmap_next(dirty, next, dirty->bits, true);
		next = bitmap_next(dirty, end, dirty->bits, false);
	} while (next < dirty->bits && next - end < GAP_MERGE);
	return end;
}

/* What is dirty already is not looked at again. */
static int each_gap(struct scan *scan,
		    int (*look)(struct scan *scan, uint64_t first, uint64_t count))
{
	const struct bitmap *dirty = &scan->source->regions[scan->region->id].dirty;
	uint64_t first, end = 0;

	for (;;) {
		int ret;

		first = bitmap_next(dirty, end, dirty->bits, false);
		if (first >= dirty->bits)
			return 0;
		end = gap_end(dirty, first);
		ret = look(scan, first, end - first);
		if (ret)
			return ret;
	}
}

static int look_populated(struct scan *scan, uint64_t first, uint64_t count)
{
	return scan->region->kind->populated(scan->region, first, count, mark_dirty, scan);
}

static int look_written(struct scan *scan, uint64_t first, uint64_t count)
{
	return uffd_written(scan->tracker, page_range(scan->region, first, count),
			    mark_dirty, scan);
}

/* A hole that was punched into a file is no write, nor is a huge page that went. */
static int look_unmapped(struct scan *scan, uint64_t first, uint64_t count)
{
	return uffd_unmapped(scan->tracker, page_range(scan->region, first, count),
			     mark_holes, scan);
}

static int scan_populated(struct scan *scan)
{
	return each_gap(scan, look_populated);
}

static int scan_holes(struct scan *scan)
{
	return scan->region->kind->is_hole ? each_gap(scan, look_unmapped) : 0;
}

static int scan_written(struct scan *scan)
{
	int ret = look_written(scan, 0, scan->region->pages);

	return ret ? ret : scan_holes(scan);
}

static int scan_written_since(struct scan *scan)
{
	int ret = each_gap(scan, look_written);

	return ret ? ret : scan_holes(scan);
}

static int each_region(struct source *source, struct uffd_tracker *tracker,
		       int (*look)(struct scan *scan))
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < source->map->count && !ret; i++) {
		struct scan scan = { source, &source->map->regions[i], tracker };

		ret = look(&scan);
	}
	return ret;
}

/**
 * source_populated() - everything that was ever written is to be sent
 * @source: no round runs. With dirty tracking: it was armed before this call
 *
 * Memory that holds nothing is zero at the dest already and is neither read
 * nor sent. What is dirty already is not looked at again: after a call while
 * the guest runs, one while it stands still finds only what came since.
 *
 * Return: 0 or -errno.
 */
int source_populated(struct source *source)
{
	return each_region(source, NULL, scan_populated);
}

/**
 * source_written() - mark what the guest has written since the last call
 * @source: no round runs
 * @tracker: armed over all regions; it is armed again in the same step
 *
 * A page that went without a write (a hole that was punched into a file, huge
 * pages that were dropped) is looked for where something was sent that is not
 * mapped any more.
 *
 * Return: 0 or -errno.
 */
int source_written(struct source *source, struct uffd_tracker *tracker)
{
	return each_region(source, tracker, scan_written);
}

/**
 * source_written_since() - source_written() again, for a guest that stood still
 * @source: no round ran since source_written(), nor should the guest have
 * @tracker: armed over all regions
 *
 * What is dirty already is not looked at again: it is to be sent in any case. A
 * page of it that was written stays unarmed, and is found by the next
 * source_written() once more.
 *
 * Return: 0 or -errno.
 */
int source_written_since(struct source *source, struct uffd_tracker *tracker)
{
	return each_region(source, tracker, scan_written_since);
}

/**
 * source_dirty_bytes() - how much memory is to be sent
 * @source: to ask
 *
 * Return: bytes.
 */
uint64_t source_dirty_bytes(const struct source *source)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < source->map->count; i++)
		bytes += bitmap_count(&source->regions[i].dirty)
				 << source->map->regions[i].page_shift;
	return bytes;
}

/**
 * source_unsent_pages() - how much the push has yet to take
 * @source: held
 *
 * Return: pages of 4 KiB.
 */
uint64_t source_unsent_pages(const struct source *source)
{
	uint64_t pages = 0;
	unsigned int i;

	for (i = 0; i < source->map->count; i++)
		pages += small_pages(&source->map->regions[i],
				     source->map->regions[i].pages -
				     bitmap_count(&source->regions[i].sent));
	return pages;
}
