/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migrate_options.h - the command line of straddle migrate. */
#ifndef STRADDLE_MIGRATE_OPTIONS_H
#define STRADDLE_MIGRATE_OPTIONS_H

#include <stdbool.h>

#include "protocol/protocol.h"

struct migrate_options {
	struct migration_options migration;
	bool verbose;
	bool detach;
	bool help;		/* print it, and do nothing */
};

int migrate_options_parse(struct migrate_options *options, int argc, char **argv);
void migrate_help(void);

#endif
