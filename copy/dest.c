// SPDX-License-Identifier: LGPL-2.1-or-later
/* dest.c - the end that misses the pages: its life, and the switch. */
#include "copy/dest.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "copy/kind.h"
#include "sys.h"

static void event_signal(int fd)
{
	uint64_t one = 1;

	(void)sys_retry(write(fd, &one, sizeof(one)));
}

static void events_close(struct dest *dest)
{
	int *fds[] = { &dest->event_fd, &dest->stop_fd, &dest->rewant_fd,
		       &dest->early_fd };
	unsigned int i;

	for (i = 0; i < 4; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
}

static int events_open(struct dest *dest)
{
	int *fds[] = { &dest->event_fd, &dest->stop_fd, &dest->rewant_fd,
		       &dest->early_fd };
	unsigned int i;

	for (i = 0; i < 4; i++)
		*fds[i] = -1;
	for (i = 0; i < 4; i++) {
		*fds[i] = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (*fds[i] < 0)
			return *fds[i];
	}
	return 0;
}

static void locks_init(struct dest *dest)
{
	pthread_rwlockattr_t attr;

	pthread_mutex_init(&dest->lock, NULL);
	pthread_mutex_init(&dest->counting, NULL);
	pthread_cond_init(&dest->changed, NULL);
	/* A guest's fault is not to wait until no page arrives any more. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
			PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&dest->removal, &attr);
	pthread_rwlockattr_destroy(&attr);
}

typedef int states_fn(struct states *states, const char *path,
		      const struct region_map *map);

static int dest_make(struct region_map *map, states_fn *states,
		     const char *path, int uffd, struct dest **dest)
{
	struct dest *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	made->map = map;
	made->uffd = uffd;
	ret = events_open(made);
	if (!ret)
		ret = states(&made->states, path, map);
	if (ret < 0) {
		events_close(made);
		free(made);
		return ret;
	}
	locks_init(made);
	*dest = made;
	return 0;
}

/**
 * dest_create() - make a dest, without lanes
 * @map: its regions, registered with @uffd; outlives it
 * @states_path: file to make for the page states, on tmpfs
 * @uffd: over all regions; borrowed
 * @dest: receives it; dest_destroy() frees it. The file is the caller's
 *
 * Return: 0 or -errno.
 */
int dest_create(struct region_map *map, const char *states_path, int uffd,
		struct dest **dest)
{
	struct dest *made;
	int ret = dest_make(map, states_create, states_path, uffd, &made);

	if (ret)
		return ret;
	made->missing = region_map_bytes(map) >> 12;
	ret = early_start(made);
	if (ret) {
		dest_destroy(made);
		unlink(states_path);
		return ret;
	}
	*dest = made;
	return 0;
}

/**
 * dest_adopt() - go on where a predecessor ended, past the switch
 * @map: its regions, as they were
 * @states_path: the file that it left; nobody else uses it
 * @uffd: over all regions, the same as it had; borrowed
 * @inserts: its dest_inserts(). A page of these regions that the file has, the
 *	guest may have written
 * @dest: receives it; dest_destroy() frees it. dest_lanes_end() has it serve
 *	what is present
 *
 * What never came may lie half in the guest's file: it counts as stale.
 *
 * Return: 0; -EUCLEAN: the file is of something else; or -errno.
 */
int dest_adopt(struct region_map *map, const char *states_path, int uffd,
	       uint64_t inserts, struct dest **dest)
{
	int ret = dest_make(map, states_open, states_path, uffd, dest);
	unsigned int i;

	if (ret < 0)
		return ret;
	for (i = 0; i < map->count; i++) {
		struct pages *pages = &(*dest)->states.pages[i];
		unsigned int mask = PAGE_STATE | PAGE_COUNTED;

		map->regions[i].inherited = true;
		(*dest)->missing += small_pages(&map->regions[i],
				pages_with(pages, PAGE_STATE, PAGE_MISSING));
		(*dest)->uncounted += pages_with(pages, mask, PAGE_PRESENT);
		(*dest)->discards += pages_with(pages, mask, PAGE_DISCARDED);
	}
	(*dest)->switched = (*dest)->owned = (*dest)->stale = true;
	(*dest)->inserts = inserts;
	return 0;
}

/**
 * dest_destroy() - stop every thread, close every lane, free
 * @dest: NULL is fine. Whoever waits for a page goes on waiting
 */
void dest_destroy(struct dest *dest)
{
	if (!dest)
		return;
	early_end(dest);
	dest_lanes_destroy(dest);
	states_close(&dest->states);
	pthread_rwlock_destroy(&dest->removal);
	pthread_cond_destroy(&dest->changed);
	pthread_mutex_destroy(&dest->counting);
	pthread_mutex_destroy(&dest->lock);
	events_close(dest);
	free(dest);
}

/**
 * dest_signal() - wake whoever polls the dest's event_fd
 * @dest: has news
 */
void dest_signal(struct dest *dest)
{
	event_signal(dest->event_fd);
}

/**
 * dest_fail() - note an error; the first one stands
 * @dest: that cannot go on
 * @error: -errno
 */
void dest_fail(struct dest *dest, int error)
{
	pthread_mutex_lock(&dest->lock);
	if (!dest->error && !dest->stopping)
		dest->error = error;
	pthread_mutex_unlock(&dest->lock);
	dest_signal(dest);
}

/**
 * dest_error() - what went wrong first in a thread of the dest
 * @dest: to ask
 *
 * Return: 0 or -errno.
 */
int dest_error(struct dest *dest)
{
	int error;

	pthread_mutex_lock(&dest->lock);
	error = dest->error;
	pthread_mutex_unlock(&dest->lock);
	return error;
}

/**
 * dest_keep() - the switch: which of some pages hold what the source has
 * @dest: not switched; all push lanes have passed the last barrier
 * @region: of the pages
 * @first: the first of them, a multiple of 64
 * @count: how many
 * @keep: a bit a page
 *
 * Every page must be named once before dest_switch().
 *
 * Return: 0, or -EPROTO when the run is not within the region or comes late.
 */
int dest_keep(struct dest *dest, struct region *region, uint64_t first,
	      uint64_t count, const uint64_t *keep)
{
	uint64_t missing;

	if (dest->switched || first % BITS_PER_WORD || !count ||
	    first >= region->pages || count > region->pages - first)
		return -EPROTO;
	missing = pages_keep(dest_pages(dest, region), first, count, keep);
	if (small_pages(region, count - missing) > dest->missing)
		return -EPROTO;		/* pages were named twice */
	dest->missing -= small_pages(region, count - missing);
	dest->uncounted += count - missing;
	return 0;
}

/**
 * dest_inserts() - into which regions pages are inserted
 * @dest: as long as it is not switched it is decided here
 * @generation: of post-copy frames; after the first one pages of rounds may lie in
 *	the files, which are written over
 *
 * A successor has to know: whatever the file has of such a region is complete,
 * and may have been seen.
 *
 * Return: a bit a region, by id.
 */
uint64_t dest_inserts(struct dest *dest, uint32_t generation)
{
	unsigned int i;

	for (i = 0; i < dest->map->count && !dest->switched && generation == 1; i++)
		if (region_inserts(&dest->map->regions[i]))
			dest->inserts |= UINT64_C(1) << i;
	return dest->inserts;
}

static void frames_take(struct dest *dest, uint32_t generation)
{
	early_end(dest);
	dest_inserts(dest, generation);
	pthread_mutex_lock(&dest->lock);
	dest->generation = generation;
	dest->stale = generation > 1;
	__atomic_store_n(&dest->switched, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&dest->changed);
	pthread_mutex_unlock(&dest->lock);
}

/**
 * dest_wake() - faults that were read and not answered come again
 * @dest: switched
 *
 * Return: 0 or -errno: somebody may wait whom nobody answers.
 */
int dest_wake(struct dest *dest)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < dest->map->count && !ret; i++) {
		struct region *region = &dest->map->regions[i];

		ret = uffd_wake(dest->uffd,
				page_range(region, 0, region->pages));
	}
	return ret;
}

/**
 * dest_serve() - answer the faults of those who load devices, of nobody else
 * @dest: every page was named in dest_keep()
 * @generation: of post-copy frames, which are taken from here on
 * @loads: which threads these are; called by any fault thread
 * @arg: for @loads
 *
 * Whoever else touches a page waits until dest_switch().
 *
 * Return: 0 or -errno: somebody may wait whom nobody answers.
 */
int dest_serve(struct dest *dest, uint32_t generation, dest_thread_fn *loads,
	       void *arg)
{
	dest->loads = loads;
	dest->loads_arg = arg;
	frames_take(dest, generation);
	return dest_wake(dest);
}

/**
 * dest_switch() - faults are served and post-copy frames taken from here on
 * @dest: every page was named in dest_keep()
 * @generation: of post-copy frames
 *
 * Pairs with fault_withheld(): a fault that was read before @owned was set
 * waits in the kernel, where the wake finds it.
 *
 * Return: 0 or -errno: somebody may wait whom nobody answers.
 */
int dest_switch(struct dest *dest, uint32_t generation)
{
	__atomic_store_n(&dest->owned, true, __ATOMIC_SEQ_CST);
	if (!dest->loads)
		frames_take(dest, generation);
	return dest_wake(dest);
}

/**
 * dest_complete() - whether nothing is missing and everything is counted
 * @dest: to ask
 *
 * Return: true when the proofs are final.
 */
bool dest_complete(const struct dest *dest)
{
	return __atomic_load_n(&dest->switched, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&dest->missing, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&dest->uncounted, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&dest->discards, __ATOMIC_ACQUIRE);
}
