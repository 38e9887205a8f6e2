/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parallel.h - several processes that share a program's tests. */
#ifndef STRADDLE_TEST_PARALLEL_H
#define STRADDLE_TEST_PARALLEL_H

#define PARALLEL_MAX	16

struct totals {
	unsigned int passed, failed, skipped;
};

/* Runs tests until none is left; reports each on its standard output. */
typedef void parallel_fn(void *arg);

int parallel_run(unsigned int jobs, parallel_fn *work, void *arg, struct totals *totals,
		 volatile int *ended_by);

#endif
