// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * settle.c - kept pages are counted, then shown to the guest.
 *
 * A page kept from pre-copy is hashed before the guest can write it: shared
 * ones are not mapped until here, private ones are write-protected. A fault
 * on one settles it at once; everything else comes in a sweep. COUNTED says
 * that its digest is added, so that each page is added once.
 */
#include <errno.h>
#include <sys/resource.h>

#include "copy/dest.h"
#include "copy/kind.h"
#include "copy/walk.h"
#include "thread.h"

/*
 * Count what nobody else has counted; without @bytes the pages are zero. Who
 * holds the lock does what it has written down: no other thread counts one of
 * these pages in between. dest->removal is held: nor does the guest free one.
 */
static uint64_t count_some(struct dest *dest, struct region *region,
			   uint64_t *at, uint64_t end, const uint8_t *bytes)
{
	struct ledger *ledger = &dest->states.ledgers[DEST_LANES_MAX];
	struct pages *pages = dest_pages(dest, region);
	unsigned int mask = PAGE_STATE | PAGE_COUNTED;
	uint64_t first, count, begun = *at;

	pthread_mutex_lock(&dest->counting);
	first = pages_next(pages, begun, end, mask, PAGE_PRESENT, true);
	*at = pages_next(pages, first, end, mask, PAGE_PRESENT, false);
	count = *at - first;
	if (count) {
		ledger_write(ledger, region, first, count,
			     digest_run(region, first, count, bytes ? bytes +
					((first - begun) << region->page_shift)
					: NULL));
		pages_count(pages, first, count);
		ledger_strike(ledger);
	}
	pthread_mutex_unlock(&dest->counting);
	return count;
}

static void count_run(struct dest *dest, struct region *region, uint64_t first,
		      uint64_t count, const uint8_t *bytes)
{
	uint64_t at = first, end = first + count;

	while (at < end) {
		const uint8_t *from = bytes
			? bytes + ((at - first) << region->page_shift) : NULL;
		uint64_t done = count_some(dest, region, &at, end, from);

		if (!__atomic_sub_fetch(&dest->uncounted, done,
					__ATOMIC_ACQ_REL) && done)
			dest_signal(dest);
	}
}

/**
 * settle_page() - a guest touches a kept page that was not counted yet
 * @dest: switched
 * @region: of the page
 * @page: its number; present or discarded
 * @buffer: for one page; the calling thread's
 *
 * Return: 0: counted or discarded, the caller places it; or -errno.
 */
int settle_page(struct dest *dest, struct region *region, uint64_t page,
		uint8_t *buffer)
{
	unsigned int mask = PAGE_STATE | PAGE_COUNTED;
	int ret = 0;

	pthread_rwlock_rdlock(&dest->removal);
	if ((page_state(dest_pages(dest, region), page) & mask) ==
	    PAGE_PRESENT) {
		ret = region->kind->read(region, page, 1, buffer);
		if (!ret)
			count_run(dest, region, page, 1, buffer);
	}
	pthread_rwlock_unlock(&dest->removal);
	return ret;
}

static uint64_t next_kept(void *arg, const struct region *region,
			  uint64_t from, uint64_t end, uint64_t *first)
{
	struct dest *dest = arg;
	struct pages *pages = dest_pages(dest, region);
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
	/*
	 * A hole within the run needs no mapping; and while the guest frees
	 * memory there is none: whoever touches one of these faults once more.
	 */
	return ret == -ENOENT || ret == -EAGAIN ? 0 : ret;
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
		.lock = &dest->removal,
	};

	setpriority(PRIO_PROCESS, 0, 5);
	return walk_pages(&walk);
}
static void *settle_main(void *arg)
{
	struct dest *dest = arg;
	int ret = settle_kept(dest);

	if (ret < 0 && ret != -ECANCELED)
		dest_fail(dest, ret);
	dest_signal(dest);
	return NULL;
}

/**
 * dest_settle() - map and count the kept pages, in the background
 * @dest: the guest was started, or is about to be. Twice is once
 *
 * Return: 0 or -errno.
 */
int dest_settle(struct dest *dest)
{
	int ret = dest->settling ? 0 :
		  thread_create(&dest->settler, "copy-settle", settle_main,
				dest);

	if (!ret)
		dest->settling = true;
	return ret;
}

