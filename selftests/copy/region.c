// SPDX-License-Identifier: LGPL-2.1-or-later
/* region.c - regions whose arithmetic would wrap are refused. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "copy/kind.h"
#include "harness.h"
#include "lib/hugepages.h"
#include "sys.h"

#define TOP	(1ull << 63)

FIXTURE(add) { int unused; };
FIXTURE_VARIANT(add) {
	uint32_t page_shift;
	uint64_t pages, address, offset;
	int ret;
};
FIXTURE_SETUP(add) {}
FIXTURE_TEARDOWN(add) {}

#define ROW(name, ...) FIXTURE_VARIANT_ADD(add, name) { __VA_ARGS__ };
/*				shift, pages,	  address,    offset, ret */
ROW(one_page,			12, 1,		  4096,	      0, 0)
ROW(twelve_tebibytes,		12, 3ull << 30,	  1ull << 40, 0, 0)
ROW(one_gibibyte_page,		30, 2,		  1ull << 40, 0, 0)
ROW(no_pages,			12, 0,		  4096,	      0, -EINVAL)
ROW(pages_below_4k,		11, 1,		  4096,	      0, -EINVAL)
ROW(pages_above_1g,		31, 1,		  0,	      0, -EINVAL)
ROW(absurd_shift,		99, 1,		  0,	      0, -EINVAL)
ROW(size_wraps,			12, 1ull << 52,	  0,	      0, -EOVERFLOW)
ROW(size_is_negative,		12, 1ull << 51,	  0,	      0, -EOVERFLOW)
ROW(end_wraps,			12, 2, UINT64_MAX - 4095,     0, -EOVERFLOW)
ROW(file_end_wraps,		12, 2, 4096, UINT64_MAX - 4095,	 -EOVERFLOW)
ROW(file_end_is_negative,	12, 1, 4096, TOP - 4096,	 -EOVERFLOW)
ROW(address_is_odd,		12, 1,		  4097,	      0, -EINVAL)
ROW(address_within_large_page,	21, 1,		  4096,	      0, -EINVAL)
ROW(offset_within_large_page,	21, 1,		  0,	   4096, -EINVAL)

TEST_F(add, bounds_are_checked)
{
	struct region_map map = { .count = 0 };
	struct region region = {
		.page_shift = variant->page_shift, .pages = variant->pages,
		.address = variant->address, .offset = variant->offset,
		.shared = true, .fd = -1, .uffd = -1, .pagemap = -1,
	};

	EXPECT_EQ(variant->ret, region_add(&map, &region));
	EXPECT_EQ(!variant->ret, map.count);
	region_map_fini(&map);
}

static const struct region one = {
	.page_shift = 12, .pages = 10, .address = 1u << 20,
	.shared = true, .fd = -1, .uffd = -1, .pagemap = -1,
};

TEST(map_has_room_for_as_many_as_it_says)
{
	struct region_map map = { .count = 0 };
	unsigned int i;

	for (i = 0; i < REGIONS_MAX; i++)
		ASSERT_EQ(0, region_add(&map, &one));
	EXPECT_EQ(-ENOSPC, region_add(&map, &one));
	EXPECT_EQ(REGIONS_MAX - 1, map.regions[REGIONS_MAX - 1].id);
	EXPECT_EQ(REGIONS_MAX * 10, region_map_pages(&map));
	EXPECT_EQ(REGIONS_MAX * 40960, region_map_bytes(&map));
}

TEST(kind_is_of_sharing_page_size_and_what_is_behind)
{
	struct region region = one;

	EXPECT_EQ(&kind_shmem, kind_of(&region));
	region.page_shift = 21;
	EXPECT_EQ(&kind_hugetlb, kind_of(&region));
	region.shared = false;
	EXPECT_EQ(&kind_private_huge, kind_of(&region));
	region.page_shift = 12;
	EXPECT_EQ(&kind_private, kind_of(&region));
	region.of_file = true;
	EXPECT_EQ(&kind_private_file, kind_of(&region));
}

/* A private page that is written, or read, makes one of zeroes in the file. */
TEST(file_behind_private_memory_is_emptied_unless_it_holds_something)
{
	static const char word[] = "somebody's";
	struct region region = one;
	char found[sizeof(word)];

	region.shared = false;
	region.of_file = true;
	region.fd = sys_ret(memfd_create("behind", MFD_CLOEXEC));
	ASSERT_EQ(0, sys_ret(ftruncate(region.fd, 10 * 4096)));
	ASSERT_EQ(0, sys_pwrite_all(region.fd, "\0", 1, 4 * 4096));
	ASSERT_EQ(0, kind_of(&region)->empty(&region));
	EXPECT_EQ(-ENXIO, sys_ret(lseek(region.fd, 0, SEEK_DATA)));
	ASSERT_EQ(0, sys_pwrite_all(region.fd, word, sizeof(word), 9 * 4096 + 100));
	EXPECT_EQ(-ENOTEMPTY, kind_of(&region)->empty(&region));
	ASSERT_EQ((ssize_t)sizeof(word),
		  pread(region.fd, found, sizeof(found), 9 * 4096 + 100));
	EXPECT_STREQ(word, found);
	close(region.fd);
}

static blkcnt_t blocks_of(int fd)
{
	struct stat status = { .st_blocks = -1 };

	EXPECT_EQ(0, sys_ret(fstat(fd, &status)));
	return status.st_blocks;
}

/* It is mapped without a fault, and no SEEK_DATA finds it. */
TEST(file_behind_private_memory_loses_what_was_only_allocated)
{
	struct region region = one;

	region.shared = false;
	region.of_file = true;
	region.fd = sys_ret(memfd_create("behind", MFD_CLOEXEC));
	ASSERT_EQ(0, sys_ret(fallocate(region.fd, 0, 0, 10 * 4096)));
	ASSERT_EQ(80, blocks_of(region.fd));
	ASSERT_EQ(0, kind_of(&region)->empty(&region));
	EXPECT_EQ(0, blocks_of(region.fd));
	close(region.fd);
}

static void huge_file_look(struct region *region)
{
	size_t size = region->pages * HUGEPAGE_SIZE;
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, region->fd, 0);

	ASSERT_NE(MAP_FAILED, (void *)memory);
	memory[0] = 1;		/* the page is the process's own */
	EXPECT_EQ(0, kind_of(region)->empty(region));
	ASSERT_EQ(0, sys_ret(fallocate(region->fd, 0, HUGEPAGE_SIZE, HUGEPAGE_SIZE)));
	EXPECT_EQ(-ENOTEMPTY, kind_of(region)->empty(region));
	munmap(memory, size);
}

TEST(file_of_huge_pages_behind_private_memory_is_to_have_none)
{
	struct region region = one;

	if (hugepages_add(4))
		SKIP(return, "no 4 huge pages of 2 MiB free on this host");
	region.shared = false;
	region.page_shift = 21;
	region.pages = 2;
	region.fd = sys_ret(memfd_create("behind", MFD_CLOEXEC | MFD_HUGETLB));
	EXPECT_EQ(0, sys_ret(ftruncate(region.fd, 2 * HUGEPAGE_SIZE)));
	if (!test_has_failed())
		huge_file_look(&region);
	close(region.fd);
	EXPECT_EQ(0, hugepages_add(-4));
}

TEST(address_belongs_to_the_region_it_is_in)
{
	struct region_map map = { .count = 0 };
	struct region other = one;
	uint64_t page = 99;

	other.address = 4u << 20;
	other.page_shift = 21;
	other.pages = 2;
	ASSERT_EQ(0, region_add(&map, &one));
	ASSERT_EQ(0, region_add(&map, &other));
	EXPECT_NULL(region_at(&map, (1u << 20) - 1, &page));
	EXPECT_NULL(region_at(&map, (1u << 20) + 40960, &page));
	EXPECT_NULL(region_at(&map, 8u << 20, &page));
	EXPECT_NULL(region_at(&map, UINT64_MAX, &page));
	EXPECT_EQ(99, page);
	EXPECT_EQ(&map.regions[0], region_at(&map, 1u << 20, &page));
	EXPECT_EQ(0, page);
	EXPECT_EQ(&map.regions[0], region_at(&map, (1u << 20) + 40959, &page));
	EXPECT_EQ(9, page);
	EXPECT_EQ(&map.regions[1], region_at(&map, (8u << 20) - 1, &page));
	EXPECT_EQ(1, page);
	region_map_fini(&map);
}

/* A run is 256 KiB of small pages, and never less than one page. */
TEST(runs_and_blocks_are_whole_pages)
{
	struct region region = one;

	EXPECT_EQ(64, run_pages(&region));
	EXPECT_EQ(16, step_pages(&region));
	EXPECT_EQ(512, block_pages(&region));
	region.page_shift = 21;
	EXPECT_EQ(1, run_pages(&region));
	EXPECT_EQ(1, step_pages(&region));
	EXPECT_EQ(1, block_pages(&region));
	region.page_shift = 30;
	EXPECT_EQ(1, run_pages(&region));
	EXPECT_EQ(1, block_pages(&region));
}

TEST_HARNESS_MAIN
