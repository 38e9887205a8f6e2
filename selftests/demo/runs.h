/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* runs.h - what the benchmark of libvirt domains measured, and its tables. */
#ifndef STRADDLE_DEMO_RUNS_H
#define STRADDLE_DEMO_RUNS_H

#include <stdio.h>

#include "protocol/protocol.h"

#define RUNS_PAIRS_MAX	51

/* What is compared. */
enum way { WAY_VIRSH, WAY_AFTER_PRECOPY, WAY_POSTCOPY, WAY_COUNT };

enum number {
	NUMBER_WALL_MS,		/* of the command */
	NUMBER_STILL_MS,	/* STOP to RESUME, by QEMU's events */
	NUMBER_GAP_MS,		/* the longest between two answers to pings */
	NUMBER_FAULTS,		/* pages asked for over the network */
	NUMBER_QUIET_MS,	/* as the gap, in two seconds before */
	NUMBER_LOAD,		/* the machine's, when it began */
	NUMBER_COUNT
};

struct run {
	double numbers[NUMBER_COUNT];
	struct progress summary;	/* of Straddle */
};

struct runs {
	unsigned int pairs;
	struct run run[RUNS_PAIRS_MAX][WAY_COUNT];
	/* What was measured on. */
	unsigned int memory_mib, working_set_mib, link_mbit;
	const char *qemu;
};

const char *way_name(enum way way);
void runs_rst(FILE *file, const struct runs *runs);
void runs_json(FILE *file, const struct runs *runs);

#endif
