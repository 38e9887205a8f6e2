/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* checker.h - run spin over the model, and read what it says. */
#ifndef STRADDLE_TEST_CHECKER_H
#define STRADDLE_TEST_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

enum checker_kind {
	CHECK_ASSERTIONS,	/* in all states */
	CHECK_CYCLES,		/* that there are none, and assertions */
	CHECK_QUICKLY,		/* assertions in few states: built faster, runs slower */
};

struct checker_result {
	char text[1 << 16];	/* all of what pan says */
	char violated[512];	/* the assertion that failed, the cycle; or "" */
	char states[32], seconds[32];
	bool complete;		/* or it ended early: violated, or out of memory */
};

bool checker_there(char *why, size_t size);
int checker_run(const char *flags, enum checker_kind kind, struct checker_result *result);

#endif
