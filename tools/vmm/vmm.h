/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm.h - the one guest of this process, and what it was started with. */
#ifndef STRADDLE_VMM_VMM_H
#define STRADDLE_VMM_VMM_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/vmm/machine.h"

struct vmm {
	struct machine *machine;
	const char *persistent;	/* path of the persistent definition, or NULL */
	int uffd;		/* of this process, -1: none */
	uint64_t started_ns;
	uint64_t rate;		/* visits in the last second */
	uint64_t rate_ticks;	/* ticks when it was taken */
	uint64_t rate_ns;	/* when it was taken; 0: never */
	bool quit;		/* end the process */
	bool verbose;		/* a line a second on stdout */
};

#endif
