// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pagemap.c - which pages are there, by reading /proc/PID/pagemap.
 *
 * What PAGEMAP_SCAN answers from 6.7 on, for kernels before it: one 64-bit
 * entry a page (Documentation/admin-guide/mm/pagemap.rst).
 */
#include "uffd/sys.h"
#include "uffd/uffd.h"

#define SMALL_PAGE	UINT64_C(4096)
#define ENTRIES		2048u			/* read at a time */
#define ENTRY_PRESENT	(UINT64_C(1) << 63)
#define ENTRY_SWAPPED	(UINT64_C(1) << 62)

/* The run that is being gathered. */
struct gather {
	struct range run;	/* len 0: none */
	uffd_run_fn *fn;
	void *arg;
};

static int gather_flush(struct gather *gather)
{
	struct range run = gather->run;

	gather->run.len = 0;
	return run.len ? gather->fn(run, gather->arg) : 0;
}

static int gather_page(struct gather *gather, uint64_t address, bool there)
{
	if (!there)
		return gather_flush(gather);
	if (!gather->run.len)
		gather->run.start = address;
	gather->run.len += SMALL_PAGE;
	return 0;
}

/**
 * pagemap_read() - runs of pages that are there
 * @pagemap: /proc/PID/pagemap
 * @range: whole pages
 * @swapped: whether swapped pages count, too
 * @run: called for each run, ascending
 * @arg: handed to @run
 *
 * Return: 0, what @run returned, or -errno.
 */
int pagemap_read(int pagemap, struct range range, bool swapped,
		 uffd_run_fn *run, void *arg)
{
	uint64_t mask = ENTRY_PRESENT | (swapped ? ENTRY_SWAPPED : 0);
	struct gather gather = { .fn = run, .arg = arg };
	uint64_t entries[ENTRIES];
	uint64_t at = range.start, end = range.start + range.len;

	while (at < end) {
		uint64_t left = (end - at) / SMALL_PAGE;
		size_t want = left < ENTRIES ? left : ENTRIES;
		ssize_t got = sys_retry(pread(pagemap, entries, want * 8,
					      (off_t)(at / SMALL_PAGE * 8)));

		if (got < 8)
			return got < 0 ? (int)got : -EIO;
		for (ssize_t i = 0; i < got / 8; i++, at += SMALL_PAGE) {
			int ret = gather_page(&gather, at, entries[i] & mask);

			if (ret)
				return ret;
		}
	}
	return gather_flush(&gather);
}
