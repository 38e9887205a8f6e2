// SPDX-License-Identifier: LGPL-2.1-or-later
/* source.c - the end that has the pages: its life, rounds, and the hold. */
#include "copy/source.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "sys.h"

static void bitmaps_fini(struct source *source)
{
	unsigned int i;

	for (i = 0; i < source->map->count; i++) {
		bitmap_fini(&source->regions[i].dirty);
		bitmap_fini(&source->regions[i].sent);
		bitmap_fini(&source->regions[i].filled);
	}
}

static int bitmaps_init(struct source *source)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < source->map->count && !ret; i++) {
		uint64_t pages = source->map->regions[i].pages;

		ret = bitmap_init(&source->regions[i].dirty, pages);
		if (!ret)
			ret = bitmap_init(&source->regions[i].sent, pages);
		if (!ret)
			ret = bitmap_init(&source->regions[i].filled, pages);
	}
	return ret;
}

/**
 * source_create() - make a source, without lanes
 * @map: its regions; outlives it
 * @bandwidth: limit of the push lanes, bytes a second; 0: none
 * @source: receives it; source_destroy() frees it
 *
 * Return: 0 or -errno.
 */
int source_create(struct region_map *map, uint64_t bandwidth,
		  struct source **source)
{
	struct source *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	made->map = map;
	made->sample.bytes = ROUND_SAMPLE_BYTES;
	made->sample.ns = ROUND_SAMPLE_NS;
	made->event_fd = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	ret = made->event_fd;
	if (ret < 0)
		goto err_free;
	ret = bitmaps_init(made);
	if (!ret)
		ret = limit_init(&made->limit, bandwidth);
	if (ret < 0)
		goto err_bitmaps;
	ahead_init(&made->ahead);
	worth_init(&made->worth);
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	*source = made;
	return 0;

err_bitmaps:
	bitmaps_fini(made);
	close(made->event_fd);
err_free:
	free(made);
	return ret;
}

/**
 * source_destroy() - stop every thread, close every lane, free
 * @source: NULL is fine
 */
void source_destroy(struct source *source)
{
	if (!source)
		return;
	source_sweep_end(source);
	source_lanes_destroy(source);
	pthread_cond_destroy(&source->changed);
	pthread_mutex_destroy(&source->lock);
	ahead_fini(&source->ahead);
	worth_fini(&source->worth);
	limit_fini(&source->limit);
	bitmaps_fini(source);
	close(source->event_fd);
	free(source);
}

/**
 * source_signal() - wake whoever polls the source's event_fd
 * @source: has news
 */
void source_signal(struct source *source)
{
	uint64_t one = 1;

	(void)sys_retry(write(source->event_fd, &one, sizeof(one)));
}

/**
 * source_fail() - note an error; the first one stands
 * @source: that cannot go on
 * @error: -errno
 */
void source_fail(struct source *source, int error)
{
	if (__atomic_load_n(&source->stopping, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&source->lock);
	if (!source->error)
		source->error = error;
	pthread_mutex_unlock(&source->lock);
	source_signal(source);
}

/**
 * source_error() - what went wrong first in a thread of the source
 * @source: to ask
 *
 * Return: 0 or -errno.
 */
int source_error(struct source *source)
{
	int error;

	pthread_mutex_lock(&source->lock);
	error = source->error;
	pthread_mutex_unlock(&source->lock);
	return error;
}

static uint64_t sent_pages_bytes(const struct source *source)
{
	/* Small and large pages alike: what they stand for in memory. */
	return stat_read(&source->stats.data_bytes) +
	       stat_read(&source->stats.zero_pages) * 4096;
}

/**
 * source_round_start() - send what is dirty, then a barrier on every push lane
 * @source: the last round is done
 * @generation: of the frames of this round
 * @leaves_out: the guest is tracked and runs, and there will be another scan:
 *	pages that it has written again before their turn stay dirty, unsent,
 *	once the round has sent a sample
 */
void source_round_start(struct source *source, uint32_t generation,
			bool leaves_out)
{
	source->leaves_out = leaves_out;
	__atomic_store_n(&source->cut_short, false, __ATOMIC_RELAXED);
	source->round_began_ns = now_ns();
	source->round_bytes = stat_read(&source->stats.round_bytes);
	source->round_pages = sent_pages_bytes(source);
	source->round_data = stat_read(&source->stats.data_bytes);
	source->round_left_out = stat_read(&source->stats.left_out_bytes);
	source_order(source, SOURCE_ROUND, generation);
}

/**
 * source_round_cut() - end the round early, with its barrier
 * @source: what was not sent stays dirty
 */
void source_round_cut(struct source *source)
{
	__atomic_store_n(&source->cut_short, true, __ATOMIC_RELAXED);
}

/**
 * source_round_done() - whether all push lanes have sent their barrier
 * @source: a round was started
 * @result: receives all that a round measures, when it is done;
 *	the caller adds what was dirtied meanwhile
 *
 * Return: true when it is done.
 */
bool source_round_done(struct source *source, struct round_result *result)
{
	bool done;

	pthread_mutex_lock(&source->lock);
	done = !source->busy;
	pthread_mutex_unlock(&source->lock);
	if (!done)
		return false;
	result->ns = now_ns() - source->round_began_ns;
	result->bytes = stat_read(&source->stats.round_bytes) -
			source->round_bytes;
	result->pages = sent_pages_bytes(source) - source->round_pages;
	result->data = stat_read(&source->stats.data_bytes) - source->round_data;
	result->left_out = stat_read(&source->stats.left_out_bytes) -
			   source->round_left_out;
	return true;
}

/**
 * source_hold() - the guest stands still: what is dirty now is missing there
 * @source: the last scan is done, no round runs
 *
 * From here on wants are answered, and the dirty bitmap says for ever which
 * pages the dest keeps.
 */
void source_hold(struct source *source)
{
	unsigned int i;

	for (i = 0; i < source->map->count; i++)
		bitmap_copy_inverted(&source->regions[i].sent,
				     &source->regions[i].dirty);
	__atomic_store_n(&source->held, true, __ATOMIC_RELEASE);
}

/**
 * source_push_start() - post-copy: push what was not sent, count what was
 * @source: held
 * @generation: of the frames from now on
 *
 * Again after source_lanes_end(), when there are new lanes.
 *
 * Return: 0 or -errno.
 */
int source_push_start(struct source *source, uint32_t generation)
{
	int ret = source_sweep_start(source);

	/* Lanes that come later are not to find an order of an older generation. */
	if (!ret && source->push_lanes)
		source_order(source, SOURCE_PUSH, generation);
	return ret;
}

/**
 * source_has() - which pages the dest has, as it says itself
 * @source: held, without lanes
 * @region: of the pages
 * @first: the first of them, a multiple of 64
 * @count: how many
 * @present: a bit a page; the others are sent again
 *
 * Return: 0, or -EPROTO when they are not within the region.
 */
int source_has(struct source *source, struct region *region, uint64_t first,
	       uint64_t count, const uint64_t *present)
{
	struct bitmap *sent = &source->regions[region->id].sent;

	if (first % BITS_PER_WORD || !count || first >= region->pages ||
	    count > region->pages - first)
		return -EPROTO;
	bitmap_store(sent, first, count, present);
	return 0;
}

/**
 * source_proven() - whether the proof covers every page
 * @source: to ask
 *
 * Return: true when each region's proof is final.
 */
bool source_proven(const struct source *source)
{
	unsigned int i;

	for (i = 0; i < source->map->count; i++) {
		const struct proof *proof = &source->regions[i].proof;

		if (__atomic_load_n(&proof->pages, __ATOMIC_ACQUIRE) !=
		    source->map->regions[i].pages)
			return false;
	}
	return true;
}
