// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dest_lanes.c - the threads of the dest: one for each lane, and the watcher.
 *
 * A lane that breaks past the switch leaves its thread without one: a fault
 * thread goes on with the pages that are present, and notes who waits for
 * others. When the source is there again, all lanes are replaced at once: by a
 * watcher, which does the same, and then by new lanes. Between two of these
 * steps no thread runs, so that none sees half of one; whoever waits is woken
 * after it, and asks again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "copy/dest.h"
#include "sys.h"
#include "thread.h"

/**
 * dest_lane_broke() - note that a lane ended
 * @self: the lane, or the watcher
 * @error: why, -errno
 *
 * It may when nothing is missing any more: the source closes it. One that
 * fails is broken at once, so that the source does not wait for it.
 */
void dest_lane_broke(struct dest_lane *self, int error)
{
	if (error >= 0 || dest_complete(self->dest) ||
	    dest_stopping(self->dest))
		return;
	if (self->lane)
		lane_shutdown(self->lane);
	dest_fail(self->dest, error);
}

static void *receive_main(void *arg)
{
	struct dest_lane *self = arg;

	dest_lane_broke(self, receive_rounds(self));
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
		dest_lane_broke(self, fault_serve(self));
	return NULL;
}

static int thread_start(struct dest_lane *self)
{
	bool push = self->lane && self->lane->role == LANE_PUSH;
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "copy-%s/%u", push ? "recv" : "fault",
		 self->lane ? self->lane->index % 1000 : 999);
	ret = thread_create(&self->thread, name,
			    push ? receive_main : fault_main, self);
	self->running = !ret;
	return ret;
}

static void thread_join(struct dest_lane *self)
{
	if (!self || !self->running)
		return;
	if (self->lane)
		lane_stop_receiving(self->lane);
	pthread_join(self->thread, NULL);
	self->running = false;
}

/**
 * dest_add_lane() - take a lane, and start its thread
 * @dest: not switched yet; or its lanes have ended, then threads start in
 *	dest_lanes_start()
 * @lane: owned by the dest from success on
 *
 * Return: 0, -ENOSPC (DEST_LANES_MAX) or -errno.
 */
int dest_add_lane(struct dest *dest, struct lane *lane)
{
	struct dest_lane *self;
	int ret;

	if (dest->lane_count == DEST_LANES_MAX)
		return -ENOSPC;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->dest = dest;
	self->lane = lane;
	self->ledger = &dest->states.ledgers[dest->lane_count];
	ret = dest->waiting ? 0 : thread_start(self);
	if (ret) {
		free(self);
		return ret;
	}
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
 * dest_stop() - end every thread; lanes stay open, and the source unaware
 * @dest: whoever waits for a page goes on waiting. Twice is once
 *
 * From here on nobody uses the userfaultfd.
 */
void dest_stop(struct dest *dest)
{
	uint64_t one = 1;
	unsigned int i;

	pthread_mutex_lock(&dest->lock);
	__atomic_store_n(&dest->stopping, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&dest->changed);
	pthread_mutex_unlock(&dest->lock);
	(void)sys_retry(write(dest->stop_fd, &one, sizeof(one)));
	for (i = 0; i < dest->lane_count; i++)
		thread_join(dest->lanes[i]);
	thread_join(dest->watcher);
	if (dest->settling)
		pthread_join(dest->settler, NULL);
	dest->settling = false;
}

/**
 * dest_lanes_destroy() - stop every thread, close every lane
 * @dest: whoever waits for a page goes on waiting
 */
void dest_lanes_destroy(struct dest *dest)
{
	unsigned int i;

	for (i = 0; i < dest->lane_count; i++)
		lane_shutdown(dest->lanes[i]->lane);
	dest_stop(dest);
	for (i = 0; i < dest->lane_count; i++) {
		lane_destroy(dest->lanes[i]->lane);
		free(dest->lanes[i]);
	}
	dest->lane_count = 0;
	free(dest->watcher);
	dest->watcher = NULL;
}

/* After dest_stop(): threads may run again, and nothing has happened yet. */
static void threads_allow(struct dest *dest)
{
	int *fds[] = { &dest->stop_fd, &dest->rewant_fd };
	uint64_t value;
	unsigned int i;

	for (i = 0; i < 2; i++)
		(void)sys_retry(read(*fds[i], &value, sizeof(value)));
	for (i = 0; i < dest->map->count; i++)
		pages_forget(&dest->states.pages[i]);
	dest->rewants = dest->asked = 0;
	dest->error = 0;
	__atomic_store_n(&dest->stopping, false, __ATOMIC_RELAXED);
}

/* Whoever was overlooked comes again; the sweep goes on where it was. */
static int threads_follow(struct dest *dest)
{
	int ret = dest_wake(dest);

	if (!ret && __atomic_load_n(&dest->uncounted, __ATOMIC_ACQUIRE))
		ret = dest_settle(dest);
	return ret;
}

static int watcher_start(struct dest *dest)
{
	struct dest_lane *self = calloc(1, sizeof(*self));
	int ret;

	if (!self)
		return -ENOMEM;
	self->dest = dest;
	self->ledger = &dest->states.ledgers[DEST_LANES_MAX];
	ret = thread_start(self);
	if (ret) {
		free(self);
		return ret;
	}
	dest->watcher = self;
	return 0;
}

/**
 * dest_lanes_end() - let go of lanes that broke; present pages are served
 * @dest: switched, or adopted
 *
 * Lanes that are added from here on wait for dest_lanes_start().
 *
 * Return: 0 or -errno: faults are not read until dest_lanes_start().
 */
int dest_lanes_end(struct dest *dest)
{
	int ret;

	dest_lanes_destroy(dest);
	threads_allow(dest);
	dest->waiting = true;
	ret = watcher_start(dest);
	return ret ? ret : threads_follow(dest);
}

/**
 * dest_lanes_start() - new lanes are there: ask for what is waited for
 * @dest: after dest_lanes_end(), with all its new lanes
 * @generation: of the frames that come on them
 *
 * Return: 0 or -errno: the lanes are of no use.
 */
int dest_lanes_start(struct dest *dest, uint32_t generation)
{
	unsigned int i;
	int ret = 0;

	dest_stop(dest);
	free(dest->watcher);
	dest->watcher = NULL;
	threads_allow(dest);
	dest->waiting = false;
	dest->generation = generation;
	for (i = 0; i < dest->lane_count && !ret; i++)
		ret = thread_start(dest->lanes[i]);
	return ret ? ret : threads_follow(dest);
}
