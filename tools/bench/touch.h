/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* touch.h - threads that touch pages, and how long they wait for each. */
#ifndef STRADDLE_BENCH_TOUCH_H
#define STRADDLE_BENCH_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOUCH_SHIFT	12
#define TOUCH_PAGE	(1 << TOUCH_SHIFT)

/* What is touched, each page once; as a rule in an order that no neighbourhood explains. */
struct touching {
	const uint8_t *memory;
	uint64_t pages;			/* of it */
	unsigned int page_shift;
	unsigned int count;		/* touches, of all threads */
	unsigned int threads;		/* 0: one, whose waits are measured */
	double quantile;		/* of these */
	unsigned int pause_us;		/* of one thread, before each touch */
	bool walks;			/* one page after the other, upwards */
};

uint64_t touch(const struct touching *touching, uint64_t number);
double quantile_us(uint64_t *ns, size_t count, double quantile);
int touch_all(const struct touching *touching, double *value);

#endif
