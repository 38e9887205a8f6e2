/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* walk.h - go once over the pages of a guest, leaping over the empty ones. */
#ifndef STRADDLE_WALK_H
#define STRADDLE_WALK_H

#include <pthread.h>

#include "copy/region.h"

struct walk {
	struct region_map *map;
	/* The next run wanted of [from, end). Return: its length, 0: none. */
	uint64_t (*next)(void *arg, const struct region *region, uint64_t from,
			 uint64_t end, uint64_t *first);
	/* A run and its bytes, at most run_pages(); NULL: any number of zero
	 * pages that are not there. Non-zero ends the walk. */
	int (*run)(void *arg, struct region *region, uint64_t first,
		   uint64_t count, const uint8_t *bytes);
	void *arg;		/* of both */
	/* NULL, or held (shared) from a call of @next to the end of @run. */
	pthread_rwlock_t *lock;
};

int walk_pages(const struct walk *walk);

#endif
