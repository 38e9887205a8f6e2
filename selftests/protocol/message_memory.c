/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message_memory.c - a peer's message costs no more memory than it may.
 *
 * What else a receiver is fed with that no peer should send is in
 * selftests/fuzz/message.c.
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
	struct message_header wire = { htole32(header.type), htole32(header.length), 0 };
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
