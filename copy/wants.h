/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wants.h - what a fault thread has asked for, and how long ago. */
#ifndef STRADDLE_WANTS_H
#define STRADDLE_WANTS_H

#include "copy/frame.h"
#include "copy/stats.h"

#define WANTS_TIMED	256	/* more wants than that are not timed */

/* A want on its way, for the latency statistics. */
struct timed_want {
	struct region *region;		/* NULL: free */
	uint64_t page;
	uint64_t began_ns;
	uint64_t asked_ns;		/* last */
};

/* One thread's. */
struct wants {
	unsigned int timed;
	uint64_t looked_ns;		/* when for such that go unanswered */
	struct timed_want list[WANTS_TIMED];
};

void wants_note(struct wants *wants, struct region *region, uint64_t page,
		uint64_t began_ns);
void wants_forget(struct wants *wants, struct timed_want *want);
void wants_answered(struct wants *wants, const struct frame *frame,
		    struct histogram *histogram);

#endif
