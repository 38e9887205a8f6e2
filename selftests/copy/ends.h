/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ends.h - both ends of a migration in one process, with a guest at each. */
#ifndef STRADDLE_TEST_ENDS_H
#define STRADDLE_TEST_ENDS_H

#include "copy/dest.h"
#include "copy/source.h"
#include "lib/guest_process.h"

#define LANES	2		/* of each role */

struct ends {
	struct guest_process here, there;	/* at the source, at the dest */
	struct region_map here_map, there_map;
	struct source *source;
	struct dest *dest;
	struct uffd_tracker tracker;
	uint32_t generation;			/* of the next frames */
	bool packs;				/* push lanes agreed on PACKED */
	bool leaves_out;			/* rounds: what was written again, */
	uint64_t leaves_out_from;		/* when so many bytes are sent */
	long huge_pages;			/* added to the host's pool */
};

/* What a kind of memory needs; false: skipped, with its reason. */
bool memory_ready(enum guest_memory memory, uint64_t pages);
void memory_done(enum guest_memory memory, uint64_t pages);
uint64_t memory_pages(enum guest_memory memory, uint64_t small_pages);

void there_open(struct ends *ends, enum guest_memory memory, uint64_t pages);
void here_open(struct ends *ends, enum guest_memory memory, uint64_t pages);
void ends_open(struct ends *ends, enum guest_memory memory, uint64_t pages);
void ends_open_packed(struct ends *ends, enum guest_memory memory, uint64_t pages);
void ends_close(struct ends *ends);

void lane_pair(struct ends *ends, enum lane_role role, unsigned int index);
struct lane *lane_to_source(struct ends *ends, enum lane_role role);
struct lane *lane_to_dest(struct ends *ends, enum lane_role role);

void ends_pack_all(struct ends *ends);
void ends_track(struct ends *ends);
void ends_round(struct ends *ends);
void ends_switch(struct ends *ends);
void ends_push(struct ends *ends);
void ends_finish(struct ends *ends);
void ends_compare(struct ends *ends);
int source_wait_error(struct source *source);
int dest_wait_error(struct dest *dest);
unsigned int open_fds(void);

#define PATTERN_PAGES	65	/* room in pattern_bytes */

extern uint8_t pattern_bytes[];

struct frame pattern_frame(struct region *region, uint32_t generation,
			   uint64_t first, uint64_t count, uint64_t seed);
void pattern_send(struct lane *lane, struct region *region,
		  uint32_t generation, uint64_t first, uint64_t count,
		  uint64_t seed);

#endif
