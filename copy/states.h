/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * states.h - all that a dest knows of its pages, in one file on tmpfs.
 *
 * Words (pages.h) and ledgers, mapped: the file outlives every process of ours
 * and dies with the host, as the guest does. A successor finds there which
 * pages are complete and what they add up to, exactly.
 */
#ifndef STRADDLE_STATES_H
#define STRADDLE_STATES_H

#include "copy/ledger.h"

#define LEDGERS_MAX	65	/* a lane each, and the sweep */

struct states {
	void *file;			/* mapped */
	uint64_t size;			/* bytes */
	struct ledger *ledgers;		/* LEDGERS_MAX, in the file */
	struct pages pages[REGIONS_MAX];	/* words in the file */
};

/* Who makes, opens and removes files for a process that may not. */
struct states_files {
	int (*open)(const char *path, int flags);	/* or -errno */
	int (*rename)(const char *from, const char *to);
	void (*remove)(const char *path);
};

void states_files_by(const struct states_files *files);
int states_file(const char *path, int flags);
int states_rename(const char *from, const char *to);
void states_unlink(const char *path);

/* What the guest's freeing of memory changed. */
struct removal {
	uint64_t missing;		/* in pages of 4 KiB: not any more */
	uint64_t kept;			/* pages that were kept, not counted */
	uint64_t discarded;		/* pages: both of these */
	bool waited;			/* somebody may wait for one of them */
};

int states_create(struct states *states, const char *path,
		  const struct region_map *map);
int states_open(struct states *states, const char *path,
		const struct region_map *map);
void states_close(struct states *states);
struct removal states_discard(struct states *states,
			     const struct region_map *map, struct range range);
void states_poisoning(struct states *states, bool poisons);
bool states_poisoned(const struct states *states);
struct proof states_proof(const struct states *states, unsigned int region);

#endif
