/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * region.h - pieces of guest memory, as one end of a migration sees them.
 *
 * A region map is made once, before any thread starts, and does not change
 * while a migration lasts; readers need no lock. Pages are numbered from 0
 * in each region; both ends number alike.
 */
#ifndef STRADDLE_REGION_H
#define STRADDLE_REGION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "uffd/uffd.h"

#define REGIONS_MAX		64
#define REGION_BLOCK_SIZE	(2u << 20)	/* one lane works in one */
#define RUN_SIZE		(256u << 10)	/* payload of small pages */
#define STEP_SIZE		(64u << 10)	/* of a run: what a guest may
						 * have to wait for */

struct memory_kind;

struct region {
	uint32_t id;		/* index in the map; the wire's name for it */
	uint32_t page_shift;
	uint64_t pages;
	bool shared;
	bool of_file;		/* private: what was not written is its file's */
	uint64_t address;	/* in the guest's process */
	int fd;			/* its file (borrowed), -1: none */
	uint64_t offset;	/* where it starts in the file */
	uint8_t *alias;		/* our mapping, where the kind needs one */
	bool inherited;		/* dest: another process has filled it before */
	pid_t pid;		/* the guest's process */
	int memory;		/* its /proc/PID/mem (borrowed), which takes no
				 * right to trace it; 0: by its number */
	int pagemap;		/* of the guest's process (borrowed), or -1 */
	int uffd;		/* dest: over this region (borrowed), or -1 */
	const struct memory_kind *kind;
};

struct region_map {
	unsigned int count;
	struct region regions[REGIONS_MAX];
};

int region_add(struct region_map *map, const struct region *region);
void region_map_fini(struct region_map *map);
struct region *region_at(struct region_map *map, uint64_t address,
			 uint64_t *page);
uint64_t region_map_pages(const struct region_map *map);
uint64_t region_map_bytes(const struct region_map *map);

static inline uint64_t page_size(const struct region *region)
{
	return 1ull << region->page_shift;
}

/* The same memory in pages of 4 KiB: what is counted over regions. */
static inline uint64_t small_pages(const struct region *region, uint64_t pages)
{
	return pages << (region->page_shift - 12);
}

/* How many pages travel in one frame: 256 KiB of them, or one large page. */
static inline uint64_t run_pages(const struct region *region)
{
	uint64_t pages = RUN_SIZE >> region->page_shift;

	return pages ? pages : 1;
}

/* How many pages are claimed at once, or pushed at once near a fault. */
static inline uint64_t step_pages(const struct region *region)
{
	uint64_t pages = STEP_SIZE >> region->page_shift;

	return pages ? pages : 1;
}

/* Pages of the block that one lane works in at a time. */
static inline uint64_t block_pages(const struct region *region)
{
	uint64_t pages = REGION_BLOCK_SIZE >> region->page_shift;

	return pages ? pages : 1;
}

static inline uint64_t page_address(const struct region *region, uint64_t page)
{
	return region->address + (page << region->page_shift);
}

static inline uint64_t page_offset(const struct region *region, uint64_t page)
{
	return region->offset + (page << region->page_shift);
}

static inline struct range page_range(const struct region *region,
				      uint64_t first, uint64_t count)
{
	return (struct range){ page_address(region, first),
			       count << region->page_shift };
}

/* The pages that a range of the guest's addresses touches: [first, end). */
static inline void range_pages(const struct region *region, struct range range,
			       uint64_t *first, uint64_t *end)
{
	uint64_t start = range.start - region->address;

	*first = start >> region->page_shift;
	*end = ((start + range.len - 1) >> region->page_shift) + 1;
}

#endif
