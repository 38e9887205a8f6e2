/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show.h - what the demos have in common: they talk, can be interrupted, tidy up. */
#ifndef STRADDLE_DEMO_SHOW_H
#define STRADDLE_DEMO_SHOW_H

#include <stdbool.h>

#include "fail.h"

/* A demo, or another program that shows something. */
struct show {
	const char *name;		/* begins its last line */
	int (*run)(struct fail *fail);
	void (*clean)(void);		/* in any case, afterwards */
};

int show_main(const struct show *show);
bool show_interrupted(void);
__attribute__((format(printf, 1, 2)))
void say(const char *fmt, ...);

#endif
