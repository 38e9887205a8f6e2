// SPDX-License-Identifier: LGPL-2.1-or-later
/* hostile_source.c - a source that lies to the dest breaks its lane only. */
#include <errno.h>
#include <string.h>

#include "ends.h"
#include "harness.h"
#include "sys.h"

#define PAGES	128		/* two runs */
#define BUSY_TRIES	1000	/* BUSY_MS apart: far longer than it may take */
#define BUSY_MS		20

FIXTURE(dest) {
	struct ends ends;
	struct lane *push, *fault;	/* the source's ends of them */
	struct region *region;
	bool skipped;
};

FIXTURE_SETUP(dest)
{
	self->skipped = !memory_ready(GUEST_MEMFD, PAGES);
	if (self->skipped)
		return;
	there_open(&self->ends, GUEST_MEMFD, PAGES);
	self->region = &self->ends.there_map.regions[0];
	self->push = lane_to_dest(&self->ends, LANE_PUSH);
	self->fault = lane_to_dest(&self->ends, LANE_FAULT);
}

FIXTURE_TEARDOWN(dest)
{
	if (self->skipped)
		return;
	lane_destroy(self->push);
	lane_destroy(self->fault);
	ends_close(&self->ends);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

static void send_bad_digest(FIXTURE_DATA(dest) *self, struct lane *lane,
			    uint64_t first)
{
	struct frame frame = pattern_frame(self->region, 1, first, 1, 1);

	frame.digest.high ^= 1;
	ASSERT_EQ(0, lane_send(lane, &frame, pattern_bytes));
}

/* Everything is missing, and the guest may run. */
static void switch_all(FIXTURE_DATA(dest) *self, uint32_t generation)
{
	uint64_t keep[PAGES / 64] = { 0 };

	ASSERT_EQ(0, dest_keep(self->ends.dest, self->region, 0, PAGES, keep));
	dest_switch(self->ends.dest, generation);
}

static void expect_page(FIXTURE_DATA(dest) *self, uint64_t page, uint64_t seed)
{
	guest_pattern(pattern_bytes, 4096, page, seed);
	ASSERT_EQ(0, guest_hash(&self->ends.there, page, 1));
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), self->ends.there.hashes[page]);
}

static void expect_nothing_present(FIXTURE_DATA(dest) *self)
{
	EXPECT_EQ(PAGES, pages_next(&self->ends.dest->states.pages[0], 0, PAGES,
				    PAGE_STATE, PAGE_PRESENT, true));
	EXPECT_EQ(0, states_proof(&self->ends.dest->states, 0).pages);
}

TEST_F(dest, future_generation_is_refused_in_a_round)
{
	SKIPPED(self);
	pattern_send(self->push, self->region, 2, 0, 1, 1);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, future_generation_is_refused_after_the_switch)
{
	SKIPPED(self);
	switch_all(self, 1);
	pattern_send(self->fault, self->region, 2, 0, 1, 1);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, older_frame_is_dropped)
{
	uint64_t page;

	SKIPPED(self);
	switch_all(self, 3);
	pattern_send(self->push, self->region, 2, 0, 1, 99);
	for (page = 0; page < PAGES; page += 16)
		pattern_send(self->push, self->region, 3, page, 16, 1);
	while (!dest_complete(self->ends.dest))
		ASSERT_EQ(0, sys_wait_fd(self->ends.dest->event_fd, POLLIN,
					 -1));
	EXPECT_EQ(1, stat_read(&self->ends.dest->stats.stale_frames));
	EXPECT_EQ(0, stat_read(&self->ends.dest->stats.duplicate_pages));
	expect_page(self, 0, 1);
}

TEST_F(dest, wrong_digest_ends_a_round)
{
	SKIPPED(self);
	send_bad_digest(self, self->push, 5);
	EXPECT_EQ(-EBADMSG, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, wrong_digest_is_asked_for_again)
{
	struct frame want;
	const void *payload;

	SKIPPED(self);
	switch_all(self, 1);
	send_bad_digest(self, self->push, 5);
	ASSERT_EQ(0, lane_receive(self->fault, &want, &payload));
	EXPECT_EQ(FRAME_WANT, want.type);
	EXPECT_EQ(5, want.first);
	EXPECT_EQ(1, want.count);
	expect_nothing_present(self);
	pattern_send(self->fault, self->region, 1, 5, 1, 7);
	expect_page(self, 5, 7);
	EXPECT_EQ(0, dest_error(self->ends.dest));
}

static void want_for(struct lane *lane, uint64_t page)
{
	struct frame want;
	const void *payload;

	ASSERT_EQ(0, lane_receive(lane, &want, &payload));
	EXPECT_EQ(FRAME_WANT, want.type);
	EXPECT_EQ(page, want.first);
}

/* Pages of one byte, packed, with the digest of these or of others. */
static void packed_send(FIXTURE_DATA(dest) *self, struct lane *lane, bool right)
{
	struct frame frame = pattern_frame(self->region, 1, 5, 4, 1);
	const void *packed = NULL;

	memset(pattern_bytes, 'x', 4 * 4096);
	if (right)
		frame.digest = digest_run(self->region, 5, 4, pattern_bytes);
	if (!lane->packer)
		ASSERT_EQ(0, packer_create(4 * 4096, &lane->packer));
	frame.type = FRAME_PACKED;
	frame.packed = (uint32_t)packer_run(lane->packer, pattern_bytes, 4 * 4096, &packed);
	ASSERT_LT(0, frame.packed);
	ASSERT_EQ(0, lane_send(lane, &frame, packed));
}

TEST_F(dest, packed_pages_are_refused_where_nobody_agreed_on_them)
{
	SKIPPED(self);
	packed_send(self, self->push, true);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, packed_pages_are_refused_on_a_fault_lane)
{
	struct lane *fault;

	SKIPPED(self);
	self->ends.packs = true;
	fault = lane_to_dest(&self->ends, LANE_FAULT);
	switch_all(self, 1);
	packed_send(self, fault, true);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
	lane_destroy(fault);
}

TEST_F(dest, packed_pages_have_the_digest_of_what_they_unpack_to)
{
	struct lane *push;

	SKIPPED(self);
	self->ends.packs = true;
	push = lane_to_dest(&self->ends, LANE_PUSH);
	switch_all(self, 1);
	packed_send(self, push, false);
	want_for(self->fault, 5);
	expect_nothing_present(self);
	packed_send(self, push, true);
	memset(pattern_bytes, 'x', 4096);
	ASSERT_EQ(0, guest_hash(&self->ends.there, 8, 1));
	EXPECT_EQ(guest_hash_of(pattern_bytes, 4096), self->ends.there.hashes[8]);
	EXPECT_EQ(0, dest_error(self->ends.dest));
	lane_destroy(push);
}

/* Something comes all the time, and it is never what was asked for. */
TEST_F(dest, page_is_asked_for_again_whatever_else_comes)
{
	int i, ret = -ETIMEDOUT;

	SKIPPED(self);
	switch_all(self, 3);
	ASSERT_EQ(0, guest_post_hash(&self->ends.there, 5, 1));
	want_for(self->fault, 5);
	for (i = 0; i < BUSY_TRIES && ret == -ETIMEDOUT; i++) {
		pattern_send(self->fault, self->region, 2, 0, 1, 99);
		ret = sys_wait_fd(self->fault->fd, POLLIN, BUSY_MS);
	}
	ASSERT_EQ(0, ret);
	want_for(self->fault, 5);
	pattern_send(self->fault, self->region, 3, 5, 1, 7);
	ASSERT_EQ(0, guest_wait(&self->ends.there));
	expect_page(self, 5, 7);
}

TEST_F(dest, third_wrong_digest_cuts_the_lane)
{
	unsigned int i;

	SKIPPED(self);
	switch_all(self, 1);
	for (i = 0; i < BAD_RUNS_MAX; i++)
		send_bad_digest(self, self->push, i);
	EXPECT_EQ(-EBADMSG, dest_wait_error(self->ends.dest));
	EXPECT_EQ(BAD_RUNS_MAX, stat_read(&self->ends.dest->stats.bad_runs));
	expect_nothing_present(self);
}

TEST_F(dest, zeroes_with_a_wrong_digest_are_asked_for_again)
{
	struct frame zero = { .type = FRAME_ZERO, .generation = 1,
			      .region = self->region, .first = 3,
			      .count = 40 };
	struct frame want;
	const void *payload;
	uint64_t asked = 0;

	SKIPPED(self);
	switch_all(self, 1);
	ASSERT_EQ(0, lane_send(self->push, &zero, NULL));
	while (asked < 40) {
		ASSERT_EQ(0, lane_receive(self->fault, &want, &payload));
		EXPECT_EQ(3 + asked, want.first);
		asked += want.count;
	}
	EXPECT_EQ(40, asked);
	expect_nothing_present(self);
}

TEST_F(dest, barrier_on_a_fault_lane_is_refused)
{
	struct frame barrier = { .type = FRAME_BARRIER, .generation = 1 };

	SKIPPED(self);
	switch_all(self, 1);
	ASSERT_EQ(0, lane_send(self->fault, &barrier, NULL));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
}

TEST_F(dest, barrier_of_another_round_is_refused)
{
	struct frame barrier = { .type = FRAME_BARRIER, .generation = 2 };

	SKIPPED(self);
	ASSERT_EQ(0, lane_send(self->push, &barrier, NULL));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	EXPECT_EQ(0, dest_barrier_passed(self->ends.dest));
}

TEST_F(dest, want_is_not_for_the_dest)
{
	struct frame want = { .type = FRAME_WANT, .generation = 1,
			      .region = self->region, .count = 1 };

	SKIPPED(self);
	ASSERT_EQ(0, lane_send(self->push, &want, NULL));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
}

TEST_F(dest, page_past_the_end_is_refused)
{
	SKIPPED(self);
	pattern_send(self->push, self->region, 1, PAGES, 1, 1);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
}

TEST_F(dest, run_over_the_end_is_refused)
{
	SKIPPED(self);
	pattern_send(self->push, self->region, 1, PAGES - 1, 2, 1);
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
}

/* By its header: the bytes of it need not come. */
TEST_F(dest, run_longer_than_a_frame_is_refused)
{
	uint8_t header[FRAME_HEADER_SIZE];
	struct frame frame;

	SKIPPED(self);
	frame = pattern_frame(self->region, 1, 0, 65, 1);
	frame_encode(&frame, header);
	ASSERT_EQ(0, sys_write_all(self->push->fd, header, sizeof(header)));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
}

TEST_F(dest, garbage_is_refused)
{
	SKIPPED(self);
	memset(pattern_bytes, 0x5a, 4096);
	ASSERT_EQ(0, sys_write_all(self->push->fd, pattern_bytes, 4096));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, frame_cut_in_the_middle_leaves_its_pages_missing)
{
	uint8_t header[FRAME_HEADER_SIZE];
	struct frame frame;

	SKIPPED(self);
	switch_all(self, 1);
	frame = pattern_frame(self->region, 1, 0, 16, 1);
	frame_encode(&frame, header);
	ASSERT_EQ(0, sys_write_all(self->push->fd, header, sizeof(header)));
	ASSERT_EQ(0, sys_write_all(self->push->fd, pattern_bytes, 15 * 4096 + 4095));
	lane_shutdown(self->push);
	EXPECT_EQ(-EPIPE, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

/* Fails when store() takes pages without asking pages_claim(). */
TEST_F(dest, digest_on_a_push_lane_is_refused)
{
	struct frame frame = pattern_frame(self->region, 1, 0, 1, 1);

	SKIPPED(self);
	switch_all(self, 1);
	frame.type = FRAME_DIGEST;
	ASSERT_EQ(0, lane_send(self->push, &frame, NULL));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, digest_of_another_generation_is_refused)
{
	struct frame frame = pattern_frame(self->region, 2, 0, 1, 1);

	SKIPPED(self);
	switch_all(self, 1);
	frame.type = FRAME_DIGEST;
	ASSERT_EQ(0, lane_send(self->fault, &frame, NULL));
	EXPECT_EQ(-EPROTO, dest_wait_error(self->ends.dest));
	expect_nothing_present(self);
}

TEST_F(dest, page_placed_twice_is_placed)
{
	uint64_t page;

	SKIPPED(self);
	switch_all(self, 1);
	pattern_send(self->push, self->region, 1, 0, 1, 1);
	pattern_send(self->push, self->region, 1, 0, 1, 2);
	for (page = 0; page < PAGES; page += 16)
		pattern_send(self->push, self->region, 1, page, 16, 3);
	while (!dest_complete(self->ends.dest))
		ASSERT_EQ(0, sys_wait_fd(self->ends.dest->event_fd, POLLIN,
					 -1));
	EXPECT_EQ(0, dest_error(self->ends.dest));
	EXPECT_EQ(2, stat_read(&self->ends.dest->stats.duplicate_pages));
	EXPECT_EQ(PAGES, states_proof(&self->ends.dest->states, 0).pages);
	expect_page(self, 0, 1);
	expect_page(self, 1, 3);
}

/* A run is claimed in steps; this one meets a page in the middle of its second. */
TEST_F(dest, long_run_goes_around_a_page_that_came_before)
{
	SKIPPED(self);
	switch_all(self, 1);
	pattern_send(self->push, self->region, 1, 20, 1, 1);
	pattern_send(self->push, self->region, 1, 0, 64, 2);
	pattern_send(self->push, self->region, 1, 64, 64, 2);
	while (!dest_complete(self->ends.dest))
		ASSERT_EQ(0, sys_wait_fd(self->ends.dest->event_fd, POLLIN, -1));
	EXPECT_EQ(0, dest_error(self->ends.dest));
	EXPECT_EQ(1, stat_read(&self->ends.dest->stats.duplicate_pages));
	EXPECT_EQ(PAGES, states_proof(&self->ends.dest->states, 0).pages);
	expect_page(self, 19, 2);
	expect_page(self, 20, 1);
	expect_page(self, 21, 2);
	expect_page(self, 63, 2);
	expect_page(self, 127, 2);
}

TEST_F(dest, kept_pages_are_named_within_the_region_and_in_time)
{
	uint64_t keep[2] = { 0, 0 };

	SKIPPED(self);
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region, 1, 1,
				     keep));
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region, 0, 0,
				     keep));
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region, 0,
				     PAGES + 1, keep));
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region, PAGES, 1,
				     keep));
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region,
				     UINT64_MAX - 63, 64, keep));
	switch_all(self, 1);
	EXPECT_EQ(-EPROTO, dest_keep(self->ends.dest, self->region, 0, PAGES,
				     keep));
	EXPECT_EQ(PAGES, stat_read(&self->ends.dest->missing));
}

TEST_HARNESS_MAIN
