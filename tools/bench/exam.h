/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exam.h - a guest that touches pages which are at the other host. */
#ifndef STRADDLE_BENCH_EXAM_H
#define STRADDLE_BENCH_EXAM_H

#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

/* What the two processes go by. */
struct exam {
	struct plan plan;		/* of other memory than the site's: with it */
	const struct row *row;
	unsigned int count;	/* touches; 0: as the site says for so many threads */
	unsigned int threads;	/* that fault; 0: one, whose waits are measured */
	unsigned int pause_us;	/* of that one: work between two faults */
	bool busy;		/* the push runs meanwhile */
	bool walks;		/* page after page: not all of them are faults */
};

int exam_run(const struct site *site, struct exam *exam, struct outcome outcomes[2],
	     struct fail *fail);
int exam_value(const struct site *site, struct exam *exam, double *value, struct fail *fail);

#endif
