// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * writer.c - the thread that dirties memory: random pages of the working set.
 */
#include <pthread.h>

#include "guest.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int holds;		/* under @lock: who wants it to stand still */
	bool busy;			/* under @lock */
	_Atomic uint64_t rate;
} writer = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
};

static void writer_enter(void)
{
	pthread_mutex_lock(&writer.lock);
	while (writer.holds)
		pthread_cond_wait(&writer.changed, &writer.lock);
	writer.busy = true;
	pthread_mutex_unlock(&writer.lock);
}

static void writer_leave(void)
{
	pthread_mutex_lock(&writer.lock);
	writer.busy = false;
	pthread_cond_broadcast(&writer.changed);
	pthread_mutex_unlock(&writer.lock);
}

/* xorshift64 (Marsaglia 2003); never 0. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

static uint64_t working_set_pages(void)
{
	uint64_t pages = config.ws_mib * ((1u << 20) / BLOCK_BYTES);

	return pages && pages < memory_pages() ? pages : memory_pages();
}

static void *writer_run(void *arg)
{
	uint64_t pages = working_set_pages();
	uint64_t state = boot_id | 1;
	struct pace pace;

	(void)arg;
	pace_init(&pace);
	for (;;) {
		uint64_t count = pace_grant(&pace, writer.rate);

		writer_enter();
		while (count--)
			memory_rewrite(random_next(&state) % pages);
		writer_leave();
	}
	return NULL;
}

/**
 * writer_start() - start the thread, if there is memory to write to
 */
void writer_start(void)
{
	writer.rate = config.rate_pages;
	if (memory_pages())
		thread_start("writer", writer_run, NULL);
}

/**
 * writer_set_rate() - from now on, @pages a second; 0: no limit
 */
void writer_set_rate(uint64_t pages)
{
	writer.rate = pages;
}

/**
 * writer_hold() - make the writer stand still, and wait until it does
 *
 * Each call needs a writer_release().
 */
void writer_hold(void)
{
	pthread_mutex_lock(&writer.lock);
	writer.holds++;
	while (writer.busy)
		pthread_cond_wait(&writer.changed, &writer.lock);
	pthread_mutex_unlock(&writer.lock);
}

/**
 * writer_release() - let it go on
 */
void writer_release(void)
{
	pthread_mutex_lock(&writer.lock);
	writer.holds--;
	pthread_cond_broadcast(&writer.changed);
	pthread_mutex_unlock(&writer.lock);
}
