/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * abi.h - what the VMM and the code of its guest agree on.
 *
 * Offsets count from the start of guest memory; the guest runs with paging
 * that maps virtual address = offset. All of the workload's own state lies
 * in guest memory, so it moves with the memory and with nothing else.
 *
 *   0x00000  left empty, so that a null pointer is never a valid offset
 *   0x01000  struct guest_config
 *   0x10000  struct guest_vcpu, a page each
 *   0x50000  stacks, a page each (KVM only)
 *   0x90000  the flat image (KVM only)
 *   0xa0000  page tables (KVM only), then the sequence table: a u32 a page
 *            of memory; then the data pages, up to the end of memory
 */
#ifndef STRADDLE_VMM_GUEST_ABI_H
#define STRADDLE_VMM_GUEST_ABI_H

#define GUEST_PAGE_SIZE		0x1000
#define GUEST_PAGE_SHIFT	12
#define GUEST_CONFIG		0x01000
#define GUEST_VCPUS		0x10000
#define GUEST_STACKS		0x50000
#define GUEST_IMAGE		0x90000
#define GUEST_TABLES		0xa0000
#define GUEST_VCPUS_MAX		64

#define GUEST_PORT_REPORT	0xe0	/* hypercall, values in registers */
#define GUEST_PORT_CONSOLE	0xe9	/* a byte of console output */

#ifndef __ASSEMBLER__

#include <stdint.h>

#define GUEST_MAGIC		0x31747375474c5644ull

enum guest_workload {
	WORKLOAD_HOT,		/* uniform in the working set, all writes */
	WORKLOAD_RANDOM,	/* uniform in the working set, half writes */
	WORKLOAD_SEQUENTIAL,	/* round and round the working set */
	WORKLOAD_ZIPF,		/* skewed to the start of the working set */
	WORKLOAD_IDLE,		/* touches its own state only */
	WORKLOAD_COUNT
};

struct guest_config {
	uint64_t magic;
	uint64_t memory;	/* bytes */
	uint64_t table;		/* offset of the sequence table */
	uint64_t first_page;	/* first data page */
	uint64_t fixed_start;	/* image and page tables never change: */
	uint64_t fixed_end;	/* offsets; equal where there are none */
	uint64_t fixed_sum;	/* guest_sum() of them */
	uint32_t workload;	/* enum guest_workload */
	uint32_t vcpus;
};

/* Where in a page something was wrong. */
enum guest_place {
	PLACE_FINE,
	PLACE_START,
	PLACE_MIDDLE,
	PLACE_END,
	PLACE_TABLE,		/* the sequences do not add up to the visits */
	PLACE_FIXED,		/* image or page tables changed */
};

struct guest_wrong {
	uint64_t page;
	uint64_t expected;	/* first word, or sum */
	uint64_t found;
	uint64_t place;		/* enum guest_place */
};

#define GUEST_WRONG_MAX		8

/* Written by the guest's own vCPU only, once the guest runs. */
struct guest_vcpu {
	uint64_t first;		/* its slice of the data pages */
	uint64_t pages;
	uint64_t working_set;	/* pages from the start of the slice */
	uint64_t rng;
	uint64_t position;	/* in the working set, of the last visit */
	uint64_t ticks;		/* visits */
	uint64_t bad;		/* pages found wrong by visits and walks */
	uint64_t sequence_sum;	/* of its slice's sequences, modulo 2^32 */
	uint64_t walk;		/* the walk that was begun last; 0: none */
	uint64_t walk_done;	/* the walk that was finished last */
	uint64_t walk_pages;	/* pages seen by the walk so far */
	uint64_t walk_bad;
	uint64_t walk_sum;
	uint64_t wrong_count;	/* of wrong[]: the first few */
	struct guest_wrong wrong[GUEST_WRONG_MAX];
};

/*
 * A visited page carries three words of its 512; a page that was never
 * visited has zeroes there.
 */
#define GUEST_WORD_START	0	/* number << 32 | sequence */
#define GUEST_WORD_MIDDLE	256	/* check values of that word */
#define GUEST_WORD_END		511

/* What the VMM answers to a report; comes back in rax and rdx. */
struct guest_order {
	uint64_t batch;		/* visits until the next report; GUEST_STOP */
	uint64_t walk;		/* a number never used before starts a walk */
};

#define GUEST_STOP		(~0ull)

/* Implemented by entry.S and by the threads engine; see workload.c. */
struct guest_order guest_report(uint64_t ticks, uint64_t bad,
				uint64_t walk_done, uint64_t walk_pages,
				uint64_t walk_bad);
void guest_putc(uint64_t character);

void workload_run(uint64_t base, uint64_t index);

/* Sum over the parts of memory that never change. */
static inline uint64_t guest_sum(const uint64_t *words, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull + i;
	return sum;
}

#endif
#endif
