// SPDX-License-Identifier: LGPL-2.1-or-later
/* limit.c - how many bytes a second the push may send. */
#include "copy/limit.h"

#include "sys.h"

#define NS_PER_S	1000000000ull
/* What may leave in one burst: 1/50 s of the rate. Debt covers the rest. */
#define BURSTS_PER_S	50

/**
 * limit_init() - make a limiter
 * @limit: to initialise; limit_fini() frees it
 * @rate: bytes a second, 0: unlimited
 *
 * Return: 0 or -errno.
 */
int limit_init(struct limit *limit, uint64_t rate)
{
	pthread_condattr_t attributes;
	int ret = pthread_condattr_init(&attributes);

	if (ret)
		return -ret;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	ret = pthread_cond_init(&limit->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	if (ret)
		return -ret;
	pthread_mutex_init(&limit->lock, NULL);
	limit->rate = rate;
	limit->tokens = 0;
	limit->filled_ns = now_ns();
	limit->open = false;
	return 0;
}

/**
 * limit_fini() - free what limit_init() made
 * @limit: nobody waits in it
 */
void limit_fini(struct limit *limit)
{
	pthread_cond_destroy(&limit->changed);
	pthread_mutex_destroy(&limit->lock);
}

/**
 * limit_set() - change the rate; takes effect at once
 * @limit: may have waiters
 * @rate: bytes a second, 0: unlimited
 */
void limit_set(struct limit *limit, uint64_t rate)
{
	pthread_mutex_lock(&limit->lock);
	limit->rate = rate;
	limit->tokens = 0;
	limit->filled_ns = now_ns();
	pthread_cond_broadcast(&limit->changed);
	pthread_mutex_unlock(&limit->lock);
}

/**
 * limit_pass() - let everybody pass, or no more
 * @limit: may have waiters
 * @pass: true: the lanes are being stopped
 */
void limit_pass(struct limit *limit, bool pass)
{
	pthread_mutex_lock(&limit->lock);
	limit->open = pass;
	pthread_cond_broadcast(&limit->changed);
	pthread_mutex_unlock(&limit->lock);
}

static void limit_fill(struct limit *limit)
{
	uint64_t now = now_ns();
	double most = (double)limit->rate / BURSTS_PER_S;

	limit->tokens += (double)(now - limit->filled_ns) / NS_PER_S *
			 (double)limit->rate;
	if (limit->tokens > most)
		limit->tokens = most;
	limit->filled_ns = now;
}

/* Until when the debt lasts. */
static struct timespec limit_due(const struct limit *limit)
{
	uint64_t due = limit->filled_ns +
		       (uint64_t)(-limit->tokens / (double)limit->rate *
				  NS_PER_S) + 1;

	return (struct timespec){ (time_t)(due / NS_PER_S),
				  (long)(due % NS_PER_S) };
}

/**
 * limit_take() - account for bytes, and wait while more left than may
 * @limit: shared by the lanes
 * @bytes: about to be sent; never called inside a frame
 */
void limit_take(struct limit *limit, uint64_t bytes)
{
	pthread_mutex_lock(&limit->lock);
	limit_fill(limit);
	while (limit->rate && !limit->open && limit->tokens < 0) {
		struct timespec due = limit_due(limit);

		pthread_cond_timedwait(&limit->changed, &limit->lock, &due);
		limit_fill(limit);
	}
	limit->tokens -= (double)bytes;
	pthread_mutex_unlock(&limit->lock);
}

/**
 * limit_return() - bytes that were taken did not leave
 * @limit: shared by the lanes
 * @bytes: of what this lane took last
 */
void limit_return(struct limit *limit, uint64_t bytes)
{
	pthread_mutex_lock(&limit->lock);
	limit->tokens += (double)bytes;
	pthread_cond_broadcast(&limit->changed);
	pthread_mutex_unlock(&limit->lock);
}
