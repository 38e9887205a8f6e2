/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crossing.h - run "straddle migrate" for all to see, and what came of it. */
#ifndef STRADDLE_DEMO_CROSSING_H
#define STRADDLE_DEMO_CROSSING_H

#include "fail.h"
#include "protocol/protocol.h"
#include "selftests/lib/topology.h"

struct crossing {
	const struct host *from, *to;
	const char *guest;
	unsigned int give_up_round;	/* abort in that one; 0: never */
	unsigned int rounds;		/* that were told to have ended */
	double redirtied;		/* MiB, the least of any round */
	struct progress summary;	/* see crossing_summary() */
};

/* @options: of straddle migrate after the host, NULL at the end. */
int crossing_run(struct crossing *crossing, const char *const options[],
		 const char *log, struct fail *fail);
int crossing_summary(const struct host *from, struct progress *summary,
		     struct fail *fail);

#endif
