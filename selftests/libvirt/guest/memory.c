// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * memory.c - pages whose whole content is known, and the walk over all of them.
 *
 * What a page was written with last is kept in a table apart: a page that a
 * migration leaves behind in an older state differs from its table entry, and
 * so does an entry that is left behind.
 *
 * A page that is wrong stays so until the writer comes to it, and is counted
 * each time it is seen: by the writer, by a walk, and by "verify".
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "sys.h"
#include "guest.h"

#define PAGES_PER_MIB	((1u << 20) / BLOCK_BYTES)
#define LOCKS		256u
/* Left to the kernel, the threads and page tables. */
#define SPARE_MIB	24u

static struct {
	uint64_t *words;		/* these three: set once */
	uint32_t *generation;		/* [pages]; under the page's lock */
	uint64_t pages;
	pthread_mutex_t locks[LOCKS];	/* of the pages with that remainder */
	_Atomic unsigned int told;
} memory;

static uint64_t *page_words(uint64_t page)
{
	return memory.words + page * BLOCK_WORDS;
}

static pthread_mutex_t *page_lock(uint64_t page)
{
	return &memory.locks[page % LOCKS];
}

/* With the page's lock held. */
static bool page_is_bad(uint64_t page)
{
	uint32_t generation = memory.generation[page];
	struct difference is;

	if (!pattern_differs(page_words(page), pattern_key(page, generation), &is))
		return false;
	counters.bad++;
	if (report_detail(&memory.told))
		report_line("bad page=%" PRIu64 " word=%u generation=%u"
			    " expected=%016" PRIx64 " found=%016" PRIx64, page,
			    is.word, generation, is.expected, is.found);
	return true;
}

/* With the page's lock held. */
static void page_write(uint64_t page, uint32_t generation)
{
	memory.generation[page] = generation;
	pattern_fill(page_words(page), pattern_key(page, generation));
}

static bool page_visit(uint64_t page)
{
	bool bad;

	pthread_mutex_lock(page_lock(page));
	bad = page_is_bad(page);
	pthread_mutex_unlock(page_lock(page));
	return bad;
}

/**
 * memory_rewrite() - check a page, then write its next generation
 */
void memory_rewrite(uint64_t page)
{
	pthread_mutex_lock(page_lock(page));
	page_is_bad(page);
	page_write(page, memory.generation[page] + 1);
	pthread_mutex_unlock(page_lock(page));
	counters.writes++;
}

/**
 * memory_verify() - check all pages, now
 *
 * Return: how many are bad.
 */
uint64_t memory_verify(void)
{
	uint64_t bad = 0;

	for (uint64_t page = 0; page < memory.pages; page++)
		bad += page_visit(page);
	return bad;
}

/**
 * memory_pages() - how many there are
 */
uint64_t memory_pages(void)
{
	return memory.pages;
}

static bool memory_fits(uint64_t mib)
{
	struct sysinfo info;
	uint64_t free_mib;

	sysinfo(&info);
	free_mib = (uint64_t)info.freeram * info.mem_unit >> 20;
	if (mib + mib / 256 + SPARE_MIB <= free_mib)
		return true;
	report_error(-ENOMEM, "straddle.mem=%" PRIu64 ": %" PRIu64 " MiB are free,"
		     " of which %u stay so", mib, free_mib, SPARE_MIB);
	return false;
}

/**
 * memory_create() - allocate the memory and write every page of it
 *
 * If that is impossible, it is reported, and there are no pages.
 */
void memory_create(void)
{
	uint64_t pages = config.mem_mib * PAGES_PER_MIB;
	void *words = NULL;
	int ret;

	for (unsigned int i = 0; i < LOCKS; i++)
		pthread_mutex_init(&memory.locks[i], NULL);
	if (!pages || !memory_fits(config.mem_mib))
		return;
	memory.generation = calloc(pages, sizeof(*memory.generation));
	ret = sys_mmap(&words, pages * BLOCK_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!memory.generation || ret) {
		report_error(-ENOMEM, "memory");
		return;
	}
	memory.words = words;
	memory.pages = pages;
	for (uint64_t page = 0; page < pages; page++)
		page_write(page, 1);
	counters.mem_mib = config.mem_mib;
}

static void *walk_run(void *arg)
{
	struct pace pace;
	uint64_t page = 0;

	(void)arg;
	pace_init(&pace);
	for (;;) {
		uint64_t count = pace_grant(&pace, config.walk_pages);

		while (count--) {
			page_visit(page);
			if (++page < memory.pages)
				continue;
			page = 0;
			counters.passes++;
		}
	}
	return NULL;
}

/**
 * memory_walk_start() - start the thread that checks page after page, forever
 */
void memory_walk_start(void)
{
	if (memory.pages)
		thread_start("walk", walk_run, NULL);
}
