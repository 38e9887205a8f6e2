/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ahead.h - guests that walk through their memory: what is sent ahead of them.
 *
 * Whoever walks upwards wants next the first page that is not sent yet. From
 * the second such want on the pages behind it go along with the answer, twice
 * as many each time. A want anywhere else is a new walk: none go along.
 */
#ifndef STRADDLE_AHEAD_H
#define STRADDLE_AHEAD_H

#include <pthread.h>
#include <stdint.h>

#include "copy/bitmap.h"
#include "copy/region.h"

#define AHEAD_WALKS	16	/* that are remembered */
#define AHEAD_FIRST	2	/* pages that go along at first */
#define AHEAD_LEAP	512	/* sent pages that a walk may leap over */

struct ahead_walk {
	const struct region *region;	/* NULL: none yet */
	uint64_t wanted, next;		/* the last want; what was not sent */
	uint64_t window;		/* pages that went along */
	uint64_t used;			/* when: a number of @wants; 0: never */
};

struct ahead {
	pthread_mutex_t lock;
	struct ahead_walk walks[AHEAD_WALKS];	/* @lock */
	uint64_t wants;				/* @lock; so far */
};

void ahead_init(struct ahead *ahead);
void ahead_fini(struct ahead *ahead);
uint64_t ahead_window(struct ahead *ahead, const struct region *region,
		      const struct bitmap *sent, uint64_t page,
		      uint64_t *first);

#endif
