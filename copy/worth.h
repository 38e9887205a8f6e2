/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worth.h - does packing pay on these lanes?
 *
 * Lanes go one way, plain or packed, and now and then try the other for
 * WORTH_TRIAL runs: whichever moved more memory a second goes on. Packing can
 * gain only what plain lanes wait for, so where that is little it is not even
 * tried. A trial in vain makes the time until the next one four times as long.
 *
 * All push lanes decide as one: they share the link, and in other parts all the
 * time, so that one alone would take its neighbour's loss for its own gain.
 */
#ifndef STRADDLE_WORTH_H
#define STRADDLE_WORTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WORTH_TRIAL	32	/* runs that a trial is of */
#define WORTH_MEASURED	24	/* the last of them count, and of a stay: before
				 * that buffers fill */
#define WORTH_HOPELESS	8	/* after so many packed ones a trial may be over */
#define WORTH_REST	128	/* runs until the next trial, at first */
#define WORTH_REST_MAX	2048

/* What a run of pages took. */
struct worth_run {
	uint64_t bytes;		/* of memory, but zeroes */
	uint64_t ns;		/* in all */
	uint64_t waited_ns;	/* of these, for the link or for a limit */
	bool packs;		/* how it went: as worth_packs() said before it */
};

struct worth {
	pthread_mutex_t lock;
	bool packs;		/* @lock, and atomic to read: how the next run goes */
	bool tries;		/* @lock; that is a trial */
	unsigned int left;	/* @lock; runs until it is looked at */
	unsigned int counted;	/* @lock; runs in @sum */
	unsigned int rest;	/* @lock; runs until the next trial, after this one */
	struct worth_run sum;	/* @lock; of the last runs */
	double before;		/* @lock; ns a byte on the way that was left for a
				 * trial */
};

void worth_init(struct worth *worth);
void worth_fini(struct worth *worth);
bool worth_packs(const struct worth *worth);
void worth_note(struct worth *worth, const struct worth_run *run);

#endif
