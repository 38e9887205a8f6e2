// SPDX-License-Identifier: LGPL-2.1-or-later
/* sweep.c - the source counts the pages that the dest keeps from pre-copy. */
#include <errno.h>
#include <sys/resource.h>

#include "copy/source.h"
#include "copy/walk.h"

static uint64_t next_kept(void *arg, const struct region *region,
			  uint64_t from, uint64_t end, uint64_t *first)
{
	struct source *source = arg;
	struct bitmap *dirty = &source->regions[region->id].dirty;

	*first = bitmap_next(dirty, from, end, false);
	return bitmap_next(dirty, *first, end, true) - *first;
}

static int count_kept(void *arg, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	struct source *source = arg;

	if (__atomic_load_n(&source->stopping, __ATOMIC_RELAXED))
		return -ECANCELED;
	proof_add(&source->regions[region->id].proof, count,
		  digest_run(region, first, count, bytes));
	return 0;
}

/**
 * sweep_kept() - add every kept page to the proof of its region
 * @source: held; its dirty bitmaps are frozen
 *
 * Runs beside the push, at a lower priority.
 *
 * Return: 0, -ECANCELED, or -errno when memory cannot be read.
 */
int sweep_kept(struct source *source)
{
	struct walk walk = {
		.map = source->map,
		.next = next_kept,
		.run = count_kept,
		.arg = source,
	};

	setpriority(PRIO_PROCESS, 0, 5);
	return walk_pages(&walk);
}
