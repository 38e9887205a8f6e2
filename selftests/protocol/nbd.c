// SPDX-License-Identifier: LGPL-2.1-or-later
/* nbd.c - what an NBD server answers is understood, in pieces of any size. */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"
#include "protocol/nbd.h"
#include "sys.h"

struct script {
	uint8_t bytes[512];
	size_t size;
};

static void put(struct script *script, uint64_t value, unsigned int bytes)
{
	while (bytes--)
		script->bytes[script->size++] = (uint8_t)(value >> (8 * bytes));
}

static void put_greeting(struct script *script)
{
	put(script, UINT64_C(0x4e42444d41474943), 8);
	put(script, UINT64_C(0x49484156454f5054), 8);
	put(script, 3, 2);
}

static void put_option(struct script *script, uint32_t option, uint32_t type,
		       uint32_t length)
{
	put(script, UINT64_C(0x0003e889045565a9), 8);
	put(script, option, 4);
	put(script, type, 4);
	put(script, length, 4);
	while (length--)
		put(script, 0x67, 1);
}

static void put_simple(struct script *script, uint32_t error)
{
	put(script, 0x67446698, 4);
	put(script, error, 4);
	put(script, 7, 8);
}

static void put_chunk(struct script *script, uint16_t type, uint32_t length,
		      uint32_t first)
{
	put(script, 0x668e33ef, 4);
	put(script, 1, 2);
	put(script, type, 2);
	put(script, 7, 8);
	put(script, length, 4);
	if (length >= 4) {
		put(script, first, 4);
		length -= 4;
	}
	while (length--)
		put(script, 0x66, 1);
}

FIXTURE(answers) {
	struct script script;
};

FIXTURE_VARIANT(answers) {
	size_t piece;
};

FIXTURE_VARIANT_ADD(answers, by_byte) { .piece = 1, };
FIXTURE_VARIANT_ADD(answers, by_seven) { .piece = 7, };
FIXTURE_VARIANT_ADD(answers, in_one) { .piece = 512, };

FIXTURE_SETUP(answers)
{
	struct script *script = &self->script;

	script->size = 0;
	put_greeting(script);
	put_option(script, 8, 1, 0);		/* structured replies */
	put_option(script, 7, 3, 12);		/* what the export is */
	put_option(script, 7, 1, 0);		/* go */
	put_simple(script, 0);
	put_chunk(script, 1, 24, 0);		/* data */
}

FIXTURE_TEARDOWN(answers)
{
}

static int watch(const struct script *script, size_t piece)
{
	struct nbd_watch watch;
	size_t at;

	nbd_watch_init(&watch);
	for (at = 0; at < script->size; at += piece)
		nbd_watch_feed(&watch, script->bytes + at,
			       script->size - at < piece ? script->size - at
							 : piece);
	return watch.error;
}

TEST_F(answers, all_went_well)
{
	put_simple(&self->script, 0);
	EXPECT_EQ(0, watch(&self->script, variant->piece));
}

TEST_F(answers, simple_error_is_noted)
{
	put_simple(&self->script, ENOSPC);
	put_simple(&self->script, EIO);
	EXPECT_EQ(-ENOSPC, watch(&self->script, variant->piece));
}

TEST_F(answers, structured_error_is_noted)
{
	put_chunk(&self->script, 0x8001, 30, ENOSPC);
	put_simple(&self->script, EIO);
	EXPECT_EQ(-ENOSPC, watch(&self->script, variant->piece));
}

TEST_F(answers, error_without_a_code_is_noted)
{
	put_chunk(&self->script, 0x8001, 0, 0);
	EXPECT_EQ(-EIO, watch(&self->script, variant->piece));
}

/* The client writes them out instead. */
TEST_F(answers, zeroes_that_would_be_slow_are_no_error)
{
	put_chunk(&self->script, 0x8001, 6, 95);
	put_simple(&self->script, 0);
	EXPECT_EQ(0, watch(&self->script, variant->piece));
}

TEST_F(answers, what_is_no_answer_is_an_error)
{
	put(&self->script, 0, 8);
	put(&self->script, 0, 8);
	EXPECT_EQ(-EPROTO, watch(&self->script, variant->piece));
}

/* What looks like a reply in a payload is none. */
TEST_F(answers, payload_is_skipped)
{
	size_t at;

	put_chunk(&self->script, 1, 40, 0);
	at = self->script.size - 20;
	self->script.size = at;
	put_simple(&self->script, EIO);
	put(&self->script, 0, 4);
	put_simple(&self->script, 0);
	EXPECT_EQ(0, watch(&self->script, variant->piece));
}

/* ---- the client that flushes --------------------------------------------- */

FIXTURE(flusher) {
	int fds[2];
	struct script script;
};

FIXTURE_SETUP(flusher)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, self->fds));
	self->script.size = 0;
	put_greeting(&self->script);
	put(&self->script, 16 << 20, 8);
	put(&self->script, 1, 2);
}

FIXTURE_TEARDOWN(flusher)
{
	close(self->fds[0]);
	close(self->fds[1]);
}

static void server_says(FIXTURE_DATA(flusher) *self)
{
	ASSERT_EQ(0, sys_write_all(self->fds[1], self->script.bytes,
				   self->script.size));
	self->script.size = 0;
}

TEST_F(flusher, is_greeted_and_flushes)
{
	uint8_t asked[4 + 16 + sizeof(NBD_EXPORT) - 1 + 28];

	put_simple(&self->script, 0);
	server_says(self);
	EXPECT_EQ(0, nbd_greet(self->fds[0], 1000));
	EXPECT_EQ(0, nbd_flush(self->fds[0], 1000));
	ASSERT_EQ(0, sys_read_all(self->fds[1], asked, sizeof(asked)));
	EXPECT_EQ(0, memcmp(asked + 20, NBD_EXPORT, sizeof(NBD_EXPORT) - 1));
	EXPECT_EQ(3, asked[sizeof(asked) - 28 + 7]);
}

TEST_F(flusher, is_told_that_it_failed)
{
	put_simple(&self->script, ENOSPC);
	server_says(self);
	EXPECT_EQ(0, nbd_greet(self->fds[0], 1000));
	EXPECT_EQ(-ENOSPC, nbd_flush(self->fds[0], 1000));
}

TEST_F(flusher, does_not_wait_for_ever)
{
	EXPECT_EQ(-ETIMEDOUT, nbd_greet(self->fds[0], 10));
	server_says(self);
	EXPECT_EQ(0, nbd_greet(self->fds[0], 1000));
	EXPECT_EQ(-ETIMEDOUT, nbd_flush(self->fds[0], 10));
}

TEST_F(flusher, notices_a_server_that_ends)
{
	server_says(self);
	EXPECT_EQ(0, nbd_greet(self->fds[0], 1000));
	close(self->fds[1]);
	self->fds[1] = -1;
	EXPECT_GT(0, nbd_flush(self->fds[0], 1000));
}

TEST_HARNESS_MAIN
