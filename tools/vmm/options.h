/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h - the command line of straddle-vmm. */
#ifndef STRADDLE_VMM_OPTIONS_H
#define STRADDLE_VMM_OPTIONS_H

#include <stdbool.h>

#include "fail.h"
#include "tools/vmm/definition.h"

struct options {
	struct definition definition;	/* complete and checked */
	const char *run_dir;
	const char *persistent;	/* or NULL: transient */
	const char *witness;	/* or NULL: none */
	int ready_fd;		/* -1: nobody waits */
	bool incoming;
	bool paused;
	bool verbose;
	bool help;		/* print the help and do nothing */
};

int options_parse(int argc, char **argv, struct options *options,
		  struct fail *fail);
void options_help(void);

#endif
