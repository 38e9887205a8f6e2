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
#include <sys/resource.h>

#include "copy/dest.h"
#include "copy/kind.h"
#include "copy/walk.h"

static void counted(struct dest *dest, struct region *region, uint64_t pages,
		    struct digest sum)
{
	proof_add(&dest->proofs[region->id], pages, sum);
	if (!__atomic_sub_fetch(&dest->uncounted, pages, __ATOMIC_ACQ_REL))
		dest_signal(dest);
}

/* Count what nobody else has counted; without @bytes the pages are zero. */
static void count_run(struct dest *dest, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	struct pages *pages = &dest->pages[region->id];
	uint64_t at = first, end = first + count;

	while (at < end) {
		uint64_t won = pages_count(pages, at, end - at);
		const uint8_t *from = bytes
			? bytes + ((at - first) << region->page_shift) : NULL;

		if (won)
			counted(dest, region, won,
				digest_run(region, at, won, from));
		at = won ? at + won
			 : pages_next(pages, at, end, PAGE_COUNTED, 0, true);
	}
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

static uint64_t next_kept(void *arg, const struct region *region,
			  uint64_t from, uint64_t end, uint64_t *first)
{
	struct dest *dest = arg;
	struct pages *pages = &dest->pages[region->id];
	unsigned int mask = PAGE_STATE | PAGE_COUNTED;

	*first = pages_next(pages, from, end, mask, PAGE_PRESENT, true);
	return pages_next(pages, *first, end, mask, PAGE_PRESENT, false) -
	       *first;
}

static int settle_run(void *arg, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	struct dest *dest = arg;
	int ret;

	if (__atomic_load_n(&dest->stopping, __ATOMIC_RELAXED))
		return -ECANCELED;
	count_run(dest, region, first, count, bytes);
	if (!bytes)
		return 0;
	ret = region->kind->release(region, first, count);
	/* A hole within the run needs no mapping. */
	return ret == -ENOENT ? 0 : ret;
}

/**
 * settle_kept() - count and release all kept pages
 * @dest: switched
 *
 * Return: 0, -ECANCELED, or -errno of the memory.
 */
int settle_kept(struct dest *dest)
{
	struct walk walk = {
		.map = dest->map,
		.next = next_kept,
		.run = settle_run,
		.arg = dest,
	};

	setpriority(PRIO_PROCESS, 0, 5);
	return walk_pages(&walk);
}
