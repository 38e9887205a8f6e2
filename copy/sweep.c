// SPDX-License-Identifier: LGPL-2.1-or-later
/* sweep.c - the source counts the pages that the dest keeps from pre-copy. */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "copy/kind.h"
#include "copy/source.h"

/* One region being counted: what lies between populated runs is zero. */
struct sweep {
	struct source *source;
	struct region *region;
	uint64_t page;		/* all before it are counted */
	uint8_t *buffer;	/* one run */
};

static struct source_region *swept(struct sweep *sweep)
{
	return &sweep->source->regions[sweep->region->id];
}

/* The next run of kept pages in [page, end). Return: its length, 0: none. */
static uint64_t next_kept(struct sweep *sweep, uint64_t end, uint64_t *first)
{
	struct bitmap *dirty = &swept(sweep)->dirty;

	*first = bitmap_next(dirty, sweep->page, end, false);
	return bitmap_next(dirty, *first, end, true) - *first;
}

static void sweep_hole(struct sweep *sweep, uint64_t end)
{
	uint64_t first, count;

	while ((count = next_kept(sweep, end, &first))) {
		proof_add(&swept(sweep)->proof, count,
			  digest_zero_run(sweep->region, first, count));
		sweep->page = first + count;
	}
	sweep->page = end;
}

static int sweep_run(struct sweep *sweep, uint64_t first, uint64_t count)
{
	uint64_t page, size = page_size(sweep->region);
	struct digest sum = { 0, 0 };
	int ret = sweep->region->kind->read(sweep->region, first, count,
					    sweep->buffer);

	if (ret < 0)
		return ret;
	for (page = 0; page < count; page++)
		digest_add(&sum, digest_page(sweep->region, first + page,
					     sweep->buffer + page * size));
	proof_add(&swept(sweep)->proof, count, sum);
	return 0;
}

static int sweep_data(struct range range, void *arg)
{
	struct sweep *sweep = arg;
	struct region *region = sweep->region;
	uint64_t at = (range.start - region->address) >> region->page_shift;
	uint64_t end = at + (range.len >> region->page_shift);
	uint64_t first, count;

	sweep_hole(sweep, at);
	while ((count = next_kept(sweep, end, &first))) {
		int ret;

		if (__atomic_load_n(&sweep->source->stopping,
				    __ATOMIC_RELAXED))
			return -ECANCELED;
		if (count > run_pages(region))
			count = run_pages(region);
		ret = sweep_run(sweep, first, count);
		if (ret < 0)
			return ret;
		sweep->page = first + count;
	}
	sweep->page = end;
	return 0;
}

/**
 * sweep_kept() - add every kept page to the proofs of its region
 * @source: held; its dirty bitmaps are frozen
 *
 * Runs beside the push, at a lower priority.
 *
 * Return: 0, -ECANCELED, or -errno when memory cannot be read.
 */
int sweep_kept(struct source *source)
{
	struct sweep sweep = { .source = source };
	unsigned int i;
	int ret = 0;

	setpriority(PRIO_PROCESS, 0, 5);
	sweep.buffer = aligned_alloc(4096, frame_payload_max(source->map));
	if (!sweep.buffer)
		return -ENOMEM;
	for (i = 0; i < source->map->count && !ret; i++) {
		sweep.region = &source->map->regions[i];
		sweep.page = 0;
		ret = sweep.region->kind->populated(sweep.region, 0,
				sweep.region->pages, sweep_data, &sweep);
		if (!ret)
			sweep_hole(&sweep, sweep.region->pages);
	}
	free(sweep.buffer);
	return ret;
}
