// SPDX-License-Identifier: LGPL-2.1-or-later
/* pagemap.c - what is there, asked of the kernel in two ways. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "harness.h"
#include "sys.h"
#include "uffd/uffd.h"

#define PAGES	8192u		/* several reads of pagemap */
#define PAGE	4096u

struct runs {
	uint64_t count;
	struct range run[PAGES];
};

static int keep(struct range range, void *arg)
{
	struct runs *runs = arg;

	runs->run[runs->count++] = range;
	return 0;
}

static int stop(struct range range, void *arg)
{
	(void)range;
	(void)arg;
	return 7;
}

FIXTURE(memory) {
	uint8_t *base;
	int pagemap;
	struct range range;
	struct runs *scanned, *gathered;
};

FIXTURE_SETUP(memory)
{
	void *map = NULL;
	unsigned int i, page = 1;

	ASSERT_EQ(0, sys_mmap(&map, PAGES * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			      0));
	self->base = map;
	self->range = (struct range){ (uintptr_t)map, PAGES * PAGE };
	ASSERT_EQ(0, madvise(map, PAGES * PAGE, MADV_NOHUGEPAGE));
	for (i = 0; i < PAGES; i++) {
		page = page * 1103515245u + 12345u;
		if (page >> 16 & 3)
			self->base[i * PAGE] = 1;
	}
	self->pagemap = sys_ret(open("/proc/self/pagemap",
				     O_RDONLY | O_CLOEXEC));
	ASSERT_LE(0, self->pagemap);
	self->scanned = calloc(1, sizeof(*self->scanned));
	self->gathered = calloc(1, sizeof(*self->gathered));
	ASSERT_TRUE(self->scanned && self->gathered);
}

FIXTURE_TEARDOWN(memory)
{
	free(self->scanned);
	free(self->gathered);
	close(self->pagemap);
	munmap(self->base, PAGES * PAGE);
}

/* Kernels before 6.7 have the second way only. */
TEST_F(memory, reading_finds_what_scanning_finds)
{
	int ret = uffd_populated(self->pagemap, self->range, keep,
				 self->scanned);

	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, pagemap_read(self->pagemap, self->range, keep,
				  self->gathered));
	ASSERT_LT(100, self->gathered->count);
	ASSERT_EQ(self->scanned->count, self->gathered->count);
	EXPECT_EQ(0, memcmp(self->scanned->run, self->gathered->run,
			    self->scanned->count * sizeof(struct range)));
}

TEST_F(memory, reading_stops_when_told)
{
	EXPECT_EQ(7, pagemap_read(self->pagemap, self->range, stop, NULL));
}

TEST_F(memory, reading_of_nothing_finds_nothing)
{
	ASSERT_EQ(0, madvise(self->base, PAGES * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, pagemap_read(self->pagemap, self->range, keep,
				  self->gathered));
	EXPECT_EQ(0, self->gathered->count);
}

/* To the kernel it has nothing, and that is no error. */
TEST_F(memory, process_that_died_is_not_taken_for_an_empty_one)
{
	char path[64];
	siginfo_t ended;
	pid_t child = fork();
	int pagemap;

	ASSERT_LE(0, child);
	if (!child) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)child);
	pagemap = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	EXPECT_LE(0, pagemap);
	EXPECT_EQ(0, uffd_populated(pagemap, self->range, keep, self->scanned));
	EXPECT_LT(100, self->scanned->count);
	kill(child, SIGKILL);
	EXPECT_EQ(0, waitid(P_PID, (id_t)child, &ended, WEXITED));
	EXPECT_EQ(-ESRCH, uffd_populated(pagemap, self->range, stop, NULL));
	EXPECT_EQ(-ESRCH, uffd_content(pagemap, self->range, stop, NULL));
	EXPECT_EQ(-ESRCH, pagemap_read(pagemap, self->range, stop, NULL));
	close(pagemap);
}

static int count_bytes(struct range range, void *arg)
{
	*(uint64_t *)arg += range.len;
	return 0;
}

/* Tracking leaves markers, which look like swapped pages. */
TEST_F(memory, markers_of_tracking_are_no_content)
{
	struct uffd_tracker tracker;
	uint64_t before = 0, marked = 0, after = 0;
	int uffd = uffd_open();

	ASSERT_LE(0, uffd);
	if (uffd_enable(uffd, UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			      UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			      UFFD_FEATURE_WP_UNPOPULATED |
			      UFFD_FEATURE_WP_ASYNC))
		SKIP(return, "no WP_ASYNC: Linux 6.7 has it");
	ASSERT_EQ(0, uffd_content(self->pagemap, self->range, count_bytes,
				  &before));
	ASSERT_EQ(0, uffd_tracker_open(&tracker, getpid(), uffd));
	ASSERT_EQ(0, uffd_track(&tracker, self->range));
	ASSERT_EQ(0, uffd_populated(self->pagemap, self->range, count_bytes,
				    &marked));
	ASSERT_EQ(0, uffd_content(self->pagemap, self->range, count_bytes,
				  &after));
	EXPECT_EQ(PAGES * PAGE, marked);
	EXPECT_LT(0, before);
	EXPECT_EQ(before, after);
	EXPECT_EQ(0, uffd_untrack(&tracker, self->range));
	uffd_tracker_close(&tracker);
	close(uffd);
}

/*
 * While the kernel moves pages about, each of them is swapped or mapped, and
 * none is missing. With PAGE_IS_PRESENT alone this test fails.
 */
static void *compact(void *arg)
{
	int fd = sys_ret(open("/proc/sys/vm/compact_memory",
			      O_WRONLY | O_CLOEXEC));
	bool *stop_now = arg;

	while (fd >= 0 && !__atomic_load_n(stop_now, __ATOMIC_RELAXED))
		if (sys_ret(write(fd, "1", 1)) < 0)
			break;
	if (fd >= 0)
		close(fd);
	return NULL;
}

TEST_F(memory, page_that_moves_is_content)
{
	unsigned long i, most = test_sample(400);
	bool stop_now = false;
	pthread_t thread;

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "no compact_memory: CONFIG_COMPACTION");
	memset(self->base, 1, PAGES * PAGE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, compact, &stop_now));
	for (i = 0; i < most; i++) {
		uint64_t bytes = 0;

		EXPECT_EQ(0, uffd_content(self->pagemap, self->range,
					  count_bytes, &bytes));
		EXPECT_EQ(PAGES * PAGE, bytes);
	}
	__atomic_store_n(&stop_now, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
