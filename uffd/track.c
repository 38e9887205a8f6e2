/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * track.c - which pages were written, without a handler.
 *
 * WP_ASYNC lets the kernel lift a page's write protection by itself; the
 * missing protection is the dirty bit. PAGEMAP_SCAN with PM_SCAN_WP_MATCHING
 * returns the written runs and protects them again under the same lock
 * (Documentation/admin-guide/mm/pagemap.rst).
 *
 * What is seen are writes through the process's page tables. A page pinned
 * before a scan and written by a device afterwards is not: scan with device
 * I/O drained.
 */
#include <stdio.h>

#include "uffd/uffd.h"
#include "uffd/sys.h"

#define CHUNK		(UINT64_C(1) << 30)	/* bytes under one mmap_lock */
#define RUNS		512			/* runs returned by one call */

/* One walk over a process's page tables. */
struct scan {
	int pagemap;
	struct pm_scan_arg arg;		/* all but start, end and the vector */
	uffd_run_fn *run;
	void *run_arg;
};

static int hand_runs(const struct scan *scan, const struct page_region *runs,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct range run = {
			runs[i].start,
			runs[i].end - runs[i].start,
		};
		int ret = scan->run(run, scan->run_arg);

		if (ret)
			return ret;
	}
	return 0;
}

/*
 * A scan of a process that has died finds that it has nothing, which is no error
 * to the kernel: so it has to have its memory still afterwards. An entry of
 * pagemap can be read as long as it has.
 */
static int memory_exists(int pagemap, uint64_t address)
{
	uint64_t entry;
	ssize_t got = sys_retry(pread(pagemap, &entry, sizeof(entry),
				      (off_t)(address / 4096 * sizeof(entry))));

	return got < 0 ? (int)got : got ? 0 : -ESRCH;
}

static int scan_chunk(struct scan *scan, uint64_t start, uint64_t end)
{
	struct page_region runs[RUNS];
	struct pm_scan_arg arg = scan->arg;
	int count, ret;

	arg.size = sizeof(arg);
	arg.end = end;
	arg.vec = (uintptr_t)runs;
	arg.vec_len = RUNS;
	for (arg.start = start; arg.start < end; arg.start = arg.walk_end) {
		count = sys_ioctl(scan->pagemap, PAGEMAP_SCAN, &arg);
		ret = count < 0 ? count : memory_exists(scan->pagemap, arg.start);
		if (!ret)
			ret = hand_runs(scan, runs, (size_t)count);
		if (ret)
			return ret;
		if (arg.walk_end <= arg.start)
			return -EIO;
	}
	return 0;
}

static int scan_range(struct scan *scan, struct range range)
{
	uint64_t end, next;
	int ret;

	if (!range.len || __builtin_add_overflow(range.start, range.len, &end))
		return -EINVAL;
	for (uint64_t at = range.start; at < end; at = next) {
		next = end - at < CHUNK ? end : at + CHUNK;
		ret = scan_chunk(scan, at, next);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * uffd_tracker_open() - get ready to track a process's writes
 * @tracker: receives the tracker, to be closed with uffd_tracker_close()
 * @pid: the process
 * @uffd: made in that process, enabled with at least WP_ASYNC,
 *	WP_UNPOPULATED and WP_HUGETLBFS_SHMEM; borrowed
 *
 * Return: 0 or -errno.
 */
int uffd_tracker_open(struct uffd_tracker *tracker, pid_t pid, int uffd)
{
	char path[64];
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = sys_retry(open(path, O_RDONLY | O_CLOEXEC));
	if (pagemap < 0)
		return pagemap;
	tracker->uffd = uffd;
	tracker->pagemap = pagemap;
	return 0;
}

/**
 * uffd_tracker_close() - forget a tracker; what it tracks stays registered
 * @tracker: an open tracker
 */
void uffd_tracker_close(struct uffd_tracker *tracker)
{
	close(tracker->pagemap);
	tracker->pagemap = -1;
}

/**
 * uffd_track() - begin to track a range: nothing of it counts as written
 * @tracker: an open tracker
 * @range: whole pages
 *
 * Return: 0 or -errno as uffd_register() and uffd_protect(); on an error
 * the range is not registered.
 */
int uffd_track(struct uffd_tracker *tracker, struct range range)
{
	int ret;

	ret = uffd_register(tracker->uffd, range, UFFDIO_REGISTER_MODE_WP);
	if (ret)
		return ret;
	ret = uffd_protect(tracker->uffd, range);
	if (ret)
		uffd_unregister(tracker->uffd, range);
	return ret;
}

/**
 * uffd_untrack() - end tracking and lift all protection
 * @tracker: an open tracker
 * @range: whole pages
 *
 * Return: 0 or -errno.
 */
int uffd_untrack(struct uffd_tracker *tracker, struct range range)
{
	return uffd_unregister(tracker->uffd, range);
}

static int scan_writes(int pagemap, uint64_t flags, struct range range,
		       uffd_run_fn *run, void *arg)
{
	struct scan scan = {
		.pagemap = pagemap,
		.arg = {
			.flags = flags | PM_SCAN_CHECK_WPASYNC,
			.category_mask = PAGE_IS_WRITTEN,
			.return_mask = PAGE_IS_WRITTEN,
		},
		.run = run,
		.run_arg = arg,
	};

	return scan_range(&scan, range);
}

/**
 * uffd_written() - what was written since the last call
 * @tracker: an open tracker
 * @range: whole pages, tracked
 * @run: called for each written run, ascending
 * @arg: handed to @run
 *
 * Runs are protected before they are handed over. When @run stops the walk,
 * runs may be lost that were protected with it: the range must then count
 * as written.
 *
 * Return: 0, what @run returned, or -errno; -EPERM: a part of the range is
 * not tracked; -ESRCH: the process has died.
 */
int uffd_written(struct uffd_tracker *tracker, struct range range,
		 uffd_run_fn *run, void *arg)
{
	return scan_writes(tracker->pagemap, PM_SCAN_WP_MATCHING, range, run, arg);
}

/**
 * uffd_rewritten() - what was written since uffd_written(), without protecting it
 * @pagemap: /proc/PID/pagemap of the process
 * @range: whole pages, tracked
 * @run: called for each written run, ascending
 * @arg: handed to @run
 *
 * The next uffd_written() finds the same pages, and more.
 *
 * Return: 0, what @run returned, or -errno; -EPERM: a part of the range is
 * not tracked; -ESRCH: the process has died.
 */
int uffd_rewritten(int pagemap, struct range range, uffd_run_fn *run, void *arg)
{
	return scan_writes(pagemap, 0, range, run, arg);
}

/**
 * uffd_unmapped() - what a tracked process has not mapped
 * @tracker: an open tracker
 * @range: whole pages, scanned by uffd_written() before
 * @run: called for each run, ascending
 * @arg: handed to @run
 *
 * To the kernel it is no write that a hole is punched into a file, nor that a
 * page of hugetlb is dropped. What is there then is a marker that a scan has
 * left, or nothing. Handed out are also pages that the kernel has swapped, or
 * moves at this moment.
 *
 * Return: 0, what @run returned, or -errno; -ESRCH: the process has died.
 */
int uffd_unmapped(struct uffd_tracker *tracker, struct range range,
		  uffd_run_fn *run, void *arg)
{
	struct scan scan = {
		.pagemap = tracker->pagemap,
		.arg = {
			.category_inverted = PAGE_IS_PRESENT,
			.category_mask = PAGE_IS_PRESENT,
			.return_mask = PAGE_IS_PRESENT,
		},
		.run = run,
		.run_arg = arg,
	};

	return scan_range(&scan, range);
}

/**
 * uffd_populated() - what is mapped or swapped in a process
 * @pagemap: its /proc/PID/pagemap
 * @range: whole pages
 * @run: called for each run, ascending
 * @arg: handed to @run
 *
 * Counted as swapped are also pages that the kernel moves at this moment, and
 * markers: pages that were write-protected while they were not there.
 *
 * Return: 0, what @run returned, or -errno; -ESRCH: the process has died.
 */
int uffd_populated(int pagemap, struct range range, uffd_run_fn *run,
		   void *arg)
{
	struct scan scan = {
		.pagemap = pagemap,
		.arg = {
			.category_anyof_mask = PAGE_IS_PRESENT |
					       PAGE_IS_SWAPPED,
			.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		},
		.run = run,
		.run_arg = arg,
	};
	int ret = scan_range(&scan, range);

	if (ret == -ENOTTY)		/* before 6.7; no run was handed out */
		ret = pagemap_read(pagemap, range, run, arg);
	return ret;
}
