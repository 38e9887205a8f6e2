// SPDX-License-Identifier: LGPL-2.1-or-later
/* stale.c - dest: pages that must not be mapped for the guest go. */
#include <errno.h>
#include <stdlib.h>

#include "protocol/phase.h"

#define ZAP_RANGES	1024	/* that are zapped in one injection */
#define ZAP_ROUNDS	8	/* zap and look again, at most */

/* Ranges to zap, gathered so that one injection does many. */
struct zap_list {
	struct migration *m;
	struct range ranges[ZAP_RANGES];
	size_t count;
	uint64_t found;
	bool again;		/* unprotect first: no marker is to stay */
};

static int zap_flush(struct zap_list *list)
{
	struct migration *m = list->m;
	size_t count = list->count;

	list->count = 0;
	if (!count)
		return 0;
	return m->port_ops->zap(m->port, &m->attachment, list->ranges, count,
				&m->fail);
}

static int zap_add(struct range range, void *arg)
{
	struct zap_list *list = arg;

	/*
	 * A page that was placed protected leaves a marker of that where the
	 * mapping is a file's, and a marker looks like a page. Whoever is not
	 * protected refuses, and is found again.
	 */
	if (list->again)
		(void)uffd_unprotect(list->m->attachment.uffd, range);
	list->ranges[list->count++] = range;
	list->found++;
	return list->count == ZAP_RANGES ? zap_flush(list) : 0;
}

/**
 * memory_zap_stale() - dest: nothing that is not present may be mapped
 * @m: with its kept pages known, before GO
 *
 * Zapped and looked for again until a look finds nothing.
 *
 * Return: 0 or -errno with @m->fail.
 */
int memory_zap_stale(struct migration *m)
{
	struct zap_list *list = calloc(1, sizeof(*list));
	int round, ret = 0;

	if (!list)
		return -ENOMEM;
	list->m = m;
	for (round = 0; round < ZAP_ROUNDS; round++) {
		list->found = 0;
		list->again = round > 0;
		ret = dest_stale(m->dest, m->pagemap, zap_add, list);
		if (!ret)
			ret = zap_flush(list);
		if (ret < 0 || !list->found)
			break;
	}
	if (!ret && list->found)
		ret = fail_set(&m->fail, -EBUSY,
			       "pages of guest '%s' that must be empty keep coming back: somebody writes its memory",
			       m->description.name);
	free(list);
	return ret;
}

/**
 * memory_drop() - dest: pages that were written since they were sent
 * @m: performing, every push lane has passed the barrier
 * @region: of the pages
 * @first: the first of them
 * @pages: how many
 * @stale: a bit a page
 *
 * They go while the guest still runs at the source, so that memory_zap_stale()
 * has little left to do while it stands still. A round may follow all the same,
 * and write them once more. A shared page's bytes stay in its file: nothing of
 * it is mapped here.
 *
 * Return: 0 or -errno with @m->fail.
 */
int memory_drop(struct migration *m, struct region *region, uint64_t first,
		uint64_t pages, const uint64_t *stale)
{
	const struct bitmap set = { (uint64_t *)stale, pages };
	struct zap_list *list;
	uint64_t page = 0, end;
	int ret = 0;

	if (region->shared)
		return 0;
	list = calloc(1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	list->m = m;
	list->again = true;	/* a marker would be taken for the page */
	for (; !ret; page = end) {
		page = bitmap_next(&set, page, pages, true);
		if (page >= pages)
			break;
		end = bitmap_next(&set, page, pages, false);
		ret = zap_add(page_range(region, first + page, end - page),
			      list);
	}
	if (!ret)
		ret = zap_flush(list);
	free(list);
	return ret;
}
