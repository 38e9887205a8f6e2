// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bookkeeping.c - a guest of 12 TiB that holds almost nothing.
 *
 * Its memory is a sparse file, so that all that is left of a migration is the
 * bookkeeping: it must fit, and nothing in it may take a step for each page
 * squared, or a system call for each page.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "copy/kind.h"
#include "ends.h"
#include "harness.h"
#include "sys.h"

#define NAMED	(1ull << 22)		/* pages named in one dest_keep() */
#define SLACK	(64ull << 20)		/* bytes of everything else */

static uint64_t resident(void)
{
	char line[256];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/self/status", "re");

	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmRSS: %llu", &kib);
	fclose(file);
	return kib << 10;
}

/* A guest in this very process. */
static void fake_guest(struct region *region, uint64_t pages, int uffd)
{
	void *map = NULL;

	*region = (struct region){
		.page_shift = 12, .pages = pages, .shared = true,
		.pid = getpid(), .pagemap = -1, .uffd = uffd,
		.fd = sys_ret(memfd_create("sparse", MFD_CLOEXEC)),
	};
	ASSERT_GE(region->fd, 0);
	ASSERT_EQ(0, ftruncate(region->fd, (off_t)(pages << 12)));
	ASSERT_EQ(0, sys_mmap(&map, pages << 12, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_NORESERVE, region->fd, 0));
	region->address = (uint64_t)map;
}

/* Three pages, as far from each other as can be. */
static void write_some(const struct region *region)
{
	uint64_t places[] = { 0, region->pages / 2, region->pages - 1 };
	uint8_t page[4096];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		guest_pattern(page, sizeof(page), places[i], 1);
		ASSERT_EQ(0, sys_pwrite_all(region->fd, page, sizeof(page),
					    places[i] << 12));
	}
}

static void open_all(struct ends *ends, uint64_t pages)
{
	struct region here, there;
	char path[64];
	int uffd = uffd_open();

	memset(ends, 0, sizeof(*ends));
	ends->generation = 1;
	ends->tracker.pagemap = -1;
	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_enable(uffd, kind_shmem.features));
	fake_guest(&here, pages, -1);
	fake_guest(&there, pages, uffd);
	write_some(&here);
	ASSERT_EQ(0, uffd_register(uffd, page_range(&there, 0, pages),
				   kind_shmem.modes));
	ASSERT_EQ(0, region_add(&ends->here_map, &here));
	ASSERT_EQ(0, region_add(&ends->there_map, &there));
	ASSERT_EQ(0, source_create(&ends->here_map, 0, &ends->source));
	snprintf(path, sizeof(path), "/dev/shm/straddle-pages-%d", getpid());
	ASSERT_EQ(0, dest_create(&ends->there_map, path, uffd, &ends->dest));
	ASSERT_EQ(0, unlink(path));
	ends->here.pages = ends->there.pages = pages;
	lane_pair(ends, LANE_PUSH, 0);
	lane_pair(ends, LANE_PUSH, 1);
	lane_pair(ends, LANE_FAULT, 0);
}

/* In pieces, as they would travel. */
static void keep_clean(struct ends *ends)
{
	const uint64_t *dirty = ends->source->regions[0].dirty.words;
	struct region *region = &ends->there_map.regions[0];
	uint64_t *keep = malloc(NAMED / 8);
	uint64_t first, word;

	ASSERT_NE(NULL, keep);
	for (first = 0; first < region->pages; first += NAMED) {
		uint64_t count = region->pages - first;

		if (count > NAMED)
			count = NAMED;
		for (word = 0; word < bitmap_words(count); word++)
			keep[word] = ~dirty[first / BITS_PER_WORD + word];
		ASSERT_EQ(0, dest_keep(ends->dest, region, first, count,
				       keep));
	}
	free(keep);
}

/* Two guests have to fit beside what a sanitizer takes for itself. */
static bool address_space_ready(uint64_t pages)
{
	void *map = NULL;

	if (sys_mmap(&map, pages << 13, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
		test_skip("no room for %llu bytes of addresses in this build",
			  (unsigned long long)pages << 13);
		return false;
	}
	munmap(map, pages << 13);
	return true;
}

FIXTURE(bookkeeping) {
	struct ends ends;
	uint64_t pages;
	bool skipped;
};
FIXTURE_VARIANT(bookkeeping) { bool round; };
FIXTURE_VARIANT_ADD(bookkeeping, precopy) { true };
FIXTURE_VARIANT_ADD(bookkeeping, postcopy) { false };

FIXTURE_SETUP(bookkeeping)
{
	self->pages = test_sample(12ul << 28);
	self->skipped = !address_space_ready(self->pages);
	if (self->skipped)
		return;
	open_all(&self->ends, self->pages);
}
FIXTURE_TEARDOWN(bookkeeping)
{
	if (!self->skipped)
		ends_close(&self->ends);
}

TEST_F_TIMEOUT(bookkeeping, twelve_tebibytes_of_nothing_cross, 120)
{
	struct ends *ends = &self->ends;
	uint64_t bitmaps = 3 * bitmap_words(self->pages + 1) * 8;

	if (self->skipped)
		return;
	/* At most 4 bits a page at each end. */
	EXPECT_LE(ends->dest->states.size, self->pages / 2 + 4096 +
		  LEDGERS_MAX * sizeof(struct ledger));
	EXPECT_LE(bitmaps, self->pages / 2 + 4096);
	ASSERT_EQ(0, source_populated(ends->source));
	EXPECT_EQ(3 << 12, source_dirty_bytes(ends->source));
	if (variant->round)
		ends_round(ends);
	source_hold(ends->source);
	keep_clean(ends);
	EXPECT_EQ(variant->round ? 0 : 3, stat_read(&ends->dest->missing));
	dest_switch(ends->dest, ends->generation);
	ends_push(ends);
	ends_finish(ends);
	EXPECT_EQ(0, source_unsent_pages(ends->source));
	EXPECT_EQ(3, stat_read(&ends->source->stats.data_pages));
	EXPECT_LE(resident(), ends->dest->states.size + bitmaps + SLACK);
}

TEST_HARNESS_MAIN
