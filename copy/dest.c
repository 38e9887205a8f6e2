// SPDX-License-Identifier: LGPL-2.1-or-later
/* dest.c - the end that misses the pages: its life and its threads. */
#include "copy/dest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "copy/kind.h"
#include "sys.h"

static void event_signal(int fd)
{
	uint64_t one = 1;

	(void)sys_retry(write(fd, &one, sizeof(one)));
}

/* All regions' words, one behind the other, in a file. */
static int states_map(struct dest *dest, const char *path)
{
	uint64_t words = 0;
	uint64_t *next;
	unsigned int i;
	int fd, ret;

	for (i = 0; i < dest->map->count; i++)
		words += pages_words(dest->map->regions[i].pages);
	dest->states_size = words * sizeof(uint64_t);
	fd = sys_ret(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	/* All of it now: a full tmpfs later would be a SIGBUS. */
	ret = sys_retry(fallocate(fd, 0, 0, (off_t)dest->states_size));
	if (!ret)
		ret = sys_mmap(&dest->states, dest->states_size,
			       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (ret < 0) {
		unlink(path);
		return ret;
	}
	next = dest->states;
	for (i = 0; i < dest->map->count; i++) {
		dest->pages[i].words = next;
		dest->pages[i].count = dest->map->regions[i].pages;
		next += pages_words(dest->pages[i].count);
	}
	return 0;
}

static void events_close(struct dest *dest)
{
	int *fds[] = { &dest->event_fd, &dest->stop_fd, &dest->rewant_fd };
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
}

static int events_open(struct dest *dest)
{
	int *fds[] = { &dest->event_fd, &dest->stop_fd, &dest->rewant_fd };
	unsigned int i;

	for (i = 0; i < 3; i++)
		*fds[i] = -1;
	for (i = 0; i < 3; i++) {
		*fds[i] = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		if (*fds[i] < 0)
			return *fds[i];
	}
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
	struct dest *made = calloc(1, sizeof(*made));
	int ret;

	if (!made)
		return -ENOMEM;
	made->map = map;
	made->uffd = uffd;
	ret = events_open(made);
	if (!ret)
		ret = states_map(made, states_path);
	if (ret < 0) {
		events_close(made);
		free(made);
		return ret;
	}
	made->missing = region_map_bytes(map) >> 12;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	*dest = made;
	return 0;
}

/**
 * dest_stop() - end every thread; lanes stay open, and the source unaware
 * @dest: whoever waits for a page goes on waiting. Twice is once
 *
 * From here on nobody uses the userfaultfd.
 */
void dest_stop(struct dest *dest)
{
	unsigned int i;

	pthread_mutex_lock(&dest->lock);
	__atomic_store_n(&dest->stopping, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&dest->changed);
	pthread_mutex_unlock(&dest->lock);
	event_signal(dest->stop_fd);
	for (i = 0; i < dest->lane_count; i++) {
		struct dest_lane *self = dest->lanes[i];

		if (!self->running)
			continue;
		lane_stop_receiving(self->lane);
		pthread_join(self->thread, NULL);
		self->running = false;
	}
	if (dest->settling)
		pthread_join(dest->settler, NULL);
	dest->settling = false;
}

/**
 * dest_destroy() - stop every thread, close every lane, free
 * @dest: NULL is fine. Whoever waits for a page goes on waiting
 */
void dest_destroy(struct dest *dest)
{
	unsigned int i;

	if (!dest)
		return;
	for (i = 0; i < dest->lane_count; i++)
		lane_shutdown(dest->lanes[i]->lane);
	dest_stop(dest);
	for (i = 0; i < dest->lane_count; i++) {
		lane_destroy(dest->lanes[i]->lane);
		free(dest->lanes[i]);
	}
	munmap(dest->states, dest->states_size);
	pthread_cond_destroy(&dest->changed);
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

/*
 * A lane may end when nothing is missing any more: the source closes it. One
 * that fails is broken at once, so that the source does not wait for it.
 */
static void lane_ended(struct dest_lane *self, int error)
{
	if (error >= 0 || dest_complete(self->dest) ||
	    dest_stopping(self->dest))
		return;
	lane_shutdown(self->lane);
	dest_fail(self->dest, error);
}

static void *receive_main(void *arg)
{
	struct dest_lane *self = arg;

	lane_ended(self, receive_rounds(self));
	return NULL;
}

/* Faults are nobody's business before it is known what is missing. */
static bool switch_wait(struct dest *dest)
{
	bool go;

	pthread_mutex_lock(&dest->lock);
	while (!dest->switched && !dest->stopping)
		pthread_cond_wait(&dest->changed, &dest->lock);
	go = !dest->stopping;
	pthread_mutex_unlock(&dest->lock);
	return go;
}

static void *fault_main(void *arg)
{
	struct dest_lane *self = arg;

	if (switch_wait(self->dest))
		lane_ended(self, fault_serve(self));
	return NULL;
}

/**
 * dest_add_lane() - start the thread of a lane
 * @dest: not switched yet
 * @lane: owned by the dest from success on
 *
 * Return: 0, -ENOSPC (DEST_LANES_MAX) or -errno.
 */
int dest_add_lane(struct dest *dest, struct lane *lane)
{
	bool push = lane->role == LANE_PUSH;
	struct dest_lane *self;
	char name[16];
	int ret;

	if (dest->lane_count == DEST_LANES_MAX)
		return -ENOSPC;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->dest = dest;
	self->lane = lane;
	ret = pthread_create(&self->thread, NULL,
			     push ? receive_main : fault_main, self);
	if (ret) {
		free(self);
		return -ret;
	}
	self->running = true;
	snprintf(name, sizeof(name), "copy-%s/%u", push ? "recv" : "fault",
		 lane->index % 1000);
	pthread_setname_np(self->thread, name);
	dest->lanes[dest->lane_count++] = self;
	return 0;
}

/**
 * dest_barrier_passed() - up to which generation every push lane is through
 * @dest: to ask
 *
 * Return: the newest generation whose barrier came on all of them, 0: none.
 */
uint32_t dest_barrier_passed(const struct dest *dest)
{
	uint32_t passed = UINT32_MAX;
	unsigned int i;

	for (i = 0; i < dest->lane_count; i++) {
		uint32_t lane = __atomic_load_n(&dest->lanes[i]->passed,
						__ATOMIC_ACQUIRE);

		if (dest->lanes[i]->lane->role == LANE_PUSH && lane < passed)
			passed = lane;
	}
	return passed == UINT32_MAX ? 0 : passed;
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
	missing = pages_keep(&dest->pages[region->id], first, count, keep);
	if (small_pages(region, count - missing) > dest->missing)
		return -EPROTO;		/* pages were named twice */
	dest->missing -= small_pages(region, count - missing);
	dest->uncounted += count - missing;
	return 0;
}

static void frames_take(struct dest *dest, uint32_t generation)
{
	pthread_mutex_lock(&dest->lock);
	dest->generation = generation;
	dest->stale = generation > 1;
	__atomic_store_n(&dest->switched, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&dest->changed);
	pthread_mutex_unlock(&dest->lock);
}

/**
 * dest_serve() - answer the faults of those who load devices, of nobody else
 * @dest: every page was named in dest_keep()
 * @generation: of post-copy frames, which are taken from here on
 * @loads: which threads these are; called by any fault thread
 * @arg: for @loads
 *
 * Whoever else touches a page waits until dest_switch().
 */
void dest_serve(struct dest *dest, uint32_t generation, dest_thread_fn *loads,
		void *arg)
{
	dest->loads = loads;
	dest->loads_arg = arg;
	frames_take(dest, generation);
}

/* Faults that were read and not answered come again. */
static int withheld_wake(struct dest *dest)
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
	if (!dest->loads) {
		frames_take(dest, generation);
		return 0;
	}
	return withheld_wake(dest);
}

static void *settle_main(void *arg)
{
	struct dest *dest = arg;
	int ret = settle_kept(dest);

	if (ret < 0 && ret != -ECANCELED)
		dest_fail(dest, ret);
	dest_signal(dest);
	return NULL;
}

/**
 * dest_settle() - map and count the kept pages, in the background
 * @dest: the guest was started, or is about to be
 *
 * Return: 0 or -errno.
 */
int dest_settle(struct dest *dest)
{
	int ret = pthread_create(&dest->settler, NULL, settle_main, dest);

	if (ret)
		return -ret;
	pthread_setname_np(dest->settler, "copy-settle");
	dest->settling = true;
	return 0;
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
	       !__atomic_load_n(&dest->uncounted, __ATOMIC_ACQUIRE);
}
