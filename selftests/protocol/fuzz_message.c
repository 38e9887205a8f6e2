/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz_message.c - a receiver fed with what no peer should send.
 *
 * Seeded, so that a failure comes again. Run it under ASan for what it is
 * worth; without it, it still finds hangs, wrong errors and hunger.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "harness.h"
#include "protocol/channel.h"
#include "protocol/codec.h"
#include "sys.h"

#define ROUNDS		20000
#define BODY_MAX	65536

static uint64_t dice = 0x9e3779b97f4a7c15;

static uint64_t roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice;
}

/* A legal PREPARE to start from: it has every kind of field. */
static size_t seed_make(uint8_t *bytes)
{
	Straddle__Prepare prepare = STRADDLE__PREPARE__INIT;
	Straddle__Region region = STRADDLE__REGION__INIT;
	Straddle__Region *regions[4] = { &region, &region, &region, &region };
	static uint8_t cookie[64];

	region.name = (char *)"ram";
	region.size = UINT64_C(1) << 40;
	prepare.guest = prepare.dest_name = (char *)"db1";
	prepare.uuid = (char *)"c7a5fdbd-edaf-9455-926a-d65c16db1809";
	prepare.live = (char *)"{ \"name\": \"db1\" }";
	prepare.regions = regions;
	prepare.n_regions = 4;
	prepare.has_cookie = 1;
	prepare.cookie = (ProtobufCBinaryData){ .len = sizeof(cookie), .data = cookie };
	return straddle__prepare__pack(&prepare, bytes);
}

static size_t body_mutate(uint8_t *bytes)
{
	size_t size = seed_make(bytes), changes = roll() % 8, at, length, i;

	for (i = 0; i < changes; i++)
		bytes[roll() % size] = (uint8_t)roll();
	if (!(roll() % 4))
		size = roll() % (size + 1);
	if (size && !(roll() % 4)) {		/* a piece of it, many times */
		at = roll() % size;
		length = 1 + roll() % (size - at);
		for (i = roll() % 400; i && size + length <= BODY_MAX; i--) {
			memcpy(bytes + size, bytes + at, length);
			size += length;
		}
	}
	return size;
}

static size_t body_random(uint8_t *bytes)
{
	size_t size = roll() % (roll() % 8 ? 64 : 4096), i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)roll();
	return size;
}

/* Mostly the header that belongs to the body, so that the body is read. */
static struct message_header header_make(size_t size)
{
	struct message_header header = {
		.type = (uint32_t)(1 + roll() % 14),
		.length = (uint32_t)size,
	};

	if (!(roll() % 2))
		header.type = MSG_PREPARE;
	if (!(roll() % 16))
		header.type = (uint32_t)roll();
	if (!(roll() % 16))
		header.length = (uint32_t)roll();
	return header;
}

static int round_run(const struct message_header *header, const uint8_t *body,
		     size_t size)
{
	struct message_header wire = { htole32(header->type), htole32(header->length) };
	struct message message = { .body = NULL };
	struct channel *channel = NULL;
	struct fail fail = { .err = 0 };
	int fds[2], ret;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, channel_wrap(fds[0], &channel));
	ASSERT_EQ(sizeof(wire), send(fds[1], &wire, sizeof(wire), MSG_NOSIGNAL));
	if (size)
		ASSERT_EQ((ssize_t)size, send(fds[1], body, size, MSG_NOSIGNAL));
	close(fds[1]);
	ret = message_receive(channel, roll() % 2, roll() % PHASE_COUNT, 20000, &message, &fail);
	EXPECT_TRUE(ret == 0 || ret == -EPROTO || ret == -EPIPE || ret == -ECONNRESET) {
		TH_LOG("ret %d: %s", ret, fail.text);
	}
	EXPECT_EQ(ret, fail.err);
	EXPECT_TRUE(ret == 0 || !message.body);
	message_fini(&message);
	channel_close(channel);
	return ret;
}

TEST_TIMEOUT(nothing_a_peer_sends_breaks_the_receiver, 120)
{
	unsigned long rounds = test_sample(ROUNDS), i, legal = 0;
	__cleanup_free uint8_t *body = malloc(BODY_MAX);
	struct message_header header;
	size_t size;

	for (i = 0; i < rounds; i++) {
		size = roll() % 3 ? body_mutate(body) : body_random(body);
		header = header_make(size);
		legal += !round_run(&header, body, size);
	}
	/* otherwise it tested the header alone */
	EXPECT_GT(legal, rounds / 1000);
}

/* A legal PREPARE and then unknown fields of two bytes, up to @size. */
static int flood_decode(uint8_t *body, size_t size)
{
	ProtobufCMessage *message = NULL;
	size_t i = seed_make(body);
	int ret;

	for (; i + 2 <= size; i += 2) {
		body[i] = 15 << 3;		/* field 15, a number */
		body[i + 1] = 0;
	}
	ret = codec_decode(message_rule(MSG_PREPARE), body, i, &message, NULL);
	codec_free(message);
	return ret;
}

/*
 * protobuf-c takes fifty times the size of the smallest unknown fields:
 * 100 MiB for a PREPARE of legal length. Without the codec's budget the last
 * of these decodes.
 */
TEST(memory_for_a_body_is_bounded)
{
	const struct message_rule *rule = message_rule(MSG_PREPARE);
	__cleanup_free uint8_t *body = malloc(rule->limit);

	EXPECT_EQ(0, flood_decode(body, 0));
	EXPECT_EQ(0, flood_decode(body, 65536));
	EXPECT_EQ(-EPROTO, flood_decode(body, rule->limit));
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer))
#else
#define SANITIZED false
#endif

static void address_space_freeze(size_t room)
{
	__cleanup_file FILE *file = fopen("/proc/self/statm", "r");
	struct rlimit limit;
	unsigned long pages;

	ASSERT_TRUE(file);
	ASSERT_EQ(1, fscanf(file, "%lu", &pages));
	limit.rlim_cur = limit.rlim_max = pages * 4096 + room;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
}

/* A promised length costs nothing before its bytes come. */
TEST(a_promised_length_is_not_allocated)
{
	struct message_header header = {
		.type = MSG_PREPARE,
		.length = message_rule(MSG_PREPARE)->limit,
	};
	struct message_header wire = { htole32(header.type), htole32(header.length) };
	struct message message = { .body = NULL };
	struct channel *channel = NULL;
	int fds[2];

	if (SANITIZED)
		SKIP(return, "ASan needs address space of its own: run a plain build");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, channel_wrap(fds[0], &channel));
	ASSERT_EQ(sizeof(wire), send(fds[1], &wire, sizeof(wire), MSG_NOSIGNAL));
	close(fds[1]);
	/* half of what was promised: allocating it all would be -ENOMEM */
	address_space_freeze(header.length / 2);
	EXPECT_EQ(-EPIPE, message_receive(channel, SIDE_SOURCE, PHASE_PREPARE, 20000, &message,
					  NULL));
	channel_close(channel);
}

TEST_HARNESS_MAIN
