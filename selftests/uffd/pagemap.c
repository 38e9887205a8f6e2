// SPDX-License-Identifier: LGPL-2.1-or-later
/* pagemap.c - what is there, asked of the kernel in two ways. */
#include <string.h>

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
	int ret = uffd_mapped(self->pagemap, self->range, keep, self->scanned);

	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, pagemap_read(self->pagemap, self->range, false, keep,
				  self->gathered));
	ASSERT_LT(100, self->gathered->count);
	ASSERT_EQ(self->scanned->count, self->gathered->count);
	EXPECT_EQ(0, memcmp(self->scanned->run, self->gathered->run,
			    self->scanned->count * sizeof(struct range)));
}

TEST_F(memory, reading_stops_when_told)
{
	EXPECT_EQ(7, pagemap_read(self->pagemap, self->range, true, stop,
				  NULL));
}

TEST_F(memory, reading_of_nothing_finds_nothing)
{
	ASSERT_EQ(0, madvise(self->base, PAGES * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, pagemap_read(self->pagemap, self->range, true, keep,
				  self->gathered));
	EXPECT_EQ(0, self->gathered->count);
}

TEST_HARNESS_MAIN
