// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pagemap.c - which pages are there, by reading /proc/PID/pagemap.
 *
 * One 64-bit entry a page (Documentation/admin-guide/mm/pagemap.rst). Dirty
 * tracking with WP_UNPOPULATED leaves a marker where there is no page, and a
 * marker counts as swapped, as do pages in swap and pages that the kernel is
 * moving. Those hold content; a marker does not. What tells it is the swap
 * type, which the kernel shows to CAP_SYS_ADMIN only, and whose number is
 * looked up on a page of our own.
 */
#include <cleanup.h>
#include <pthread.h>

#include "uffd/sys.h"
#include "uffd/uffd.h"

#define SMALL_PAGE	UINT64_C(4096)
#define ENTRIES		2048u			/* read at a time */
#define ENTRY_PRESENT	(UINT64_C(1) << 63)
#define ENTRY_SWAPPED	(UINT64_C(1) << 62)
#define ENTRY_SWAP	((UINT64_C(1) << 55) - 1)	/* type and offset */

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

static bool is_there(uint64_t entry, uint64_t absent)
{
	if (entry & ENTRY_PRESENT)
		return true;
	return entry & ENTRY_SWAPPED &&
	       (!absent || (entry & ENTRY_SWAP) != absent);
}

/* Runs of pages that are there; @absent: what is not, 0: unknown. */
static int read_runs(int pagemap, struct range range, uint64_t absent,
		     uffd_run_fn *run, void *arg)
{
	struct gather gather = { .fn = run, .arg = arg };
	uint64_t entries[ENTRIES];
	uint64_t at = range.start, end = range.start + range.len;

	while (at < end) {
		uint64_t left = (end - at) / SMALL_PAGE;
		size_t want = left < ENTRIES ? left : ENTRIES;
		ssize_t got = sys_retry(pread(pagemap, entries, want * 8,
					      (off_t)(at / SMALL_PAGE * 8)));

		if (got < 8)
			return got < 0 ? (int)got : got ? -EIO : -ESRCH;
		for (ssize_t i = 0; i < got / 8; i++, at += SMALL_PAGE) {
			int ret = gather_page(&gather, at,
					      is_there(entries[i], absent));

			if (ret)
				return ret;
		}
	}
	return gather_flush(&gather);
}

/**
 * pagemap_read() - runs of pages that are mapped or swapped
 * @pagemap: /proc/PID/pagemap
 * @range: whole pages
 * @run: called for each run, ascending
 * @arg: handed to @run
 *
 * Return: 0, what @run returned, or -errno; -ESRCH: the process has died.
 */
int pagemap_read(int pagemap, struct range range, uffd_run_fn *run, void *arg)
{
	return read_runs(pagemap, range, 0, run, arg);
}

/* Protect a page that is not there, and look at what stands for it. */
static int marker_make(int uffd, void *page, uint64_t *found)
{
	struct range range = { (uintptr_t)page, SMALL_PAGE };
	int __cleanup_fd pagemap = -1;
	uint64_t entry = 0;
	int ret = uffd_enable(uffd, UFFD_FEATURE_PAGEFAULT_FLAG_WP |
				    UFFD_FEATURE_WP_UNPOPULATED);

	if (!ret)
		ret = uffd_register(uffd, range, UFFDIO_REGISTER_MODE_WP);
	if (!ret)
		ret = uffd_protect(uffd, range);
	if (ret)
		return ret;
	pagemap = sys_ret(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	if (pagemap < 0)
		return pagemap;
	if (sys_retry(pread(pagemap, &entry, 8, (off_t)(range.start /
						SMALL_PAGE * 8))) != 8)
		return -EIO;
	if (!(entry & ENTRY_PRESENT) && entry & ENTRY_SWAPPED)
		*found = entry & ENTRY_SWAP;
	return 0;
}

/* What a marker looks like on this kernel; 0: none, or not shown to us. */
static uint64_t marker;

static void marker_find(void)
{
	int __cleanup_fd uffd = uffd_open();
	void *page = NULL;

	if (uffd < 0 ||
	    sys_mmap(&page, SMALL_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
		return;
	if (marker_make(uffd, page, &marker))
		marker = 0;
	munmap(page, SMALL_PAGE);
}

/**
 * uffd_content_prepare() - learn what uffd_content() needs to know of the kernel
 *
 * It does so itself; but for that it has to open a userfaultfd, and with
 * CAP_SYS_ADMIN, which its caller may have given up by then.
 */
void uffd_content_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, marker_find);
}

/* A run that may consist of markers. */
struct content {
	int pagemap;
	uint64_t marker;
	uffd_run_fn *run;
	void *arg;
};

static int content_in(struct range range, void *arg)
{
	const struct content *content = arg;

	return read_runs(content->pagemap, range, content->marker,
			 content->run, content->arg);
}

/**
 * uffd_content() - what a process that is tracked has, markers left out
 * @pagemap: its /proc/PID/pagemap
 * @range: whole pages
 * @run: called for each run, ascending
 * @arg: handed to @run
 *
 * Where markers cannot be told from swapped pages they are handed out, too:
 * they read as zero.
 *
 * Return: 0, what @run returned, or -errno; -ESRCH: the process has died.
 */
int uffd_content(int pagemap, struct range range, uffd_run_fn *run, void *arg)
{
	struct content content = { .pagemap = pagemap, .run = run, .arg = arg };

	uffd_content_prepare();
	content.marker = marker;
	if (!content.marker)
		return uffd_populated(pagemap, range, run, arg);
	return uffd_populated(pagemap, range, content_in, &content);
}
