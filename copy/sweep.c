// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sweep.c - the source counts the pages that the dest keeps from pre-copy.
 *
 * After lanes broke, or a worker was replaced, it counts all of them: memory
 * is frozen, so it does not matter when.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "copy/source.h"
#include "copy/walk.h"
#include "thread.h"

static uint64_t next_swept(void *arg, const struct region *region,
			  uint64_t from, uint64_t end, uint64_t *first)
{
	struct source *source = arg;
	struct bitmap *dirty = &source->regions[region->id].dirty;

	if (source->sweeps_all) {
		*first = from;
		return end - from;
	}
	*first = bitmap_next(dirty, from, end, false);
	return bitmap_next(dirty, *first, end, true) - *first;
}

static int count_swept(void *arg, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	struct source *source = arg;

	if (__atomic_load_n(&source->sweep_stop, __ATOMIC_RELAXED))
		return -ECANCELED;
	proof_add(&source->regions[region->id].proof, count,
		  digest_run(region, first, count, bytes));
	return 0;
}

static int sweep(struct source *source)
{
	struct walk walk = {
		.map = source->map,
		.next = next_swept,
		.run = count_swept,
		.arg = source,
	};

	setpriority(PRIO_PROCESS, 0, 5);
	return walk_pages(&walk);
}

static void *sweep_main(void *arg)
{
	struct source *source = arg;
	int ret = sweep(source);

	if (ret < 0 && ret != -ECANCELED) {
		__atomic_store_n(&source->sweep_error, ret, __ATOMIC_RELEASE);
		source_fail(source, ret);
	}
	source_signal(source);
	return NULL;
}

/**
 * source_sweep_start() - add pages to the proof of their regions
 * @source: held; its dirty bitmaps are frozen. Twice is once
 *
 * Runs beside the push, at a lower priority.
 *
 * Return: 0 or -errno.
 */
int source_sweep_start(struct source *source)
{
	int ret = source->sweeping ? 0 :
		  thread_create(&source->sweeper, "copy-sweep", sweep_main,
				source);

	if (!ret)
		source->sweeping = true;
	return ret;
}

/**
 * source_sweep_end() - end it, however far it is
 * @source: sweeping or not
 */
void source_sweep_end(struct source *source)
{
	__atomic_store_n(&source->sweep_stop, true, __ATOMIC_RELAXED);
	if (source->sweeping)
		pthread_join(source->sweeper, NULL);
	source->sweeping = false;
	source->sweep_stop = false;
}

/**
 * source_sweep_all() - count every page from now on, and anew
 * @source: held, without lanes. Twice is once, unless the sweep has failed
 */
void source_sweep_all(struct source *source)
{
	unsigned int i;

	if (source->sweeps_all &&
	    !__atomic_load_n(&source->sweep_error, __ATOMIC_ACQUIRE))
		return;
	source_sweep_end(source);
	for (i = 0; i < source->map->count; i++)
		memset(&source->regions[i].proof, 0,
		       sizeof(source->regions[i].proof));
	source->sweep_error = 0;
	source->sweeps_all = true;
}
