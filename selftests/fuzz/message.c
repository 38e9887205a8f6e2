/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.c - fuzz the control channel: every message in every phase.
 *
 * An input is who sends, in which phase the receiver is, and what comes. The
 * cookies in what is decoded are eaten, too.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "protocol/channel.h"
#include "protocol/codec.h"
#include "protocol/cookie.h"
#include "sys.h"

#define PATIENCE_MS	20000	/* nothing waits: all of it is there */

static const ProtobufCBinaryData *cookie_of(const struct message *message)
{
	switch (message->type) {
	case MSG_PREPARE:
		return &((Straddle__Prepare *)message->body)->cookie;
	case MSG_PREPARED:
		return &((Straddle__Prepared *)message->body)->cookie;
	case MSG_FINISH:
		return &((Straddle__Finish *)message->body)->cookie;
	case MSG_ANSWER:
		return &((Straddle__Answer *)message->body)->cookie;
	case MSG_CONFIRMED:
		return &((Straddle__Confirmed *)message->body)->cookie;
	default:
		return NULL;
	}
}

static void cookie_look(const struct message *message)
{
	const ProtobufCBinaryData *bytes = cookie_of(message);
	struct fail fail = { .err = 0 };
	struct cookie cookie = { .version = 0 };
	int ret;

	if (!bytes)
		return;
	ret = cookie_eat(&cookie, bytes, &fail);
	FUZZ_CHECK(ret == 0 || ret == -EPROTO);
	FUZZ_CHECK(ret == fail.err);
}

/* What is decoded can be said again, and is legal where it came from. */
static void message_look(const struct message *message, enum side sender,
			 enum phase phase)
{
	const struct message_rule *rule = message_rule(message->type);
	struct message_header header = { .type = message->type };

	FUZZ_CHECK(rule && !rule->body == !message->body);
	FUZZ_CHECK(!message_check(&header, sender, phase, NULL));
	if (message->body)
		FUZZ_CHECK(protobuf_c_message_check(message->body));
	cookie_look(message);
}

/* A fuzzer finds no checksum: each whole message gets the right one. */
static void messages_seal(uint8_t *bytes, size_t size)
{
	struct message_header header;
	uint64_t check;

	while (size >= sizeof(header)) {
		uint32_t length;

		memcpy(&header, bytes, sizeof(header));
		length = le32toh(header.length);
		if (length > size - sizeof(header))
			return;
		check = htole64(message_checksum(le32toh(header.type), length,
						 bytes + sizeof(header)));
		memcpy(bytes + offsetof(struct message_header, check), &check,
		       sizeof(check));
		bytes += sizeof(header) + length;
		size -= sizeof(header) + length;
	}
}

/**
 * LLVMFuzzerTestOneInput() - receive messages until one is wrong
 * @data: a byte for side and phase, then the stream
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t who = fuzz_byte(&input);
	enum phase phase = who / 2 % PHASE_COUNT;
	struct message message = { .body = NULL };
	struct channel *channel;
	struct fail fail = { .err = 0 };
	uint8_t *sealed = malloc(input.left + 1);
	int other, ret;

	FUZZ_CHECK(sealed);
	memcpy(sealed, input.at, input.left);
	messages_seal(sealed, input.left);
	FUZZ_CHECK(!channel_wrap(fuzz_peer(SOCK_STREAM, sealed, input.left, &other),
				 &channel));
	free(sealed);
	for (;;) {
		ret = message_receive(channel, who & 1, phase, PATIENCE_MS, &message, &fail);
		if (ret)
			break;
		message_look(&message, who & 1, phase);
		message_fini(&message);
	}
	FUZZ_CHECK(ret == -EPROTO || ret == -EPIPE);
	FUZZ_CHECK(ret == fail.err && *fail.text && !message.body);
	channel_close(channel);
	close(other);
	return 0;
}

FUZZ_TARGET(message)

TEST_HARNESS_MAIN
