/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strike.h - kill others while a process stands still at a point. */
#ifndef STRADDLE_TEST_STRIKE_H
#define STRADDLE_TEST_STRIKE_H

#include <pthread.h>
#include <stdbool.h>

#include "cell.h"
#include "selftests/lib/pair.h"

struct strike {
	const struct cell *cell;
	const struct pair *pair;
	pthread_t thread;
	bool running;
	bool end;			/* atomic: the cell is over */
	bool done;			/* the thread's, until it is joined */
	bool nobody;			/* there was no process to kill */
};

/* Nothing where @cell does without. */
int strike_start(struct strike *strike, const struct cell *cell, const struct pair *pair);
void strike_end(struct strike *strike);

#endif
