// SPDX-License-Identifier: LGPL-2.1-or-later
/* packed.c - a guest's memory crosses whole over lanes that pack. */
#include "ends.h"
#include "harness.h"

#define SMALL_PAGES	4096

FIXTURE(packed) {
	struct ends ends;
	uint64_t pages;
	bool skipped;
};

FIXTURE_VARIANT(packed) { enum guest_memory memory; };
FIXTURE_VARIANT_ADD(packed, memfd) { GUEST_MEMFD };
FIXTURE_VARIANT_ADD(packed, private) { GUEST_PRIVATE };
FIXTURE_VARIANT_ADD(packed, hugetlb) { GUEST_HUGETLB };
FIXTURE_VARIANT_ADD(packed, huge_private) { GUEST_HUGE_PRIVATE };

/* A quarter each: zero, random, text, and text with the others in between. */
FIXTURE_SETUP(packed)
{
	uint64_t page, quarter;

	self->pages = memory_pages(variant->memory, SMALL_PAGES);
	self->skipped = !memory_ready(variant->memory, 2 * self->pages);
	if (self->skipped)
		return;
	quarter = self->pages / 4;
	ends_open_packed(&self->ends, variant->memory, self->pages);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, quarter, 0));
	ASSERT_EQ(0, guest_write(&self->ends.here, quarter, quarter, 1));
	ASSERT_EQ(0, guest_write(&self->ends.here, 2 * quarter, 2 * quarter, GUEST_TEXT | 1));
	for (page = 3 * quarter; page < self->pages; page += 7) {
		ASSERT_EQ(0, guest_write(&self->ends.here, page, 1, 0));
		if (page + 3 < self->pages)
			ASSERT_EQ(0, guest_write(&self->ends.here, page + 3, 1, 2));
	}
	ASSERT_EQ(0, source_populated(self->ends.source));
}

FIXTURE_TEARDOWN(packed)
{
	if (self->skipped)
		return;
	ends_close(&self->ends);
	memory_done(variant->memory, 2 * self->pages);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

/* What was said to be packed was, and what left is that much less. */
static void packed_expect(FIXTURE_DATA(packed) *self)
{
	const struct source_stats *stats = &self->ends.source->stats;
	uint64_t wire = stat_read(&stats->round_bytes) + stat_read(&stats->push_bytes) +
			stat_read(&stats->fault_bytes);
	uint64_t data = stat_read(&stats->data_bytes), packed = stat_read(&stats->packed_bytes);
	uint64_t to = stat_read(&stats->packed_to_bytes);

	EXPECT_LT(self->pages * page_size(&self->ends.here_map.regions[0]) / 4, packed);
	EXPECT_GT(data, packed);
	EXPECT_GT(packed / 2, to);
	EXPECT_LE(data - packed + to, wire);
	EXPECT_GT(data - packed / 2, wire);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.bad_runs));
}

TEST_F(packed, postcopy_brings_every_page)
{
	SKIPPED(self);
	ends_pack_all(&self->ends);
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_post_hash(&self->ends.there, 0, self->pages / 8));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ASSERT_EQ(0, guest_wait(&self->ends.there));
	ends_compare(&self->ends);
	packed_expect(self);
}

TEST_F(packed, writer_is_followed_round_by_round)
{
	unsigned int round;

	SKIPPED(self);
	ends_pack_all(&self->ends);
	ends_track(&self->ends);
	for (round = 0; round < 3; round++) {
		ends_round(&self->ends);
		ASSERT_EQ(0, guest_write(&self->ends.here, self->pages / 2 + round,
					 self->pages / 4, GUEST_TEXT | (round + 2)));
		ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
		EXPECT_LT(0, source_dirty_bytes(self->ends.source));
	}
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	packed_expect(self);
}

/* However it decides, and as often as it changes its mind. */
TEST_F(packed, lanes_that_learn_bring_every_page)
{
	const struct source_stats *stats = &self->ends.source->stats;

	SKIPPED(self);
	/* Each run waits, so that packing is tried. */
	limit_set(&self->ends.source->limit, 20 << 20);
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	/* Huge pages make too few runs for a trial. */
	if (!guest_memory_is_huge(variant->memory))
		EXPECT_LT(0, stat_read(&stats->packed_bytes));
}

/* Memory a second decides whether rounds converge, not bytes a second. */
TEST_F(packed, round_counts_the_memory_that_crossed)
{
	struct round_result result;
	struct source *source = self->ends.source;

	SKIPPED(self);
	ends_pack_all(&self->ends);
	ends_track(&self->ends);
	ends_round(&self->ends);
	ASSERT_TRUE(source_round_done(source, &result));
	EXPECT_GT(result.pages, 2 * result.bytes);
	EXPECT_LE(stat_read(&source->stats.data_bytes), result.pages);
}

TEST_HARNESS_MAIN
