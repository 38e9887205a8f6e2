// SPDX-License-Identifier: LGPL-2.1-or-later
/* adopted.c - a dest goes on with memory that a dead one had begun to fill. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy/kind.h"
#include "ends.h"
#include "harness.h"
#include "sys.h"

#define WAIT_MS		10000

FIXTURE(adopted) {
	struct ends ends;
	char path[256];
	uint8_t *bytes;			/* one page */
	uint64_t pages;
	bool skipped;
};

FIXTURE_VARIANT(adopted) {
	enum guest_memory memory;
};

FIXTURE_VARIANT_ADD(adopted, shared) { GUEST_MEMFD };
FIXTURE_VARIANT_ADD(adopted, huge) { GUEST_HUGETLB };

FIXTURE_SETUP(adopted)
{
	self->pages = memory_pages(variant->memory, 64);
	self->skipped = !memory_ready(variant->memory, self->pages);
	if (self->skipped)
		return;
	there_open(&self->ends, variant->memory, self->pages);
	snprintf(self->path, sizeof(self->path), "%s/states", test_dir());
	self->bytes = aligned_alloc(4096, page_size(&self->ends.there_map.regions[0]));
	ASSERT_NE(NULL, self->bytes);
}

FIXTURE_TEARDOWN(adopted)
{
	if (self->skipped)
		return;
	free(self->bytes);
	unlink(self->path);
	ends_close(&self->ends);
	memory_done(variant->memory, self->pages);
}

/* As a worker does that is killed past the switch, in another process. */
static void begin_and_die(struct ends *ends, const char *path, uint8_t *bytes)
{
	struct region *region = &ends->there_map.regions[0];
	uint64_t none[8] = { 0 };

	dest_destroy(ends->dest);
	ends->dest = NULL;
	ASSERT_EQ(0, dest_create(&ends->there_map, path, ends->there.uffd,
				 &ends->dest));
	/* A round brought it; the guest has cleared it since, so it is stale. */
	memset(bytes, 0x5a, page_size(region));
	ASSERT_EQ(0, region->kind->overwrite(region, 1, 1, bytes));
	ASSERT_EQ(0, dest_keep(ends->dest, region, 0, region->pages, none));
	ASSERT_EQ(0, dest_switch(ends->dest, 2));
	dest_destroy(ends->dest);
	ends->dest = NULL;
}

static void succeed(struct ends *ends, const char *path, uint64_t inserts)
{
	struct region region = ends->there_map.regions[0];

	region_map_fini(&ends->there_map);
	ASSERT_EQ(0, region_add(&ends->there_map, &region));
	ASSERT_EQ(0, dest_adopt(&ends->there_map, path, ends->there.uffd, inserts,
				&ends->dest));
	ASSERT_EQ(0, dest_lanes_end(ends->dest));
}

static void wait_present(struct ends *ends, const struct region *region, uint64_t page)
{
	int ms;

	for (ms = 0; ms < WAIT_MS && !(page_state(dest_pages(ends->dest, region), page) &
				       PAGE_PRESENT); ms++)
		poll(NULL, 0, 1);
	ASSERT_NE(WAIT_MS, ms);
}

TEST_F(adopted, page_that_became_zero_does_not_keep_what_it_was)
{
	struct region *region = &self->ends.there_map.regions[0];
	struct frame zero = { .type = FRAME_ZERO, .generation = 3,
			      .region = region, .first = 1, .count = 1 };
	struct lane *lane;

	if (self->skipped)
		return;
	begin_and_die(&self->ends, self->path, self->bytes);
	succeed(&self->ends, self->path, 0);
	lane = lane_to_dest(&self->ends, LANE_PUSH);
	ASSERT_EQ(0, dest_lanes_start(self->ends.dest, 3));
	zero.digest = digest_zero_run(region, 1, 1);
	ASSERT_EQ(0, lane_send(lane, &zero, NULL));
	wait_present(&self->ends, region, 1);
	ASSERT_EQ(0, region->kind->read(region, 1, 1, self->bytes));
	EXPECT_TRUE(page_is_zero(self->bytes, page_size(region)));
	lane_destroy(lane);
}

/* Killed between insert() and PRESENT; the guest has written the page meanwhile. */
static uint64_t insert_and_die(struct ends *ends, const char *path, uint64_t page)
{
	struct region *region = &ends->there_map.regions[0];
	uint64_t none[8] = { 0 }, inserts, done;

	dest_destroy(ends->dest);
	ends->dest = NULL;
	ASSERT_EQ(0, dest_create(&ends->there_map, path, ends->there.uffd, &ends->dest));
	ASSERT_EQ(0, dest_keep(ends->dest, region, 0, region->pages, none));
	ASSERT_EQ(0, dest_switch(ends->dest, 1));
	inserts = dest_inserts(ends->dest, 1);
	ASSERT_EQ(1, pages_claim(dest_pages(ends->dest, region), page, 1));
	guest_pattern(pattern_bytes, 4096, page, 1);
	ASSERT_EQ(0, region->kind->insert(region, page, 1, pattern_bytes, &done));
	ASSERT_EQ(1, done);
	ASSERT_EQ(0, guest_write(&ends->there, page, 1, 9));
	dest_destroy(ends->dest);
	ends->dest = NULL;
	return inserts;
}

/* Fails if the successor fills it as a page that may be half written. */
TEST_F(adopted, page_that_the_guest_has_seen_is_left_as_it_is)
{
	struct region *region = &self->ends.there_map.regions[0];
	struct lane *lane;
	uint64_t inserts;

	if (self->skipped || !region->kind->insert)
		return;
	if (!region_inserts(region))
		SKIP(return, "no insertion: memfds get huge pages, or Linux is before 6.6");
	inserts = insert_and_die(&self->ends, self->path, 5);
	EXPECT_EQ(1, inserts);
	succeed(&self->ends, self->path, inserts);
	lane = lane_to_dest(&self->ends, LANE_PUSH);
	ASSERT_EQ(0, dest_lanes_start(self->ends.dest, 3));
	pattern_send(lane, region, 3, 5, 1, 1);
	wait_present(&self->ends, region, 5);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 5, 1));
	guest_pattern(pattern_bytes, 4096, 5, 9);
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), self->ends.there.hashes[5]);
	lane_destroy(lane);
}

/* What rounds brought lies in the files: it has to be written over. */
TEST_F(adopted, nothing_is_inserted_after_a_round)
{
	if (self->skipped)
		return;
	EXPECT_EQ(0, dest_inserts(self->ends.dest, 2));
	EXPECT_EQ(region_inserts(&self->ends.there_map.regions[0]),
		  dest_inserts(self->ends.dest, 1));
}

TEST_HARNESS_MAIN
