// SPDX-License-Identifier: LGPL-2.1-or-later
/* pack.c - what is packed is unpacked, and anything else is refused. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <zstd.h>

#include "copy/pack.h"
#include "harness.h"

#define SIZE	(256u << 10)

FIXTURE(pack) {
	struct packer *packer;
	struct unpacker *unpacker;
	uint8_t bytes[SIZE];
	uint8_t wire[2 * SIZE];		/* what a peer sends */
	size_t size;			/* of it */
};

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* As text is: words of a few, in any order. */
static void text_write(uint8_t *to, size_t size)
{
	static const char words[8][8] = { "page ", "lane ", "guest ", "round ",
					  "source ", "fault ", "dest ", "of a " };
	uint64_t state = 88172645463325252ull;
	size_t i;

	for (i = 0; i < size; i += 8)
		memcpy(to + i, words[next(&state) % 8], 8);
}

static void random_write(uint8_t *to, size_t size)
{
	uint64_t state = 88172645463325252ull, word;
	size_t i;

	for (i = 0; i < size; i += 8) {
		word = next(&state);
		memcpy(to + i, &word, 8);
	}
}

FIXTURE_SETUP(pack)
{
	const void *packed = NULL;

	ASSERT_EQ(0, packer_create(SIZE, &self->packer));
	ASSERT_EQ(0, unpacker_create(SIZE, &self->unpacker));
	text_write(self->bytes, SIZE);
	self->size = packer_run(self->packer, self->bytes, SIZE, &packed);
	ASSERT_LT(0, self->size);
	memcpy(self->wire, packed, self->size);
}
FIXTURE_TEARDOWN(pack)
{
	packer_destroy(self->packer);
	unpacker_destroy(self->unpacker);
}

static int unpack(FIXTURE_DATA(pack) *self, size_t size)
{
	const void *bytes = NULL;
	int ret = unpacker_run(self->unpacker, self->wire, self->size, size, &bytes);

	if (ret)
		EXPECT_EQ(NULL, bytes);
	else
		EXPECT_EQ(0, memcmp(bytes, self->bytes, size));
	return ret;
}

TEST_F(pack, what_is_packed_is_unpacked)
{
	EXPECT_GT(SIZE / 2, self->size);
	EXPECT_EQ(0, unpack(self, SIZE));
}

/* A packer is used again and again, for runs of any length. */
TEST_F(pack, each_run_stands_alone)
{
	size_t size;

	for (size = 4096; size <= SIZE; size += 4096) {
		const void *packed = NULL;

		self->size = packer_run(self->packer, self->bytes, size, &packed);
		ASSERT_LT(0, self->size);
		memcpy(self->wire, packed, self->size);
		ASSERT_EQ(0, unpack(self, size));
	}
}

TEST_F(pack, what_saves_less_than_an_eighth_is_not_packed)
{
	const void *packed = NULL;

	random_write(self->bytes, SIZE);
	EXPECT_EQ(0, packer_run(self->packer, self->bytes, SIZE, &packed));
	text_write(self->bytes, SIZE / 16);
	EXPECT_EQ(0, packer_run(self->packer, self->bytes, SIZE, &packed));
	EXPECT_EQ(NULL, packed);
	text_write(self->bytes, SIZE / 2);
	EXPECT_LT(0, packer_run(self->packer, self->bytes, SIZE, &packed));
}

TEST_F(pack, another_size_is_refused)
{
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE - 4096));
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE - 1));
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE + 4096));
	EXPECT_EQ(0, unpack(self, SIZE));
}

TEST_F(pack, part_of_it_is_refused)
{
	size_t whole = self->size;

	for (self->size = 0; self->size < whole; self->size += 1 + self->size / 16)
		ASSERT_EQ(-EBADMSG, unpack(self, SIZE));
	self->size = whole - 1;
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE));
}

TEST_F(pack, bytes_behind_it_are_refused)
{
	self->wire[self->size++] = 0;
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE));
}

/* Two frames that come to the right size together. */
TEST_F(pack, second_frame_is_refused)
{
	size_t half = ZSTD_compress(self->wire, SIZE, self->bytes, SIZE / 2, 1);

	ASSERT_FALSE(ZSTD_isError(half));
	self->size = ZSTD_compress(self->wire + half, SIZE, self->bytes + SIZE / 2,
				   SIZE / 2, 1);
	ASSERT_FALSE(ZSTD_isError(self->size));
	self->size += half;
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE));
}

/* Its four bytes of length say that nothing is in it; zstd skips it. */
TEST_F(pack, skippable_frame_is_refused)
{
	static const uint8_t skippable[8] = { 0x50, 0x2a, 0x4d, 0x18 };

	memmove(self->wire + 8, self->wire, self->size);
	memcpy(self->wire, skippable, 8);
	self->size += 8;
	EXPECT_EQ(-EBADMSG, unpack(self, SIZE));
	self->size = 8;
	EXPECT_EQ(-EBADMSG, unpack(self, 0));
}

/* 2^31 is the largest that a header can ask for; none of it is allocated. */
TEST_F(pack, window_that_the_frame_asks_for_takes_no_memory)
{
	/* Magic, descriptor, a window of 2^31; one last block: 4096 times 'x'. */
	static const uint8_t frame[10] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8,
					   0x03, 0x80, 0x00, 'x' };

	memcpy(self->wire, frame, sizeof(frame));
	self->size = sizeof(frame);
	memset(self->bytes, 'x', 4096);
	EXPECT_EQ(0, unpack(self, 4096));
	EXPECT_EQ(-EBADMSG, unpack(self, 8192));
}

TEST_F(pack, dictionary_is_refused)
{
	/* The same with the number of a dictionary in one byte. */
	static const uint8_t frame[11] = { 0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x38, 0x07,
					   0x03, 0x80, 0x00, 'x' };

	memcpy(self->wire, frame, sizeof(frame));
	self->size = sizeof(frame);
	memset(self->bytes, 'x', 4096);
	EXPECT_EQ(-EBADMSG, unpack(self, 4096));
	self->wire[6] = 0;		/* no dictionary after all */
	EXPECT_EQ(0, unpack(self, 4096));
}

/* Whatever it is: refused, or of the right size. */
TEST_F(pack, any_flipped_byte_does_no_harm)
{
	unsigned int refused = 0;
	size_t i;

	for (i = 0; i < self->size; i += 1 + i / 32) {
		const void *bytes = NULL;
		int ret;

		self->wire[i] ^= 0x55;
		ret = unpacker_run(self->unpacker, self->wire, self->size, SIZE, &bytes);
		ASSERT_TRUE(!ret || ret == -EBADMSG);
		refused += !!ret;
		self->wire[i] ^= 0x55;
	}
	EXPECT_LT(0, refused);
	EXPECT_EQ(0, unpack(self, SIZE));
}

TEST_HARNESS_MAIN
