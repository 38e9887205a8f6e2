// SPDX-License-Identifier: LGPL-2.1-or-later
/* walk.c - go once over the pages of a guest, leaping over the empty ones. */
#include "copy/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "copy/frame.h"
#include "copy/kind.h"

/* One region being walked. */
struct step {
	const struct walk *walk;
	struct region *region;
	uint64_t page;		/* all before it are done */
	uint8_t *buffer;	/* one run */
};

static uint64_t clip(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static void walk_lock(const struct walk *walk)
{
	if (walk->lock)
		pthread_rwlock_rdlock(walk->lock);
}

static void walk_unlock(const struct walk *walk)
{
	if (walk->lock)
		pthread_rwlock_unlock(walk->lock);
}

static int walk_hole(struct step *step, uint64_t end)
{
	const struct walk *walk = step->walk;
	uint64_t first, count = 1;
	int ret = 0;

	while (!ret && count) {
		walk_lock(walk);
		count = walk->next(walk->arg, step->region, step->page, end,
				   &first);
		if (count)
			ret = walk->run(walk->arg, step->region, first, count,
					NULL);
		walk_unlock(walk);
		step->page = count ? first + count : end;
	}
	return ret;
}

/* One run that begins before @stop. Return: 0 or what ends the walk. */
static int walk_run(struct step *step, uint64_t stop)
{
	const struct walk *walk = step->walk;
	struct region *region = step->region;
	uint64_t first, count;
	int ret;

	count = clip(walk->next(walk->arg, region, step->page, stop, &first),
		     run_pages(region));
	if (!count) {
		step->page = stop;
		return 0;
	}
	ret = region->kind->read(region, first, count, step->buffer);
	if (!ret)
		ret = walk->run(walk->arg, region, first, count, step->buffer);
	if (!ret)
		step->page = first + count;
	return ret;
}

/* In blocks: to find where a run ends costs no more than a block. */
static int walk_data(struct step *step, uint64_t end)
{
	int ret = 0;

	while (!ret && step->page < end) {
		walk_lock(step->walk);
		ret = walk_run(step, clip(step->page +
					  block_pages(step->region), end));
		walk_unlock(step->walk);
	}
	return ret;
}

/* What is populated up to here; what lies before it is a hole. */
static int walk_populated(struct range range, void *arg)
{
	struct step *step = arg;
	uint64_t first, end;
	int ret = 0;

	range_pages(step->region, range, &first, &end);
	if (first > step->page)
		ret = walk_hole(step, first);
	if (!ret)
		ret = walk_data(step, end);
	return ret;
}

/**
 * walk_pages() - hand out every wanted page of all regions, in order
 * @walk: what is wanted, and what for
 *
 * Return: 0, what @walk's run returned, -ENOMEM, or -errno of the memory.
 */
int walk_pages(const struct walk *walk)
{
	struct step step = { .walk = walk };
	unsigned int i;
	int ret = 0;

	step.buffer = aligned_alloc(4096, frame_payload_max(walk->map));
	if (!step.buffer)
		return -ENOMEM;
	for (i = 0; i < walk->map->count && !ret; i++) {
		step.region = &walk->map->regions[i];
		step.page = 0;
		ret = step.region->kind->populated(step.region, 0,
				step.region->pages, walk_populated, &step);
		if (!ret)
			ret = walk_hole(&step, step.region->pages);
	}
	free(step.buffer);
	return ret;
}
