/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest_process.h - a process that owns memory and touches it on command.
 *
 * It stands for a guest's process: its memory is its own, and so is the
 * userfaultfd over it, which it hands over by SCM_RIGHTS.
 */
#ifndef STRADDLE_TEST_GUEST_PROCESS_H
#define STRADDLE_TEST_GUEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "uffd/uffd.h"

/* In a seed: pages of a few small numbers, which pack well. */
#define GUEST_TEXT	(UINT64_C(1) << 63)

enum guest_memory {
	GUEST_MEMFD, GUEST_PRIVATE, GUEST_HUGETLB, GUEST_HUGE_PRIVATE,
	GUEST_FILE_PRIVATE,	/* a private mapping of a memfd */
};

static inline bool guest_memory_is_huge(enum guest_memory memory)
{
	return memory == GUEST_HUGETLB || memory == GUEST_HUGE_PRIVATE;
}

static inline bool guest_memory_is_shared(enum guest_memory memory)
{
	return memory == GUEST_MEMFD || memory == GUEST_HUGETLB;
}

static inline bool guest_memory_has_file(enum guest_memory memory)
{
	return guest_memory_is_shared(memory) || memory == GUEST_FILE_PRIVATE;
}

struct guest_process {
	enum guest_memory memory;
	uint32_t page_shift;
	uint64_t pages;
	pid_t pid;
	int control;		/* commands and answers */
	int fd;			/* of its file, -1: anonymous */
	int uffd;		/* made by it */
	int pagemap;		/* /proc/PID/pagemap */
	uint64_t address;	/* there */
	uint64_t *hashes;	/* shared with it: what guest_hash() found */
};

int guest_start(struct guest_process *guest, enum guest_memory memory,
		uint64_t pages, uint64_t features);
void guest_end(struct guest_process *guest);

/* Each waits until it is done, but the first. */
int guest_post_hash(struct guest_process *guest, uint64_t first,
		    uint64_t count);
int guest_wait(struct guest_process *guest);
int guest_hash(struct guest_process *guest, uint64_t first, uint64_t count);
int guest_write(struct guest_process *guest, uint64_t first, uint64_t count,
		uint64_t seed);
int guest_zap(struct guest_process *guest, struct range range);
int guest_advise(struct guest_process *guest, uint64_t first, uint64_t count,
		 int advice);
int guest_balloon(struct guest_process *guest, uint64_t first, uint64_t count);
int guest_scribble(struct guest_process *guest, uint64_t first,
		   uint64_t count);
int guest_rest(struct guest_process *guest);

void guest_pattern(void *page, uint64_t size, uint64_t number, uint64_t seed);
uint64_t guest_hash_of(const void *page, uint64_t size);

#endif
