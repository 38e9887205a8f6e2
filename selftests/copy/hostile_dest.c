// SPDX-License-Identifier: LGPL-2.1-or-later
/* hostile_dest.c - a dest that lies to the source breaks its lane only. */
#include <errno.h>
#include <string.h>

#include "ends.h"
#include "harness.h"
#include "sys.h"

#define PAGES	128		/* two runs */

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

FIXTURE(source) {
	struct ends ends;
	struct lane *push, *fault;	/* the dest's ends of them */
	struct region *region;
	bool skipped;
};

FIXTURE_SETUP(source)
{
	self->skipped = !memory_ready(GUEST_MEMFD, PAGES);
	if (self->skipped)
		return;
	here_open(&self->ends, GUEST_MEMFD, PAGES);
	self->region = &self->ends.here_map.regions[0];
	self->push = lane_to_source(&self->ends, LANE_PUSH);
	self->fault = lane_to_source(&self->ends, LANE_FAULT);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, PAGES, 1));
	ASSERT_EQ(0, source_populated(self->ends.source));
}

FIXTURE_TEARDOWN(source)
{
	if (self->skipped)
		return;
	lane_destroy(self->push);
	lane_destroy(self->fault);
	ends_close(&self->ends);
}

static void send_want(struct lane *lane, struct region *region, uint64_t first,
		      uint64_t count)
{
	struct frame want = { .type = FRAME_WANT, .generation = 4,
			      .region = region, .first = first,
			      .count = count };

	ASSERT_EQ(0, lane_send(lane, &want, NULL));
}

TEST_F(source, want_before_the_guest_is_held_is_refused)
{
	SKIPPED(self);
	send_want(self->fault, self->region, 0, 1);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.fault_bytes));
}

TEST_F(source, want_past_the_end_is_refused)
{
	SKIPPED(self);
	source_hold(self->ends.source);
	send_want(self->fault, self->region, PAGES, 1);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
}

TEST_F(source, want_of_more_than_a_run_is_refused)
{
	SKIPPED(self);
	source_hold(self->ends.source);
	send_want(self->fault, self->region, 0, 65);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.fault_bytes));
}

static void send_discard(struct lane *lane, struct region *region,
			 uint64_t first, uint64_t count)
{
	struct frame frame = { .type = FRAME_DISCARD, .generation = 4,
			       .region = region, .first = first,
			       .count = count };

	ASSERT_EQ(0, lane_send(lane, &frame, NULL));
}

TEST_F(source, discard_before_the_guest_is_held_is_refused)
{
	SKIPPED(self);
	send_discard(self->fault, self->region, 0, 1);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
	EXPECT_EQ(PAGES, source_dirty_bytes(self->ends.source) / 4096);
}

TEST_F(source, discard_past_the_end_or_a_run_is_refused)
{
	SKIPPED(self);
	source_hold(self->ends.source);
	send_discard(self->fault, self->region, PAGES - 1, 2);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
	EXPECT_EQ(PAGES, source_unsent_pages(self->ends.source));
}

TEST_F(source, discarded_pages_are_not_sent_and_proven_once)
{
	struct frame frame;
	const void *payload;
	int i;

	SKIPPED(self);
	source_hold(self->ends.source);
	for (i = 0; i < 2; i++) {
		send_discard(self->fault, self->region, 8, 16);
		ASSERT_EQ(0, lane_receive(self->fault, &frame, &payload));
		EXPECT_EQ(FRAME_DIGEST, frame.type);
		EXPECT_EQ(4, frame.generation);
		EXPECT_EQ(8, frame.first);
		EXPECT_EQ(16, frame.count);
		EXPECT_TRUE(digest_equal(frame.digest,
				pattern_frame(self->region, 4, 8, 16,
					      1).digest));
		EXPECT_EQ(PAGES - 16,
			  source_unsent_pages(self->ends.source));
		EXPECT_EQ(16, self->ends.source->regions[0].proof.pages);
	}
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.data_pages));
}

TEST_F(source, pages_are_not_for_the_source)
{
	SKIPPED(self);
	source_hold(self->ends.source);
	pattern_send(self->fault, self->region, 1, 0, 1, 99);
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
	ASSERT_EQ(0, guest_hash(&self->ends.here, 0, 1));
	guest_pattern(pattern_bytes, 4096, 0, 1);
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), self->ends.here.hashes[0]);
}

TEST_F(source, barrier_is_not_for_the_source)
{
	struct frame barrier = { .type = FRAME_BARRIER, .generation = 1 };

	SKIPPED(self);
	source_hold(self->ends.source);
	ASSERT_EQ(0, lane_send(self->fault, &barrier, NULL));
	EXPECT_EQ(-EPROTO, source_wait_error(self->ends.source));
}

TEST_F(source, dest_that_goes_is_told)
{
	SKIPPED(self);
	lane_shutdown(self->fault);
	EXPECT_EQ(-EPIPE, source_wait_error(self->ends.source));
}

TEST_F(source, want_is_answered_in_its_generation)
{
	struct frame answer;
	const void *payload;

	SKIPPED(self);
	source_hold(self->ends.source);
	send_want(self->fault, self->region, 9, 1);
	ASSERT_EQ(0, lane_receive(self->fault, &answer, &payload));
	EXPECT_EQ(FRAME_DATA, answer.type);
	EXPECT_EQ(4, answer.generation);
	EXPECT_EQ(9, answer.first);
	guest_pattern(pattern_bytes, 4096, 9, 1);
	EXPECT_EQ(0, memcmp(payload, pattern_bytes, 4096));
	EXPECT_TRUE(digest_equal(answer.digest, digest_page(self->region, 9,
							    pattern_bytes)));
}

/* The same page as often as it is asked for, and in the proof once. */
TEST_F(source, page_wanted_on_its_way_is_sent_twice_and_proven_once)
{
	struct frame frame;
	const void *payload;
	uint64_t pages = 0;

	SKIPPED(self);
	source_hold(self->ends.source);
	ASSERT_EQ(0, source_push_start(self->ends.source, 4));
	while (pages < PAGES) {
		ASSERT_EQ(0, lane_receive(self->push, &frame, &payload));
		pages += frame.count;
	}
	send_want(self->fault, self->region, 9, 2);
	for (pages = 0; pages < 2; pages += frame.count)
		ASSERT_EQ(0, lane_receive(self->fault, &frame, &payload));
	EXPECT_EQ(2, stat_read(&self->ends.source->stats.repeated_pages));
	EXPECT_EQ(PAGES, self->ends.source->regions[0].proof.pages);
	EXPECT_TRUE(source_proven(self->ends.source));
}

static void expect_answer(FIXTURE_DATA(source) *self, uint64_t first,
			  uint64_t count)
{
	struct frame due = pattern_frame(self->region, 4, first, count, 1);
	struct frame frame;
	const void *payload;

	ASSERT_EQ(0, lane_receive(self->fault, &frame, &payload));
	EXPECT_EQ(FRAME_DATA, frame.type);
	EXPECT_EQ(4, frame.generation);
	EXPECT_EQ(first, frame.first);
	ASSERT_EQ(count, frame.count);
	EXPECT_TRUE(digest_equal(due.digest, frame.digest));
	EXPECT_EQ(0, memcmp(payload, pattern_bytes, frame_payload(&due)));
}

/* Each answer first; no page that was sent before goes along. */
TEST_F(source, dest_that_walks_gets_pages_along_once)
{
	uint64_t last = PAGES - 1;

	SKIPPED(self);
	source_hold(self->ends.source);
	send_want(self->fault, self->region, 12, 1);
	expect_answer(self, 12, 1);
	send_want(self->fault, self->region, 9, 1);
	expect_answer(self, 9, 1);
	send_want(self->fault, self->region, 10, 1);
	expect_answer(self, 10, 1);
	expect_answer(self, 11, 1);
	send_want(self->fault, self->region, 13, 1);
	expect_answer(self, 13, 1);
	expect_answer(self, 14, 2);
	send_want(self->fault, self->region, last, 1);
	expect_answer(self, last, 1);
	EXPECT_EQ(8, self->ends.source->regions[0].proof.pages);
	EXPECT_EQ(0, stat_read(&self->ends.source->stats.repeated_pages));
}

TEST_F(source, want_of_several_pages_takes_none_along)
{
	uint64_t page;

	SKIPPED(self);
	source_hold(self->ends.source);
	for (page = 0; page < 8; page += 2) {
		send_want(self->fault, self->region, page, 2);
		expect_answer(self, page, 1);
		expect_answer(self, page + 1, 1);
	}
	EXPECT_EQ(8, self->ends.source->regions[0].proof.pages);
}

/*
 * What was ordered while there were no lanes is of an older generation: the
 * dest would drop it, and the source would not send it again.
 */
TEST_F(source, new_lane_does_not_find_an_order_of_before)
{
	struct source *source;
	struct lane *lane;
	struct frame frame;
	const void *payload;

	SKIPPED(self);
	source = self->ends.source;
	source_hold(source);
	source_lanes_end(source);
	ASSERT_EQ(0, source_push_start(source, 1));
	lane = lane_to_source(&self->ends, LANE_PUSH);
	/* Nothing comes: what does within that time is wrong in any case. */
	EXPECT_EQ(-ETIMEDOUT, sys_wait_fd(lane->fd, POLLIN, 100));
	ASSERT_EQ(0, source_push_start(source, 2));
	ASSERT_EQ(0, lane_receive(lane, &frame, &payload));
	EXPECT_EQ(2, frame.generation);
	lane_destroy(lane);
}

TEST_HARNESS_MAIN
