// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * discard.c - the guest frees memory at the dest while pages are to come.
 *
 * What these were seen to fail with
 * - no EVENT_REMOVE: content comes back to freed private memory;
 * - events read without dest->removal: the balloon finds pages that are not
 *   zero, since they were being filled when it freed them.
 */
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>

#include "ends.h"
#include "harness.h"
#include "sys.h"

#define SMALL_PAGES	2048

FIXTURE(discard) {
	struct ends ends;
	uint64_t pages;
	bool skipped;
};

FIXTURE_VARIANT(discard) { enum guest_memory memory; bool shared; };
FIXTURE_VARIANT_ADD(discard, memfd) { GUEST_MEMFD, true };
FIXTURE_VARIANT_ADD(discard, private) { GUEST_PRIVATE, false };
FIXTURE_VARIANT_ADD(discard, hugetlb) { GUEST_HUGETLB, true };
FIXTURE_VARIANT_ADD(discard, huge_private) { GUEST_HUGE_PRIVATE, false };
FIXTURE_VARIANT_ADD(discard, file_private) { GUEST_FILE_PRIVATE, false };

FIXTURE_SETUP(discard)
{
	self->pages = memory_pages(variant->memory, SMALL_PAGES);
	self->skipped = !memory_ready(variant->memory, 2 * self->pages);
	if (self->skipped)
		return;
	ends_open(&self->ends, variant->memory, self->pages);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, self->pages, 1));
	ASSERT_EQ(0, source_populated(self->ends.source));
}

FIXTURE_TEARDOWN(discard)
{
	if (self->skipped)
		return;
	ends_close(&self->ends);
	memory_done(variant->memory, 2 * self->pages);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

static uint64_t hash_of(const struct guest_process *guest, uint64_t page,
			uint64_t seed)
{
	static uint64_t bytes[(2u << 20) / 8];
	uint64_t size = 1ull << guest->page_shift;

	guest_pattern(bytes, size, page, seed);
	return guest_hash_of(bytes, size);
}

/* Pages there hold what was written here, those of [first, end) have @seed. */
static void expect_memory(FIXTURE_DATA(discard) *self, uint64_t first,
			  uint64_t end, uint64_t seed)
{
	struct guest_process *there = &self->ends.there;
	uint64_t page;

	ASSERT_EQ(0, guest_hash(there, 0, self->pages));
	for (page = 0; page < self->pages; page++)
		ASSERT_EQ(hash_of(there, page,
				  page >= first && page < end ? seed : 1),
			  there->hashes[page]) {
			TH_LOG("page %llu", (unsigned long long)page);
		}
}

static void expect_all_zero(FIXTURE_DATA(discard) *self, uint64_t first,
			    uint64_t end)
{
	expect_memory(self, first, end, 0);
}

static void finish(FIXTURE_DATA(discard) *self)
{
	ends_push(&self->ends);
	ends_finish(&self->ends);
}

/* It goes on when its event is read; that is written down a little later. */
static void wait_discarded(struct dest *dest, uint64_t pages)
{
	while (stat_read(&dest->stats.discarded_pages) < pages)
		ASSERT_EQ(0, dest_error(dest));
	EXPECT_EQ(pages, stat_read(&dest->stats.discarded_pages));
}

static void free_pages(FIXTURE_DATA(discard) *self, uint64_t first,
		       uint64_t count, int advice)
{
	ASSERT_EQ(0, guest_advise(&self->ends.there, first, count, advice));
}

TEST_F(discard, private_page_that_never_came_is_zero_and_not_fetched)
{
	uint64_t low = self->pages / 4, high = self->pages / 2;

	SKIPPED(self);
	if (variant->shared)
		return;
	ends_switch(&self->ends);
	free_pages(self, low, high - low, MADV_DONTNEED);
	expect_all_zero(self, low, high);
	wait_discarded(self->ends.dest, high - low);
	finish(self);
	expect_all_zero(self, low, high);
}

/* The source answers with digests: the freed half is not sent. */
TEST_F(discard, freed_private_memory_costs_no_bandwidth)
{
	SKIPPED(self);
	if (variant->shared)
		return;
	ends_switch(&self->ends);
	free_pages(self, 0, self->pages / 2, MADV_DONTNEED);
	wait_discarded(self->ends.dest, self->pages / 2);
	while (stat_read(&self->ends.dest->discards))
		ASSERT_EQ(0, dest_error(self->ends.dest));
	finish(self);
	EXPECT_EQ(self->pages - self->pages / 2,
		  stat_read(&self->ends.source->stats.data_pages));
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.duplicate_pages));
	expect_all_zero(self, 0, self->pages / 2);
}

/* DONTNEED keeps what a file has; a punch of what never came is not known. */
TEST_F(discard, shared_page_that_never_came_is_fetched)
{
	SKIPPED(self);
	if (!variant->shared)
		return;
	ends_switch(&self->ends);
	free_pages(self, 0, 4, MADV_DONTNEED);
	free_pages(self, 4, 4, MADV_REMOVE);
	finish(self);
	expect_memory(self, 0, 0, 0);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.discarded_pages));
}

TEST_F(discard, page_that_came_is_zero_but_keeps_what_the_file_has)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 0, 8));
	free_pages(self, 2, 4, MADV_DONTNEED);
	if (variant->shared)
		expect_memory(self, 0, 0, 0);
	else
		expect_all_zero(self, 2, 6);
	finish(self);
	expect_memory(self, 2, 6, variant->shared);
}

TEST_F(discard, shared_page_that_came_and_was_removed_is_zero)
{
	SKIPPED(self);
	if (!variant->shared)
		return;
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 0, 8));
	free_pages(self, 2, 4, MADV_REMOVE);
	expect_all_zero(self, 2, 6);
	finish(self);
	expect_all_zero(self, 2, 6);
}

/* Nobody tells of it: the kind of the fault does. */
TEST_F(discard, hole_punched_through_the_file_is_zero)
{
	uint64_t size = 1ull << self->ends.there.page_shift;

	SKIPPED(self);
	if (!variant->shared)
		return;
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 0, 8));
	ASSERT_EQ(0, sys_retry(fallocate(self->ends.there.fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)(2 * size), (off_t)(4 * size))));
	expect_all_zero(self, 2, 6);
	finish(self);
}

/* Kept from a round and not counted yet: only the source can say its digest. */
static void free_kept(FIXTURE_DATA(discard) *self, int advice, uint64_t seed)
{
	ends_track(&self->ends);
	ends_round(&self->ends);
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	EXPECT_EQ(0, stat_read(&self->ends.dest->missing));
	free_pages(self, 2, 6, advice);
	wait_discarded(self->ends.dest, 6);
	expect_memory(self, 2, 8, seed);
	finish(self);
	expect_memory(self, 2, 8, seed);
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.network_faults));
}

TEST_F(discard, kept_page_that_is_dropped_does_not_spoil_the_proof)
{
	SKIPPED(self);
	free_kept(self, MADV_DONTNEED, variant->shared);
}

TEST_F(discard, kept_page_that_is_removed_does_not_spoil_the_proof)
{
	SKIPPED(self);
	if (variant->shared)
		free_kept(self, MADV_REMOVE, 0);
}

/* Six pages that a round has sent; one of them was written since. */
static void free_at_source(FIXTURE_DATA(discard) *self, bool shared)
{
	ends_track(&self->ends);
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, 5, 1, 2));
	ASSERT_EQ(0, guest_advise(&self->ends.here, 2, 6, shared ?
				  MADV_REMOVE : MADV_DONTNEED));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
}

/*
 * At the source it is a write, as any other; one page was written before. Fails
 * for private huge pages if nobody looks for those that are not mapped any more.
 */
TEST_F(discard, memory_that_was_freed_at_the_source_is_zero)
{
	SKIPPED(self);
	free_at_source(self, variant->shared);
	ends_switch(&self->ends);
	expect_all_zero(self, 2, 8);
	finish(self);
	expect_all_zero(self, 2, 8);
}

/* Zeroes cross in a round, and tracking goes on behind them. */
TEST_F(discard, memory_that_was_freed_at_the_source_can_be_written_again)
{
	SKIPPED(self);
	free_at_source(self, variant->shared);
	EXPECT_EQ(6 << self->ends.here.page_shift, source_dirty_bytes(self->ends.source));
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, 4, 2, 3));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	finish(self);
	ends_compare(&self->ends);
}

/* Frees and looks, while everything is pushed and settled around it. */
TEST_F(discard, balloon_at_work_finds_zeroes_only)
{
	SKIPPED(self);
	if (variant->shared)
		return;
	ends_track(&self->ends);
	ends_round(&self->ends);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, self->pages / 2, 1));
	ASSERT_EQ(0, source_written(self->ends.source, &self->ends.tracker));
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_balloon(&self->ends.there, 0, self->pages));
	finish(self);
	EXPECT_EQ(0, guest_rest(&self->ends.there));
}

/* ---- by hand: the test is the source ------------------------------------- */

FIXTURE(alone) {
	struct ends ends;
	struct region *region;
	struct lane *fault, *push;
};

FIXTURE_SETUP(alone)
{
	uint64_t keep = 0;

	there_open(&self->ends, GUEST_PRIVATE, 64);
	self->region = &self->ends.there_map.regions[0];
	self->fault = lane_to_dest(&self->ends, LANE_FAULT);
	self->push = lane_to_dest(&self->ends, LANE_PUSH);
	ASSERT_EQ(0, dest_keep(self->ends.dest, self->region, 0, 64, &keep));
	ASSERT_EQ(0, dest_switch(self->ends.dest, 1));
}

FIXTURE_TEARDOWN(alone)
{
	lane_destroy(self->fault);
	lane_destroy(self->push);
	ends_close(&self->ends);
}

static struct frame next_frame(struct lane *lane)
{
	struct frame frame = { 0 };
	const void *payload;

	ASSERT_EQ(0, lane_receive(lane, &frame, &payload));
	return frame;
}

static void expect_ask(struct lane *lane, uint32_t generation, uint64_t first,
		       uint64_t count)
{
	struct frame ask = next_frame(lane);

	EXPECT_EQ(FRAME_DISCARD, ask.type);
	EXPECT_EQ(generation, ask.generation);
	EXPECT_EQ(first, ask.first);
	EXPECT_EQ(count, ask.count);
}

static void answer(FIXTURE_DATA(alone) *self, struct lane *lane,
		   uint32_t generation, uint64_t first, uint64_t count)
{
	struct frame frame = pattern_frame(self->region, generation, first,
					   count, 1);

	frame.type = FRAME_DIGEST;
	ASSERT_EQ(0, lane_send(lane, &frame, NULL));
}

static void send_pages(FIXTURE_DATA(alone) *self, struct lane *lane,
		       uint32_t generation, uint64_t first, uint64_t end)
{
	for (; first < end; first += 16)
		pattern_send(lane, self->region, generation, first, 16, 1);
}

static void wait_complete(struct dest *dest)
{
	while (!dest_complete(dest)) {
		ASSERT_EQ(0, dest_error(dest));
		ASSERT_EQ(0, sys_wait_fd(dest->event_fd, POLLIN, -1));
	}
}

static void expect_proof(FIXTURE_DATA(alone) *self)
{
	struct proof proof = states_proof(&self->ends.dest->states, 0);
	struct digest sum = { 0, 0 };
	uint64_t page;

	for (page = 0; page < 64; page++) {
		guest_pattern(pattern_bytes, 4096, page, 1);
		digest_add(&sum, digest_page(self->region, page,
					     pattern_bytes));
	}
	EXPECT_EQ(64, proof.pages);
	EXPECT_TRUE(digest_equal(sum, proof.sum));
}

TEST_F(alone, who_waits_for_a_page_that_is_freed_is_woken)
{
	struct guest_process *guest = &self->ends.there;

	ASSERT_EQ(0, guest_scribble(guest, 7, 1));
	EXPECT_EQ(FRAME_WANT, next_frame(self->fault).type);
	ASSERT_EQ(0, guest_advise(guest, 7, 1, MADV_DONTNEED));
	ASSERT_EQ(0, guest_rest(guest));	/* or it would wait for ever */
}

TEST_F(alone, answer_to_a_want_does_not_undo_a_discard)
{
	struct guest_process *guest = &self->ends.there;

	ASSERT_EQ(0, guest_scribble(guest, 7, 1));
	EXPECT_EQ(FRAME_WANT, next_frame(self->fault).type);
	ASSERT_EQ(0, guest_advise(guest, 0, 64, MADV_DONTNEED));
	ASSERT_EQ(0, guest_rest(guest));
	ASSERT_EQ(0, guest_advise(guest, 7, 1, MADV_DONTNEED));
	expect_ask(self->fault, 1, 0, 16);
	send_pages(self, self->fault, 1, 0, 32);
	send_pages(self, self->push, 1, 32, 64);
	wait_complete(self->ends.dest);
	expect_proof(self);
	ASSERT_EQ(0, guest_hash(guest, 7, 1));
	guest_pattern(pattern_bytes, 4096, 7, 0);
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), guest->hashes[7]);
}

TEST_F(alone, digest_of_pages_that_were_not_freed_is_nothing)
{
	answer(self, self->fault, 1, 0, 16);
	send_pages(self, self->fault, 1, 0, 32);
	send_pages(self, self->fault, 1, 32, 64);
	answer(self, self->fault, 1, 0, 16);
	wait_complete(self->ends.dest);
	expect_proof(self);
}

/* The rest of it is asked for once more. */
TEST_F(alone, digest_of_a_run_that_came_in_part_is_asked_for_again)
{
	struct guest_process *guest = &self->ends.there;

	ASSERT_EQ(0, guest_advise(guest, 0, 16, MADV_DONTNEED));
	expect_ask(self->fault, 1, 0, 16);
	pattern_send(self->fault, self->region, 1, 3, 2, 1);
	answer(self, self->fault, 1, 0, 16);
	expect_ask(self->fault, 1, 0, 3);
	expect_ask(self->fault, 1, 5, 11);
	answer(self, self->fault, 1, 0, 3);
	answer(self, self->fault, 1, 5, 11);
	send_pages(self, self->fault, 1, 16, 32);
	send_pages(self, self->fault, 1, 32, 64);
	wait_complete(self->ends.dest);
	expect_proof(self);
}

/* Lost with its lane: the next one brings it. */
TEST_F(alone, digest_is_asked_for_again_on_new_lanes)
{
	ASSERT_EQ(0, guest_advise(&self->ends.there, 0, 16, MADV_DONTNEED));
	expect_ask(self->fault, 1, 0, 16);
	ASSERT_EQ(0, dest_lanes_end(self->ends.dest));
	lane_destroy(self->fault);
	self->fault = lane_to_dest(&self->ends, LANE_FAULT);
	ASSERT_EQ(0, guest_advise(&self->ends.there, 32, 1, MADV_DONTNEED));
	ASSERT_EQ(0, dest_lanes_start(self->ends.dest, 2));
	expect_ask(self->fault, 2, 0, 16);
	expect_ask(self->fault, 2, 32, 1);
	answer(self, self->fault, 2, 0, 16);
	answer(self, self->fault, 2, 32, 1);
	send_pages(self, self->fault, 2, 16, 32);
	send_pages(self, self->fault, 2, 32, 64);
	wait_complete(self->ends.dest);
	expect_proof(self);
}

/* Who frees memory goes on when that is read, whoever dies then. */
TEST_F(alone, event_that_was_read_and_not_dealt_with_outlives_its_reader)
{
	char path[256];
	struct states states;
	struct uffd_msg *message;
	uint64_t page;

	snprintf(path, sizeof(path), "%s/left", test_dir());
	ASSERT_EQ(0, states_create(&states, path, &self->ends.there_map));
	message = &states.ledgers[3].inbox.messages[2];
	message->event = UFFD_EVENT_REMOVE;
	message->arg.remove.start = self->region->address + 5 * 4096;
	message->arg.remove.end = self->region->address + 9 * 4096;
	ASSERT_EQ(2, pages_claim(&states.pages[0], 20, 2));
	states_close(&states);
	ASSERT_EQ(0, states_open(&states, path, &self->ends.there_map));
	for (page = 0; page < 64; page++)
		EXPECT_EQ(page >= 5 && page < 9 ? PAGE_DISCARDED : PAGE_MISSING,
			  page_state(&states.pages[0], page));
	EXPECT_EQ(0, states.ledgers[3].inbox.messages[2].event);
	states_close(&states);
	ASSERT_EQ(0, unlink(path));
}

TEST_F(alone, range_beyond_the_regions_changes_nothing)
{
	struct dest *dest = self->ends.dest;
	struct range ranges[] = {
		{ 0, self->region->address },
		{ self->region->address + 64 * 4096, 4096 },
		{ self->region->address, 0 },
		{ self->region->address - 4096, UINT64_MAX },
	};
	unsigned int i;

	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, states_discard(&dest->states, dest->map,
					    ranges[i]).discarded);
}

/* ---- before the switch --------------------------------------------------- */

TEST(who_frees_memory_before_the_switch_goes_on_and_changes_nothing)
{
	struct ends ends;
	struct region *region;
	uint64_t keep = 0;

	there_open(&ends, GUEST_PRIVATE, 64);
	region = &ends.there_map.regions[0];
	ASSERT_EQ(0, guest_advise(&ends.there, 0, 64, MADV_DONTNEED));
	ASSERT_EQ(0, guest_post_hash(&ends.there, 5, 1));
	ASSERT_EQ(0, dest_keep(ends.dest, region, 0, 64, &keep));
	EXPECT_EQ(64, pages_with(&ends.dest->states.pages[0], PAGE_STATE,
				 PAGE_MISSING));
	/* Its fault may have been read before: it comes again. */
	struct lane *lane = lane_to_dest(&ends, LANE_FAULT);

	ASSERT_EQ(0, dest_switch(ends.dest, 1));
	EXPECT_EQ(FRAME_WANT, next_frame(lane).type);
	pattern_send(lane, region, 1, 5, 1, 1);
	ASSERT_EQ(0, guest_wait(&ends.there));
	guest_pattern(pattern_bytes, 4096, 5, 1);
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), ends.there.hashes[5]);
	lane_destroy(lane);
	ends_close(&ends);
}

TEST_HARNESS_MAIN
