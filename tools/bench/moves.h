/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* moves.h - the rows that compare whole migrations of one guest. */
#ifndef STRADDLE_BENCH_MOVES_H
#define STRADDLE_BENCH_MOVES_H

#include "tools/bench/bench.h"
#include "tools/bench/move.h"

/* What of a course is looked at, and against what. */
struct move_row {
	struct row row;
	const struct course *course;
	enum finding finding;
	const struct mover *peer;	/* on the same course; NULL: none */
	const struct course *base;	/* or ours on another one; NULL: none */
};

extern const struct move_row move_rows[];
extern const unsigned int move_rows_count;

int moves_run(const struct site *site, const struct options *options, struct result *results,
	      struct fail *fail);

#endif
