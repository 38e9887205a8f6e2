// SPDX-License-Identifier: LGPL-2.1-or-later
/* stale.c - what is mapped for the guest and must not be when it starts. */
#include "copy/dest.h"

/* A page that is mapped for the guest although it is not present. */
struct stale_scan {
	struct dest *dest;
	struct region *region;
	uffd_run_fn *run;
	void *arg;
};

static int stale_in(struct range range, void *arg)
{
	struct stale_scan *scan = arg;
	struct region *region = scan->region;
	struct pages *pages = dest_pages(scan->dest, region);
	uint64_t page, end;

	range_pages(region, range, &page, &end);
	while (page < end) {
		/* CLAIMED is being filled, on its way to PRESENT: not stale. */
		uint64_t first = pages_next(pages, page, end, PAGE_STATE,
					    PAGE_MISSING, true);
		int ret;

		page = pages_next(pages, first, end, PAGE_STATE,
				  PAGE_MISSING, false);
		if (page == first)
			break;
		ret = scan->run(page_range(region, first, page - first),
				scan->arg);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * dest_stale() - find what is mapped for the guest and must not be
 * @dest: kept pages are known, no vCPU runs
 * @pagemap: /proc/PID/pagemap of the guest's process
 * @run: called with each range to zap; non-zero ends the search
 * @arg: for @run
 *
 * Return: 0, what @run returned, or -errno.
 */
int dest_stale(struct dest *dest, int pagemap, uffd_run_fn *run, void *arg)
{
	struct stale_scan scan = { .dest = dest, .run = run, .arg = arg };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < dest->map->count && !ret; i++) {
		scan.region = &dest->map->regions[i];
		ret = uffd_populated(pagemap,
				     page_range(scan.region, 0,
						scan.region->pages),
				     stale_in, &scan);
	}
	return ret;
}
