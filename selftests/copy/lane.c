// SPDX-License-Identifier: LGPL-2.1-or-later
/* lane.c - what a lane asks of its connection, and how much at once. */
#include <errno.h>
#include <string.h>

#include "copy/lane.h"
#include "harness.h"

#define PAGES	64
#define MOST	1000

/* A connection that remembers what it was given, and how. */
struct memory {
	uint8_t bytes[PAGES * 4096];
	size_t put, got;		/* bytes of it */
	size_t largest;			/* put at once */
	size_t most;			/* what narrow() answers */
	size_t pending;			/* what pending() answers */
	unsigned int asked;		/* how often for bytes */
	bool hurry;			/* what narrow() was told */
};

static ssize_t memory_sendv(void *connection, const struct iovec *parts, int count)
{
	struct memory *memory = connection;
	size_t size = 0;
	int i;

	for (i = 0; i < count; i++) {
		memcpy(memory->bytes + memory->put + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	memory->put += size;
	if (size > memory->largest)
		memory->largest = size;
	return (ssize_t)size;
}

static ssize_t memory_receive(void *connection, void *buf, size_t size)
{
	struct memory *memory = connection;
	size_t left = memory->put - memory->got;

	memory->asked++;
	if (!left)
		return -EAGAIN;
	if (size > left)
		size = left;
	memcpy(buf, memory->bytes + memory->got, size);
	memory->got += size;
	return (ssize_t)size;
}

static size_t memory_pending(void *connection)
{
	return ((struct memory *)connection)->pending;
}

static size_t memory_narrow(void *connection, bool hurry)
{
	struct memory *memory = connection;

	memory->hurry = hurry;
	return memory->most;
}

static void memory_close(void *connection)
{
	(void)connection;
}

static const struct lane_ops memory_ops = {
	.sendv_some = memory_sendv,
	.receive_some = memory_receive,
	.pending = memory_pending,
	.narrow = memory_narrow,
	.shutdown = memory_close,
	.close = memory_close,
};

FIXTURE(lane) {
	struct region_map map;
	struct memory memory;
	struct lane *lane;
	uint8_t pages[16 * 4096];
};

FIXTURE_SETUP(lane)
{
	struct region region = {
		.page_shift = 12, .pages = PAGES, .fd = -1, .uffd = -1, .shared = true,
	};
	size_t i;

	memset(self, 0, sizeof(*self));
	for (i = 0; i < sizeof(self->pages); i++)
		self->pages[i] = (uint8_t)(i * 31 >> 3);
	ASSERT_EQ(0, region_add(&self->map, &region));
	ASSERT_EQ(0, lane_create(&memory_ops, &self->memory, -1, LANE_PUSH, 0, &self->map,
				 &self->lane));
}
FIXTURE_TEARDOWN(lane)
{
	lane_destroy(self->lane);
}

static void pages_send(FIXTURE_DATA(lane) *self)
{
	struct frame frame = {
		.type = FRAME_DATA, .region = &self->map.regions[0], .first = 3, .count = 16,
	};

	ASSERT_EQ(0, lane_send(self->lane, &frame, self->pages));
}

static void pages_expect(FIXTURE_DATA(lane) *self)
{
	struct frame frame;
	const void *payload;

	ASSERT_EQ(1, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(3, frame.first);
	EXPECT_EQ(16, frame.count);
	EXPECT_EQ(0, memcmp(payload, self->pages, sizeof(self->pages)));
}

TEST_F(lane, frame_leaves_at_once_if_nobody_is_in_a_hurry)
{
	lane_narrow(self->lane, false);
	EXPECT_FALSE(self->memory.hurry);
	pages_send(self);
	EXPECT_EQ(FRAME_HEADER_SIZE + sizeof(self->pages), self->memory.largest);
	pages_expect(self);
}

TEST_F(lane, narrow_lane_sends_the_same_in_pieces)
{
	self->memory.most = MOST;
	lane_narrow(self->lane, true);
	EXPECT_TRUE(self->memory.hurry);
	pages_send(self);
	EXPECT_EQ(MOST, self->memory.largest);
	EXPECT_EQ(FRAME_HEADER_SIZE + sizeof(self->pages), self->memory.put);
	pages_expect(self);
}

TEST_F(lane, piece_smaller_than_a_header_is_enough)
{
	self->memory.most = 7;
	lane_narrow(self->lane, true);
	pages_send(self);
	EXPECT_EQ(7, self->memory.largest);
	pages_expect(self);
}

static void want_send(FIXTURE_DATA(lane) *self, uint64_t page)
{
	struct frame want = {
		.type = FRAME_WANT, .region = &self->map.regions[0], .first = page, .count = 1,
	};

	ASSERT_EQ(0, lane_send(self->lane, &want, NULL));
}

static void wants_expect(FIXTURE_DATA(lane) *self, uint64_t count)
{
	struct frame frame;
	const void *payload;
	uint64_t page;

	for (page = 0; page < count; page++) {
		ASSERT_EQ(1, lane_receive_some(self->lane, &frame, &payload));
		EXPECT_EQ(FRAME_WANT, frame.type);
		EXPECT_EQ(page, frame.first);
	}
}

TEST_F(lane, gathered_frames_leave_together)
{
	uint64_t page;

	lane_gather(self->lane);
	for (page = 0; page < 5; page++)
		want_send(self, page);
	EXPECT_EQ(0, self->memory.put);
	EXPECT_EQ(0, lane_flush(self->lane));
	EXPECT_EQ(5 * FRAME_HEADER_SIZE, self->memory.largest);
	want_send(self, 5);
	EXPECT_EQ(6 * FRAME_HEADER_SIZE, self->memory.put);
	EXPECT_EQ(0, lane_flush(self->lane));
	EXPECT_EQ(6 * FRAME_HEADER_SIZE, self->memory.put);
	wants_expect(self, 6);
}

TEST_F(lane, more_than_can_be_gathered_leaves_before)
{
	uint64_t page;

	lane_gather(self->lane);
	for (page = 0; page < LANE_GATHERED + 3; page++)
		want_send(self, page);
	EXPECT_EQ(LANE_GATHERED * FRAME_HEADER_SIZE, self->memory.put);
	EXPECT_EQ(0, lane_flush(self->lane));
	wants_expect(self, LANE_GATHERED + 3);
}

TEST_F(lane, pages_do_not_overtake_what_is_gathered)
{
	lane_gather(self->lane);
	want_send(self, 0);
	pages_send(self);
	wants_expect(self, 1);
	pages_expect(self);
	EXPECT_EQ(0, lane_flush(self->lane));
}

/* What came was all there was: poll() tells of more. */
TEST_F(lane, emptied_connection_is_not_asked_at_once)
{
	struct frame frame;
	const void *payload;

	pages_send(self);
	pages_expect(self);
	EXPECT_EQ(1, self->memory.asked);
	EXPECT_EQ(0, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(1, self->memory.asked);
	EXPECT_EQ(0, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(2, self->memory.asked);
	pages_send(self);
	pages_expect(self);
}

/* Of what TLS has out of the socket already poll() does not tell. */
TEST_F(lane, pending_bytes_are_asked_for_at_once)
{
	struct frame frame;
	const void *payload;

	pages_send(self);
	self->memory.pending = 1;
	pages_expect(self);
	EXPECT_EQ(0, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(2, self->memory.asked);
}

/* The rest of a frame is asked for until there is no more of it. */
TEST_F(lane, rest_of_a_frame_is_asked_for_at_once)
{
	struct frame frame;
	const void *payload;
	size_t whole;

	pages_send(self);
	whole = self->memory.put;
	self->memory.put = whole / 2;
	EXPECT_EQ(0, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(2, self->memory.asked);
	self->memory.put = whole;
	pages_expect(self);
}

/* The same pages, packed by the sender's half of this lane. */
static struct frame packed_make(FIXTURE_DATA(lane) *self, const void **packed)
{
	struct frame frame = {
		.type = FRAME_PACKED, .region = &self->map.regions[0], .first = 3, .count = 16,
	};

	ASSERT_EQ(0, packer_create(sizeof(self->pages), &self->lane->packer));
	frame.packed = (uint32_t)packer_run(self->lane->packer, self->pages,
					    sizeof(self->pages), packed);
	ASSERT_LT(0, frame.packed);
	return frame;
}

static void packed_send(FIXTURE_DATA(lane) *self)
{
	const void *packed = NULL;
	struct frame frame = packed_make(self, &packed);

	ASSERT_EQ(0, lane_send(self->lane, &frame, packed));
	EXPECT_EQ(FRAME_HEADER_SIZE + frame.packed, self->memory.put);
}

static int packed_receive(FIXTURE_DATA(lane) *self)
{
	const void *payload = NULL;
	struct frame frame = { .type = 0 };
	int ret = lane_receive_some(self->lane, &frame, &payload);

	if (ret < 0) {
		EXPECT_EQ(0, frame.type);
		EXPECT_EQ(NULL, payload);
	}
	return ret;
}

static void unpacker_give(FIXTURE_DATA(lane) *self)
{
	ASSERT_EQ(0, unpacker_create(frame_payload_max(&self->map), &self->lane->unpacker));
}

/* Whoever takes it in need not know; and a barrier counts it. */
TEST_F(lane, what_is_packed_arrives_as_data)
{
	struct frame frame = { .type = 0 };
	const void *payload;

	unpacker_give(self);
	packed_send(self);
	pages_send(self);
	ASSERT_EQ(1, lane_receive_some(self->lane, &frame, &payload));
	EXPECT_EQ(FRAME_DATA, frame.type);
	EXPECT_EQ(0, frame.packed);
	EXPECT_EQ(sizeof(self->pages), frame_payload(&frame));
	EXPECT_EQ(0, memcmp(payload, self->pages, sizeof(self->pages)));
	pages_expect(self);
}

TEST_F(lane, barrier_sums_what_was_packed)
{
	const void *packed = NULL;
	struct frame frame = packed_make(self, &packed);

	frame.digest = (struct digest){ 5, 6 };
	ASSERT_EQ(0, lane_send(self->lane, &frame, packed));
	EXPECT_TRUE(digest_equal(frame.digest, self->lane->sent));
}

/* By its header alone: nothing is kept for what nobody agreed on. */
TEST_F(lane, packed_frame_without_an_agreement_is_refused)
{
	packed_send(self);
	self->memory.put = FRAME_HEADER_SIZE;
	EXPECT_EQ(-EPROTO, packed_receive(self));
}

TEST_F(lane, packed_garbage_is_refused)
{
	unpacker_give(self);
	packed_send(self);
	memset(self->memory.bytes + FRAME_HEADER_SIZE, 0xa5, 64);
	EXPECT_EQ(-EBADMSG, packed_receive(self));
}

/* It unpacks, but not to the pages that its header names. */
static void wrong_count_refused(FIXTURE_DATA(lane) *self, uint64_t count)
{
	const void *packed = NULL;
	struct frame frame = packed_make(self, &packed);

	unpacker_give(self);
	frame.count = count;
	ASSERT_EQ(0, lane_send(self->lane, &frame, packed));
	EXPECT_EQ(-EBADMSG, packed_receive(self));
}

TEST_F(lane, packed_frame_of_too_few_bytes_is_refused)
{
	wrong_count_refused(self, 17);
}

TEST_F(lane, packed_frame_of_too_many_bytes_is_refused)
{
	wrong_count_refused(self, 15);
}

TEST_F(lane, packed_frame_in_pieces_waits_for_all_of_it)
{
	size_t whole;

	unpacker_give(self);
	packed_send(self);
	whole = self->memory.put;
	for (self->memory.put = 0; self->memory.put < whole; self->memory.put += 7)
		ASSERT_EQ(0, packed_receive(self));
	self->memory.put = whole;
	pages_expect(self);
}

TEST_HARNESS_MAIN
