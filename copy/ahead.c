// SPDX-License-Identifier: LGPL-2.1-or-later
/* ahead.c - guests that walk through their memory: what is sent ahead of them. */
#include "copy/ahead.h"

#include <string.h>

/**
 * ahead_init() - begin without a walk
 * @ahead: to set up; ahead_fini() ends it
 */
void ahead_init(struct ahead *ahead)
{
	memset(ahead, 0, sizeof(*ahead));
	pthread_mutex_init(&ahead->lock, NULL);
}

/**
 * ahead_fini() - let go of what ahead_init() made
 * @ahead: nobody uses it any more
 */
void ahead_fini(struct ahead *ahead)
{
	pthread_mutex_destroy(&ahead->lock);
}

/* A page that went along already is wanted by a guest that is quicker than it. */
static bool goes_on(const struct ahead_walk *walk, const struct region *region,
		    const struct bitmap *sent, uint64_t page)
{
	if (walk->region != region || page <= walk->wanted)
		return false;
	if (page <= walk->next)
		return true;
	return page - walk->next <= AHEAD_LEAP &&
	       bitmap_next(sent, walk->next, page, false) == page;
}

static struct ahead_walk *walk_find(struct ahead *ahead,
				    const struct region *region,
				    const struct bitmap *sent, uint64_t page)
{
	unsigned int i;

	for (i = 0; i < AHEAD_WALKS; i++)
		if (goes_on(&ahead->walks[i], region, sent, page))
			return &ahead->walks[i];
	return NULL;
}

/* In place of the one that nobody has gone on with for longest. */
static struct ahead_walk *walk_begin(struct ahead *ahead, const struct region *region,
				     uint64_t page)
{
	struct ahead_walk *walk = ahead->walks;
	unsigned int i;

	for (i = 1; i < AHEAD_WALKS; i++)
		if (ahead->walks[i].used < walk->used)
			walk = &ahead->walks[i];
	*walk = (struct ahead_walk){ .region = region, .wanted = page, .next = page + 1 };
	return walk;
}

/* No more than another thread of the guest may have to wait for. */
static void window_grow(struct ahead_walk *walk)
{
	uint64_t most = STEP_SIZE >> walk->region->page_shift;

	walk->window = walk->window ? walk->window * 2 : AHEAD_FIRST;
	if (walk->window > most)
		walk->window = most;
}

static uint64_t walk_on(struct ahead_walk *walk, uint64_t page, uint64_t *first)
{
	uint64_t end, begin = page < walk->next ? walk->next : page + 1;

	window_grow(walk);
	end = page + 1 + walk->window;
	if (end > walk->region->pages)
		end = walk->region->pages;
	if (end < begin)
		end = begin;
	walk->wanted = page;
	walk->next = end;
	*first = begin;
	return end - begin;
}

/**
 * ahead_window() - a page is wanted: which others go along?
 * @ahead: what was wanted before
 * @region: of the page
 * @sent: which pages of the region were sent
 * @page: its number
 * @first: receives the first of them, if there are any
 *
 * Return: how many, at most 64 KiB of them; sent ones are among them.
 */
uint64_t ahead_window(struct ahead *ahead, const struct region *region,
		      const struct bitmap *sent, uint64_t page,
		      uint64_t *first)
{
	struct ahead_walk *walk;
	uint64_t count = 0;

	pthread_mutex_lock(&ahead->lock);
	walk = walk_find(ahead, region, sent, page);
	if (walk)
		count = walk_on(walk, page, first);
	else
		walk = walk_begin(ahead, region, page);
	walk->used = ++ahead->wants;
	pthread_mutex_unlock(&ahead->lock);
	return count;
}
