// SPDX-License-Identifier: LGPL-2.1-or-later
/* frame.c - what is out of bounds in a header is -EPROTO, field by field. */
#include <errno.h>
#include <string.h>

#include "copy/frame.h"
#include "harness.h"

#define PAGES	1000

/* Where the numbers are, as they were written by hand. */
enum {
	AT_TYPE = 0, AT_GENERATION = 4, AT_REGION = 8, AT_PACKED = 12,
	AT_FIRST = 16, AT_COUNT = 24, AT_LOW = 32, AT_HIGH = 40,
};

FIXTURE(frame) {
	struct region_map map;
	uint8_t wire[FRAME_HEADER_SIZE];
};

FIXTURE_SETUP(frame)
{
	struct region small = { .page_shift = 12, .pages = PAGES, .fd = -1,
				.uffd = -1, .shared = true };
	struct region large = { .page_shift = 21, .pages = 4, .fd = -1,
				.uffd = -1, .shared = true };

	memset(&self->map, 0, sizeof(self->map));
	ASSERT_EQ(0, region_add(&self->map, &small));
	ASSERT_EQ(0, region_add(&self->map, &large));
}
FIXTURE_TEARDOWN(frame) {}

static void put32(FIXTURE_DATA(frame) *self, unsigned int at, uint32_t value)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		self->wire[at + i] = (uint8_t)(value >> 8 * i);
}

static void put64(FIXTURE_DATA(frame) *self, unsigned int at, uint64_t value)
{
	put32(self, at, (uint32_t)value);
	put32(self, at + 4, (uint32_t)(value >> 32));
}

static int decode(FIXTURE_DATA(frame) *self, enum frame_type type,
		  uint64_t first, uint64_t count)
{
	struct frame frame;

	put32(self, AT_TYPE, type);
	put64(self, AT_FIRST, first);
	put64(self, AT_COUNT, count);
	return frame_decode(&self->map, self->wire, &frame);
}

TEST_F(frame, what_is_encoded_is_decoded)
{
	static const enum frame_type types[] = { FRAME_DATA, FRAME_ZERO,
						 FRAME_WANT, FRAME_PACKED };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct frame said = {
			.type = types[i],
			.generation = 0x01020304,
			.region = &self->map.regions[0],
			.first = 900,
			.count = 16,
			.digest = { 0x1122334455667788, 0x99aabbccddeeff00 },
			.packed = types[i] == FRAME_PACKED ? 0xfedc : 0,
		};
		struct frame heard;

		memset(&heard, 0xff, sizeof(heard));
		frame_encode(&said, self->wire);
		ASSERT_EQ(0, frame_decode(&self->map, self->wire, &heard));
		EXPECT_EQ(said.type, heard.type);
		EXPECT_EQ(said.generation, heard.generation);
		EXPECT_EQ(said.region, heard.region);
		EXPECT_EQ(said.first, heard.first);
		EXPECT_EQ(said.count, heard.count);
		EXPECT_EQ(said.packed, heard.packed);
		EXPECT_TRUE(digest_equal(said.digest, heard.digest));
	}
}

TEST_F(frame, bytes_on_the_wire_are_little_endian_in_their_places)
{
	struct frame said = {
		.type = FRAME_DATA, .generation = 5,
		.region = &self->map.regions[1], .first = 2, .count = 1,
		.digest = { 6, 7 },
	};
	uint8_t wire[FRAME_HEADER_SIZE];

	put32(self, AT_TYPE, 1);
	put32(self, AT_GENERATION, 5);
	put32(self, AT_REGION, 1);
	put64(self, AT_FIRST, 2);
	put64(self, AT_COUNT, 1);
	put64(self, AT_LOW, 6);
	put64(self, AT_HIGH, 7);
	frame_encode(&said, wire);
	EXPECT_EQ(0, memcmp(wire, self->wire, sizeof(wire)));
}

TEST_F(frame, barrier_names_no_pages)
{
	put32(self, AT_TYPE, FRAME_BARRIER);
	EXPECT_EQ(0, decode(self, FRAME_BARRIER, 0, 0));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_BARRIER, 1, 0));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_BARRIER, 0, 1));
	put32(self, AT_REGION, 1);
	EXPECT_EQ(-EPROTO, decode(self, FRAME_BARRIER, 0, 0));
}

TEST_F(frame, unknown_type_is_refused)
{
	EXPECT_EQ(-EPROTO, decode(self, 0, 0, 1));
	EXPECT_EQ(-EPROTO, decode(self, 8, 0, 1));
	EXPECT_EQ(-EPROTO, decode(self, 0x80000001, 0, 1));
}

TEST_F(frame, only_what_is_packed_has_a_packed_size)
{
	enum frame_type type;

	for (type = FRAME_DATA; type <= FRAME_PACKED; type++) {
		uint64_t count = type == FRAME_BARRIER ? 0 : 1;

		put32(self, AT_PACKED, 0);
		EXPECT_EQ(type == FRAME_PACKED ? -EPROTO : 0, decode(self, type, 0, count));
		put32(self, AT_PACKED, 1);
		EXPECT_EQ(type == FRAME_PACKED ? 0 : -EPROTO, decode(self, type, 0, count));
	}
}

TEST_F(frame, what_is_packed_is_smaller_than_its_pages)
{
	put32(self, AT_PACKED, 3 * 4096 - 1);
	EXPECT_EQ(0, decode(self, FRAME_PACKED, 0, 3));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_PACKED, 0, 2));
	put32(self, AT_PACKED, 3 * 4096);
	EXPECT_EQ(-EPROTO, decode(self, FRAME_PACKED, 0, 3));
	put32(self, AT_PACKED, UINT32_MAX);
	EXPECT_EQ(-EPROTO, decode(self, FRAME_PACKED, 0, 64));
}

TEST_F(frame, unknown_region_is_refused)
{
	put32(self, AT_REGION, 1);
	EXPECT_EQ(0, decode(self, FRAME_DATA, 0, 1));
	put32(self, AT_REGION, 2);
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, 0, 1));
	put32(self, AT_REGION, UINT32_MAX);
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, 0, 1));
}

TEST_F(frame, first_is_within_the_region)
{
	EXPECT_EQ(0, decode(self, FRAME_DATA, PAGES - 1, 1));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, PAGES, 1));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, PAGES - 1, 2));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_ZERO, UINT64_MAX, 1));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_WANT, UINT64_MAX, 2));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_ZERO, 1, UINT64_MAX));
}

TEST_F(frame, count_has_the_limit_of_its_type)
{
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, 0, 0));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_ZERO, 0, 0));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_WANT, 0, 0));
	EXPECT_EQ(0, decode(self, FRAME_DATA, 0, 64));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, 0, 65));
	EXPECT_EQ(0, decode(self, FRAME_WANT, 0, 64));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_WANT, 0, 65));
	put32(self, AT_PACKED, 1);
	EXPECT_EQ(0, decode(self, FRAME_PACKED, 0, 64));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_PACKED, 0, 65));
	put32(self, AT_PACKED, 0);
	EXPECT_EQ(0, decode(self, FRAME_ZERO, 0, PAGES));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_ZERO, 0, PAGES + 1));
	put32(self, AT_REGION, 1);
	EXPECT_EQ(0, decode(self, FRAME_DATA, 0, 1));
	EXPECT_EQ(-EPROTO, decode(self, FRAME_DATA, 0, 2));
}

TEST_F(frame, refused_header_changes_nothing)
{
	struct frame frame, before;

	memset(&before, 0x5a, sizeof(before));
	frame = before;
	put32(self, AT_TYPE, FRAME_DATA);
	EXPECT_EQ(-EPROTO, frame_decode(&self->map, self->wire, &frame));
	EXPECT_EQ(0, memcmp(&frame, &before, sizeof(frame)));
}

TEST_F(frame, payload_is_what_the_type_brings)
{
	struct frame frame = { .type = FRAME_DATA, .count = 3,
			       .region = &self->map.regions[0] };

	EXPECT_EQ(3 * 4096, frame_payload(&frame));
	frame.type = FRAME_ZERO;
	EXPECT_EQ(0, frame_payload(&frame));
	frame.type = FRAME_WANT;
	EXPECT_EQ(0, frame_payload(&frame));
	frame.type = FRAME_PACKED;
	frame.packed = 77;
	EXPECT_EQ(77, frame_payload(&frame));
	EXPECT_EQ(2u << 20, frame_payload_max(&self->map));
}

TEST_HARNESS_MAIN
