// SPDX-License-Identifier: LGPL-2.1-or-later
/* touch.c - one thread whose waits are measured, or many whose faults are counted. */
#include "tools/bench/touch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "sys.h"

#define STRIDE	40487		/* a prime */

/* One of many. */
struct toucher {
	const struct touching *touching;
	pthread_barrier_t *start;
	unsigned int number;
	pthread_t thread;
};

static void guest_works(unsigned int us)
{
	/* style: it is time that has to pass */
	usleep(us);
}

/**
 * touch() - read a byte of a page, after a pause
 * @touching: which memory
 * @number: of the touch: says which page
 *
 * Return: how long it took, nanoseconds.
 */
uint64_t touch(const struct touching *touching, uint64_t number)
{
	uint64_t stride = touching->walks ? 1 : STRIDE;
	uint64_t page = (touching->pages / 3 + (number + 1) * stride) % touching->pages;
	uint64_t began;

	if (touching->pause_us)
		guest_works(touching->pause_us);
	began = now_ns();
	(void)*(const volatile uint8_t *)(touching->memory + (page << touching->page_shift));
	return now_ns() - began;
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/**
 * quantile_us() - of waits
 * @ns: the waits, which are sorted
 * @count: how many, at least one
 * @quantile: 0.99: one in a hundred is longer
 *
 * Return: microseconds.
 */
double quantile_us(uint64_t *ns, size_t count, double quantile)
{
	qsort(ns, count, sizeof(*ns), compare_ns);
	return (double)ns[(size_t)((double)count * quantile)] / 1e3;
}

static int touch_alone(const struct touching *touching, double *us)
{
	uint64_t *ns = calloc(touching->count, sizeof(*ns));
	unsigned int i;

	if (!ns)
		return -ENOMEM;
	for (i = 0; i < touching->count; i++)
		ns[i] = touch(touching, i);
	*us = quantile_us(ns, touching->count, touching->quantile);
	free(ns);
	return 0;
}

static void *toucher_main(void *arg)
{
	const struct toucher *self = arg;
	const struct touching *touching = self->touching;
	unsigned int i;

	pthread_barrier_wait(self->start);
	for (i = self->number; i < touching->count; i += touching->threads)
		touch(touching, i);
	return NULL;
}

static int touchers_run(const struct touching *touching, struct toucher *touchers, double *rate)
{
	pthread_barrier_t start;
	uint64_t began;
	unsigned int i;

	pthread_barrier_init(&start, NULL, touching->threads + 1);
	for (i = 0; i < touching->threads; i++) {
		touchers[i] = (struct toucher){ touching, &start, i, 0 };
		/* Those that are there wait for ever: the process ends. */
		if (pthread_create(&touchers[i].thread, NULL, toucher_main, &touchers[i]))
			return -EAGAIN;
	}
	pthread_barrier_wait(&start);
	began = now_ns();
	for (i = 0; i < touching->threads; i++)
		pthread_join(touchers[i].thread, NULL);
	*rate = touching->count * 1e9 / (double)(now_ns() - began);
	pthread_barrier_destroy(&start);
	return 0;
}

/**
 * touch_all() - touch so many pages
 * @touching: which, and by how many threads
 * @value: receives microseconds of one thread, or faults a second of many
 *
 * Return: 0 or -errno.
 */
int touch_all(const struct touching *touching, double *value)
{
	struct toucher *touchers;
	int ret;

	if (!touching->threads)
		return touch_alone(touching, value);
	touchers = calloc(touching->threads, sizeof(*touchers));
	if (!touchers)
		return -ENOMEM;
	ret = touchers_run(touching, touchers, value);
	free(touchers);
	return ret;
}
