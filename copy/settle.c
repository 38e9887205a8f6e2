// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * settle.c - kept pages are counted, then shown to the guest.
 *
 * A page kept from pre-copy is hashed before the guest can write it: shared
 * ones are not mapped until here, private ones are write-protected. A fault
 * on one settles it at once; everything else comes in a sweep. Whoever sets
 * COUNTED adds the digest, so that each page is added once.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "copy/dest.h"
#include "copy/kind.h"

static void counted(struct dest *dest, struct region *region, uint64_t pages,
		    struct digest sum)
{
	proof_add(&dest->proofs[region->id], pages, sum);
	if (!__atomic_sub_fetch(&dest->uncounted, pages, __ATOMIC_ACQ_REL))
		dest_signal(dest);
}

/* Count pages whose bytes were read; a hole is all zeroes. */
static void count_run(struct dest *dest, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	uint64_t page, size = page_size(region), pages = 0;
	struct digest sum = { 0, 0 };

	for (page = first; page < first + count; page++) {
		struct digest one = bytes
			? digest_page(region, page,
				      bytes + (page - first) * size)
			: digest_zero_run(region, page, 1);

		if (!page_count(&dest->pages[region->id], page))
			continue;
		digest_add(&sum, one);
		pages++;
	}
	if (pages)
		counted(dest, region, pages, sum);
}

/**
 * settle_page() - a guest touches a kept page that was not counted yet
 * @dest: switched
 * @region: of the page
 * @page: its number; present
 * @buffer: for one page; the calling thread's
 *
 * Return: 0: counted, the caller places it; or -errno.
 */
int settle_page(struct dest *dest, struct region *region, uint64_t page,
		uint8_t *buffer)
{
	int ret;

	if (page_state(&dest->pages[region->id], page) & PAGE_COUNTED)
		return 0;
	ret = region->kind->read(region, page, 1, buffer);
	if (ret < 0)
		return ret;
	count_run(dest, region, page, 1, buffer);
	return 0;
}

/* One region being swept; what lies between populated runs is zero. */
struct settle {
	struct dest *dest;
	struct region *region;
	uint64_t page;		/* all before it are settled */
	uint8_t *buffer;	/* one run */
};

/* The next run of kept, uncounted pages. Return: its length, 0: none. */
static uint64_t next_kept(struct settle *settle, uint64_t end,
			  uint64_t *first)
{
	struct pages *pages = &settle->dest->pages[settle->region->id];
	unsigned int mask = PAGE_STATE | PAGE_COUNTED;

	*first = pages_next(pages, settle->page, end, mask, PAGE_PRESENT,
			    true);
	return pages_next(pages, *first, end, mask, PAGE_PRESENT, false) -
	       *first;
}

static void settle_hole(struct settle *settle, uint64_t end)
{
	uint64_t first, count;

	while ((count = next_kept(settle, end, &first))) {
		count_run(settle->dest, settle->region, first, count, NULL);
		settle->page = first + count;
	}
	settle->page = end;
}

static int settle_run(struct settle *settle, uint64_t first, uint64_t count)
{
	struct region *region = settle->region;
	int ret = region->kind->read(region, first, count, settle->buffer);

	if (ret < 0)
		return ret;
	count_run(settle->dest, region, first, count, settle->buffer);
	ret = region->kind->release(region, first, count);
	/* A hole within the run needs no mapping. */
	return ret == -ENOENT ? 0 : ret;
}

static int settle_data(struct range range, void *arg)
{
	struct settle *settle = arg;
	struct region *region = settle->region;
	uint64_t at = (range.start - region->address) >> region->page_shift;
	uint64_t end = at + (range.len >> region->page_shift);
	uint64_t first, count;

	settle_hole(settle, at);
	while ((count = next_kept(settle, end, &first))) {
		int ret;

		if (__atomic_load_n(&settle->dest->stopping, __ATOMIC_RELAXED))
			return -ECANCELED;
		if (count > run_pages(region))
			count = run_pages(region);
		ret = settle_run(settle, first, count);
		if (ret < 0)
			return ret;
		settle->page = first + count;
	}
	settle->page = end;
	return 0;
}

/**
 * settle_kept() - count and release all kept pages
 * @dest: switched
 *
 * Return: 0, -ECANCELED, or -errno of the memory.
 */
int settle_kept(struct dest *dest)
{
	struct settle settle = { .dest = dest };
	unsigned int i;
	int ret = 0;

	setpriority(PRIO_PROCESS, 0, 5);
	settle.buffer = aligned_alloc(4096, frame_payload_max(dest->map));
	if (!settle.buffer)
		return -ENOMEM;
	for (i = 0; i < dest->map->count && !ret; i++) {
		settle.region = &dest->map->regions[i];
		settle.page = 0;
		ret = settle.region->kind->populated(settle.region, 0,
				settle.region->pages, settle_data, &settle);
		if (!ret)
			settle_hole(&settle, settle.region->pages);
	}
	free(settle.buffer);
	return ret;
}
