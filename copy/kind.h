/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind.h - what can be done to a page, by the kind of its memory.
 *
 * The kind is (shared | private) x (small pages | hugetlb). It says how bytes
 * get in and out from outside of the guest's process; private ones differ only
 * by what is behind them, where nothing was written:
 *
 *   shmem    pwrite into the file, then UFFDIO_CONTINUE maps the page; without
 *            rounds UFFDIO_COPY does both
 *   hugetlb  through our own mapping (a hugetlb file takes no write(2)),
 *            then UFFDIO_CONTINUE
 *   private  UFFDIO_COPY; read and overwritten through
 *            /proc/PID/mem, or by process_vm_*
 *
 * Shared pages are invisible to the guest until placed. Private ones become
 * visible by being written; what may not be written by the guest yet (a
 * pre-copied page whose digest is not counted) is write-protected.
 */
#ifndef STRADDLE_KIND_H
#define STRADDLE_KIND_H

#include "copy/region.h"

struct memory_kind {
	const char *name;
	uint64_t modes;		/* UFFDIO_REGISTER_MODE_*, at the dest */
	uint64_t features;	/* UFFD_FEATURE_*, at the dest */
	bool alias;		/* needs region->alias at the dest */

	/* Bytes of pages, zeroes where there are none; never populates. */
	int (*read)(const struct region *region, uint64_t first,
		    uint64_t count, void *buf);
	/* Runs of pages that may hold something; what lies between is zero. */
	int (*populated)(const struct region *region, uint64_t first,
			 uint64_t count, uffd_run_fn *run, void *arg);

	/* Source: is there nothing at a page that was sent with bytes and is not
	 * mapped? 1, 0 or -errno. NULL: dirty tracking sees that it went. */
	int (*is_hole)(const struct region *region, uint64_t page);

	/* Prepare, zapped and registered: nothing remains of what the hypervisor
	 * wrote. -ENOTEMPTY: it is not the hypervisor's. NULL: nothing does. */
	int (*empty)(const struct region *region);

	/* Pre-copy, no vCPU runs: make pages hold these bytes, or zeroes. */
	int (*overwrite)(const struct region *region, uint64_t first,
			 uint64_t count, const void *buf);
	int (*overwrite_zero)(const struct region *region, uint64_t first,
			      uint64_t count);

	/*
	 * Post-copy, pages are claimed: fill() or clear() them, mark them
	 * present, then place() or place_zero() them for whoever waits.
	 */
	int (*fill)(const struct region *region, uint64_t first,
		    uint64_t count, const void *buf);
	int (*clear)(const struct region *region, uint64_t first,
		     uint64_t count);
	/*
	 * fill() and place() in one, but for the wake, where the file has none of
	 * these pages; one that is there stays as it is. @done: how many are
	 * there then, in case of an error, too. NULL: there is no such step.
	 */
	int (*insert)(const struct region *region, uint64_t first,
		      uint64_t count, const void *buf, uint64_t *done);
	int (*place)(const struct region *region, uint64_t first,
		     uint64_t count, bool wake);
	int (*place_zero)(const struct region *region, uint64_t page);

	/* A kept page is counted now: the guest may see and write it. */
	int (*release)(const struct region *region, uint64_t first,
		       uint64_t count);
};

extern const struct memory_kind kind_shmem;
extern const struct memory_kind kind_hugetlb;
extern const struct memory_kind kind_private;
extern const struct memory_kind kind_private_file;
extern const struct memory_kind kind_private_huge;

const struct memory_kind *kind_of(const struct region *region);
bool region_inserts(const struct region *region);

/* Of the kinds that have a file. */
int file_read(const struct region *region, uint64_t first, uint64_t count, void *buf);
int file_populated(const struct region *region, uint64_t first, uint64_t count,
		   uffd_run_fn *run, void *arg);
int file_punch(const struct region *region, uint64_t first, uint64_t count);

#endif
