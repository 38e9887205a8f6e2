// SPDX-License-Identifier: LGPL-2.1-or-later
/* engine.c - a guest's memory crosses whole, in every way that it can. */
#include "ends.h"
#include "harness.h"
#include "sys.h"

#define SMALL_PAGES	4096

FIXTURE(engine) {
	struct ends ends;
	uint64_t pages;
	bool skipped;
};

FIXTURE_VARIANT(engine) { enum guest_memory memory; };
FIXTURE_VARIANT_ADD(engine, memfd) { GUEST_MEMFD };
FIXTURE_VARIANT_ADD(engine, private) { GUEST_PRIVATE };
FIXTURE_VARIANT_ADD(engine, hugetlb) { GUEST_HUGETLB };
FIXTURE_VARIANT_ADD(engine, huge_private) { GUEST_HUGE_PRIVATE };
FIXTURE_VARIANT_ADD(engine, file_private) { GUEST_FILE_PRIVATE };

/* A quarter each: never written, zero, and two of data with zeroes between. */
FIXTURE_SETUP(engine)
{
	uint64_t page;

	self->pages = memory_pages(variant->memory, SMALL_PAGES);
	self->skipped = !memory_ready(variant->memory, 2 * self->pages);
	if (self->skipped)
		return;
	ends_open(&self->ends, variant->memory, self->pages);
	ASSERT_EQ(0, guest_write(&self->ends.here, self->pages / 4,
				 self->pages / 4, 0));
	ASSERT_EQ(0, guest_write(&self->ends.here, self->pages / 2,
				 self->pages / 2, 1));
	for (page = self->pages / 2; page < self->pages; page += 7)
		ASSERT_EQ(0, guest_write(&self->ends.here, page, 1, 0));
}

FIXTURE_TEARDOWN(engine)
{
	if (self->skipped)
		return;
	ends_close(&self->ends);
	memory_done(variant->memory, 2 * self->pages);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

TEST_F(engine, postcopy_alone_brings_every_page)
{
	SKIPPED(self);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.bad_runs));
	EXPECT_EQ(0, source_unsent_pages(self->ends.source));
	EXPECT_EQ(0, stat_read(&self->ends.source->wanted_ns));
}

/* A template, say: the guest's page tables know nothing of it. */
TEST_F(engine, what_only_the_file_of_private_memory_has_is_brought)
{
	uint64_t page = self->pages / 4;

	SKIPPED(self);
	if (variant->memory != GUEST_FILE_PRIVATE)
		return;
	ends_track(&self->ends);
	guest_pattern(pattern_bytes, 4096, page, 5);
	ASSERT_EQ(0, sys_pwrite_all(self->ends.here.fd, pattern_bytes, 4096, page << 12));
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_round(&self->ends);
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

TEST_F(engine, precopy_that_converged_leaves_nothing_missing)
{
	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_round(&self->ends);
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	EXPECT_EQ(0, source_dirty_bytes(self->ends.source));
	ends_switch(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.dest->missing));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.network_faults));
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.push_bytes));
}

TEST_F(engine, writer_is_followed_round_by_round)
{
	unsigned int round;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ASSERT_EQ(0, guest_scribble(&self->ends.here, 0, self->pages));
	for (round = 0; round < 4; round++) {
		self->ends.leaves_out = round % 2;
		ends_round(&self->ends);
		ASSERT_EQ(0, source_written(self->ends.source,
					    &self->ends.tracker));
	}
	ASSERT_EQ(0, guest_rest(&self->ends.here));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

TEST_F(engine, what_is_written_after_a_look_is_found_by_the_next)
{
	struct source *source = self->ends.source;
	const uint64_t half = self->pages / 2, few = self->pages / 4;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(source));
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, half, few, 2));
	ASSERT_EQ(0, source_written(source, &self->ends.tracker));
	ASSERT_EQ(0, guest_write(&self->ends.here, half, few, 3));
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, 1, 3));
	ASSERT_EQ(0, source_written_since(source, &self->ends.tracker));
	EXPECT_EQ((few + 1) << self->ends.here.page_shift, source_dirty_bytes(source));
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, half, few, 4));
	ASSERT_EQ(0, source_written(source, &self->ends.tracker));
	EXPECT_EQ(few << self->ends.here.page_shift, source_dirty_bytes(source));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

/* Fails if it is sent, or if it is not dirty any more. */
TEST_F(engine, what_is_written_again_before_its_turn_is_left_out)
{
	struct source *source = self->ends.source;
	const uint64_t half = self->pages / 2, few = self->pages / 4;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(source));
	ASSERT_EQ(0, guest_write(&self->ends.here, half, few, 2));
	self->ends.leaves_out = true;
	ends_round(&self->ends);
	EXPECT_EQ(few << self->ends.here.page_shift,
		  stat_read(&source->stats.left_out_bytes));
	EXPECT_EQ(few << self->ends.here.page_shift, source_dirty_bytes(source));
	ASSERT_EQ(0, source_written(source, &self->ends.tracker));
	EXPECT_EQ(few << self->ends.here.page_shift, source_dirty_bytes(source));
	ends_round(&self->ends);
	EXPECT_EQ(few << self->ends.here.page_shift,
		  stat_read(&source->stats.left_out_bytes));
	EXPECT_EQ(0, source_dirty_bytes(source));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

/* Fails if a round is too short to tell how fast the link is. */
TEST_F(engine, nothing_is_left_out_before_a_sample_was_sent)
{
	struct source *source = self->ends.source;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(source));
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, self->pages, 2));
	self->ends.leaves_out = true;
	self->ends.leaves_out_from = page_size(&source->map->regions[0]);
	ends_round(&self->ends);
	EXPECT_LT(0, stat_read(&source->stats.left_out_bytes));
	EXPECT_LE(self->ends.leaves_out_from, stat_read(&source->stats.data_bytes));
}

/* Fails if a look that finds out nothing leaves out anything. */
TEST_F(engine, nothing_is_left_out_of_memory_that_is_not_tracked)
{
	SKIPPED(self);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, 1, 2));
	self->ends.leaves_out = true;
	ends_round(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.left_out_bytes));
	EXPECT_EQ(0, source_dirty_bytes(self->ends.source));
}

TEST_F(engine, round_cut_short_leaves_the_rest_dirty)
{
	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	limit_set(&self->ends.source->limit, 1);	/* a run, then none */
	source_round_start(self->ends.source, self->ends.generation, false);
	source_round_cut(self->ends.source);
	limit_set(&self->ends.source->limit, 0);
	while (dest_barrier_passed(self->ends.dest) < self->ends.generation)
		ASSERT_EQ(0, dest_error(self->ends.dest));
	self->ends.generation++;
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

TEST_F(engine, touched_page_comes_over_the_fault_lane)
{
	uint64_t page, last = self->pages - 2;

	SKIPPED(self);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_switch(&self->ends);
	/* Nothing is pushed yet: whatever comes was asked for. */
	for (page = self->pages / 2 + 1; page < last; page += 3)
		ASSERT_EQ(0, guest_hash(&self->ends.there, page, 1));
	EXPECT_EQ((last - self->pages / 2 - 1 + 2) / 3,
		  stat_read(&self->ends.dest->stats.network_faults));
	EXPECT_EQ(stat_read(&self->ends.source->stats.wants),
		  stat_read(&self->ends.dest->stats.network_faults));
	EXPECT_NE(0, stat_read(&self->ends.source->wanted_ns));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.duplicate_pages));
}

TEST_F(engine, guest_that_reads_everything_meets_the_push)
{
	SKIPPED(self);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_post_hash(&self->ends.there, 0, self->pages));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ASSERT_EQ(0, guest_wait(&self->ends.there));
	ends_compare(&self->ends);
}

/* What went along with its pages was never asked for, and is proven, too. */
TEST_F(engine, guest_that_reads_everything_needs_no_push)
{
	struct source *source = self->ends.source;
	uint64_t missing;

	SKIPPED(self);
	ASSERT_EQ(0, source_populated(source));
	ends_switch(&self->ends);
	missing = stat_read(&self->ends.dest->missing);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 0, self->pages));
	EXPECT_EQ(0, source_unsent_pages(source));
	/* One huge page is as much as goes along. */
	if (!guest_memory_is_huge(variant->memory))
		EXPECT_GT(missing, stat_read(&source->stats.wants));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	EXPECT_EQ(0, stat_read(&source->stats.push_bytes));
}

TEST_F(engine, zero_and_unwritten_pages_cost_no_bytes)
{
	struct source_stats *stats;
	uint64_t data = 0, page;

	SKIPPED(self);
	stats = &self->ends.source->stats;
	for (page = self->pages / 2; page < self->pages; page++)
		data += (page - self->pages / 2) % 7 != 0;
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	EXPECT_EQ(data, stat_read(&stats->data_pages));
	EXPECT_EQ(data << self->ends.here.page_shift, stat_read(&stats->data_bytes));
	/* Headers: one a run of data and one a run of zeroes at the most. */
	EXPECT_LE(stat_read(&stats->push_bytes),
		  stat_read(&stats->data_bytes) + self->pages * FRAME_HEADER_SIZE);
}

/*
 * A header a run: the least of delays. What is not given back of the runs' 16
 * MiB lasts for half an hour: the time that a test has ends it.
 */
TEST_F(engine, zero_pages_do_not_use_up_the_limit)
{
	SKIPPED(self);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, self->pages, 0));
	ASSERT_EQ(0, source_populated(self->ends.source));
	limit_set(&self->ends.source->limit, 10000);
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.data_pages));
}

/*
 * Pages that were pre-copied and dirtied since: their old content lies at the
 * dest when the guest starts. Seen here when ends_switch() keeps every page.
 */
TEST_F(engine, stale_page_is_never_seen)
{
	uint64_t page, half = self->pages / 2;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_round(&self->ends);
	for (page = half; page < self->pages; page += 2)
		ASSERT_EQ(0, guest_write(&self->ends.here, page, 1,
					 page % 4 ? 2 : 0));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	EXPECT_EQ(small_pages(&self->ends.dest->map->regions[0], half / 2),
		  stat_read(&self->ends.dest->missing));
	ASSERT_EQ(0, guest_hash(&self->ends.here, 0, self->pages));
	for (page = half; page < half + half / 2; page++) {
		ASSERT_EQ(0, guest_hash(&self->ends.there, page, 1));
		ASSERT_EQ(self->ends.here.hashes[page],
			  self->ends.there.hashes[page]);
	}
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ends_compare(&self->ends);
}

/*
 * The proof is about what was at the source. A guest that writes a kept page
 * before it is counted would spoil it: seen when fault_present() does not
 * settle the page first.
 */
TEST_F(engine, kept_page_is_counted_before_it_is_written)
{
	uint64_t written = self->pages / 2 + 1;

	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_round(&self->ends);
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	/* Data, a page that is zero, and one that was never there. */
	ASSERT_EQ(0, guest_write(&self->ends.there, written, 1, 99));
	ASSERT_EQ(0, guest_write(&self->ends.there, self->pages / 4, 1, 99));
	ASSERT_EQ(0, guest_write(&self->ends.there, 0, 1, 99));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ASSERT_EQ(0, guest_hash(&self->ends.here, 0, self->pages));
	ASSERT_EQ(0, guest_hash(&self->ends.there, 0, self->pages));
	EXPECT_NE(self->ends.here.hashes[written],
		  self->ends.there.hashes[written]);
	EXPECT_EQ(self->ends.here.hashes[written + 1],
		  self->ends.there.hashes[written + 1]);
}

/* The guest there writes while its memory settles and arrives. */
TEST_F(engine, guest_that_writes_at_once_does_not_spoil_the_proof)
{
	SKIPPED(self);
	ends_track(&self->ends);
	ASSERT_EQ(0, source_populated(self->ends.source));
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, self->pages / 2,
				 self->pages / 4, 5));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_scribble(&self->ends.there, 0, self->pages));
	ends_push(&self->ends);
	ends_finish(&self->ends);
	ASSERT_EQ(0, guest_rest(&self->ends.there));
}

TEST_HARNESS_MAIN
