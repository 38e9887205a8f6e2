/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limit.h - how many bytes a second the push may send. */
#ifndef STRADDLE_LIMIT_H
#define STRADDLE_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A token bucket that several lanes draw from. */
struct limit {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t rate;		/* bytes a second, 0: unlimited; @lock */
	double tokens;		/* bytes that may leave now; @lock */
	uint64_t filled_ns;	/* when @tokens was right; @lock */
	bool open;		/* nobody waits any more; @lock */
};

int limit_init(struct limit *limit, uint64_t rate);
void limit_fini(struct limit *limit);
void limit_set(struct limit *limit, uint64_t rate);
void limit_pass(struct limit *limit, bool pass);
void limit_take(struct limit *limit, uint64_t bytes);
void limit_return(struct limit *limit, uint64_t bytes);

#endif
