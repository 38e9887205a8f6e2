/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* maps.h - what a process has mapped, from /proc/PID/maps. */
#ifndef STRADDLE_GUESTS_MAPS_H
#define STRADDLE_GUESTS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "protocol/guest.h"

struct mapping {
	uint64_t start, end;
	uint64_t first_end;	/* of the first of its pieces, see maps_read() */
	bool readable, writable;
	bool shared;		/* MAP_SHARED */
	uint64_t offset;	/* in its file */
	uint64_t device;	/* of its file, as stat(2) has it */
	uint64_t inode;		/* 0: anonymous */
};

struct maps {
	struct mapping *table;	/* by address, upwards; owned */
	size_t count;
};

int maps_parse(FILE *file, struct maps *maps);
int maps_read(pid_t pid, struct maps *maps);
void maps_fini(struct maps *maps);
const struct mapping *maps_at(const struct maps *maps, uint64_t address);
int mapping_open(pid_t pid, const struct mapping *mapping);
int maps_open_regions(struct guest_description *description, struct fail *fail);
int mapping_page_size(pid_t pid, const struct mapping *mapping,
		      uint32_t *page_size);

#endif
