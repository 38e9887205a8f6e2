/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.c - the message table, walked cell by cell, and bodies that lie.
 *
 * Central here: message_receive() asks message_check() before it reads a
 * body. With that call removed, every illegal cell of the walk fails.
 */
#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "harness.h"
#include "protocol/channel.h"
#include "protocol/codec.h"
#include "protocol/guest.h"
#include "protocol/message.h"
#include "sys.h"

#define WAIT_MS	20000

FIXTURE(wire) {
	struct channel *channel;	/* the receiver's */
	int peer;			/* raw */
};

FIXTURE_SETUP(wire)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, channel_wrap(fds[0], &self->channel));
	self->peer = fds[1];
}

FIXTURE_TEARDOWN(wire)
{
	channel_close(self->channel);
	if (self->peer >= 0)
		close(self->peer);
}

/* A legal body of each message, packed. Returns its size. */
static size_t body_make(enum message_type type, uint8_t *bytes)
{
	static uint8_t token[32], id[16];
	Straddle__Region region = STRADDLE__REGION__INIT;
	Straddle__Region *regions[1] = { &region };
	Straddle__Prepare prepare = STRADDLE__PREPARE__INIT;
	Straddle__Prepared prepared = STRADDLE__PREPARED__INIT;
	Straddle__Barrier barrier = STRADDLE__BARRIER__INIT;
	Straddle__PageSet keep = STRADDLE__PAGE_SET__INIT;
	Straddle__State state = STRADDLE__STATE__INIT;
	Straddle__Finish finish = STRADDLE__FINISH__INIT;
	Straddle__Answer answer = STRADDLE__ANSWER__INIT;
	Straddle__Query query = STRADDLE__QUERY__INIT;
	Straddle__Cancel cancel = STRADDLE__CANCEL__INIT;
	Straddle__Confirmed confirmed = STRADDLE__CONFIRMED__INIT;
	Straddle__Failed failed = STRADDLE__FAILED__INIT;
	Straddle__Progress progress = STRADDLE__PROGRESS__INIT;
	Straddle__Recover recover = STRADDLE__RECOVER__INIT;
	Straddle__Recovered recovered = STRADDLE__RECOVERED__INIT;
	Straddle__Broken broken = STRADDLE__BROKEN__INIT;
	Straddle__Supersede supersede = STRADDLE__SUPERSEDE__INIT;
	Straddle__RegionProof proof = STRADDLE__REGION_PROOF__INIT;
	Straddle__RegionProof *proofs[1] = { &proof };
	const ProtobufCMessage *body = NULL;

	region.name = (char *)"ram";
	prepare.guest = prepare.dest_name = (char *)"db1";
	prepare.uuid = (char *)"c7a5fdbd-edaf-9455-926a-d65c16db1809";
	prepare.live = (char *)"{\n\t\"name\": \"db1\"\n}\n";
	prepare.regions = regions;
	prepare.n_regions = 1;
	prepared.token = (ProtobufCBinaryData){ .len = 32, .data = token };
	recovered.token = prepared.token;
	supersede.migration = (ProtobufCBinaryData){ .len = 16, .data = id };
	keep.bitmap = (ProtobufCBinaryData){ .len = 32, .data = token };
	state.data = (ProtobufCBinaryData){ .len = 32, .data = token };
	query.migration = (ProtobufCBinaryData){ .len = 16, .data = id };
	answer.kind = STRADDLE__ANSWER_KIND__RAN;
	answer.reason = failed.reason = (char *)"kein Platz f\xc3\xbcr 12 TiB";
	progress.has_faults = 1;
	/* every field of text, bytes or messages, so that each needs its rule */
	finish.persistent = prepare.live;
	cancel.reason = broken.reason = prepared.host = failed.reason;
	prepare.has_cookie = prepared.has_cookie = finish.has_cookie = answer.has_cookie =
		confirmed.has_cookie = 1;
	prepare.cookie = prepared.cookie = finish.cookie = answer.cookie = confirmed.cookie =
		query.migration;
	answer.proof = proofs;
	answer.n_proof = 1;
	switch (type) {
	case MSG_PREPARE:	body = &prepare.base; break;
	case MSG_PREPARED:	body = &prepared.base; break;
	case MSG_BARRIER:	body = &barrier.base; break;
	case MSG_STALE:
	case MSG_PRESENT:
	case MSG_KEEP:		body = &keep.base; break;
	case MSG_RECOVER:	body = &recover.base; break;
	case MSG_RECOVERED:	body = &recovered.base; break;
	case MSG_SUPERSEDE:	body = &supersede.base; break;
	case MSG_BROKEN:	body = &broken.base; break;
	case MSG_STATE:		body = &state.base; break;
	case MSG_FINISH:	body = &finish.base; break;
	case MSG_ANSWER:	body = &answer.base; break;
	case MSG_QUERY:		body = &query.base; break;
	case MSG_CANCEL:	body = &cancel.base; break;
	case MSG_CONFIRMED:	body = &confirmed.base; break;
	case MSG_FAILED:	body = &failed.base; break;
	case MSG_PROGRESS:	body = &progress.base; break;
	case MSG_PING:		return 0;
	}
	return protobuf_c_message_pack(body, bytes);
}

static void raw_send(int fd, uint32_t type, uint32_t length,
		     const void *bytes, size_t size)
{
	struct message_header header = { htole32(type), htole32(length), 0 };

	if (size == length)
		header.check = htole64(message_checksum(type, length, bytes));
	ASSERT_EQ(sizeof(header), send(fd, &header, sizeof(header), MSG_NOSIGNAL));
	if (size)
		ASSERT_EQ((ssize_t)size, send(fd, bytes, size, MSG_NOSIGNAL));
}

/* Send raw bytes to a receiver of its own; what it answers. */
static int wire_try(enum side sender, enum phase phase, uint32_t type,
		    uint32_t length, const void *bytes, size_t size,
		    struct fail *fail)
{
	struct message message = { .body = NULL };
	struct channel *channel = NULL;
	int fds[2], ret;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, channel_wrap(fds[0], &channel));
	raw_send(fds[1], type, length, bytes, size);
	close(fds[1]);
	fail->err = 0;
	fail->text[0] = 0;
	ret = message_receive(channel, sender, phase, WAIT_MS, &message, fail);
	if (!ret)
		EXPECT_EQ((int)type, message.type);
	message_fini(&message);
	channel_close(channel);
	return ret;
}

/* One cell: legal, one byte too long, and cut in the middle. */
static void cell_walk(const struct message_rule *rule, enum side sender,
		      enum phase phase)
{
	bool legal = rule->senders & 1u << sender && rule->phases & PHASE_BIT(phase);
	uint8_t bytes[4096];
	size_t size = body_make(rule->type, bytes);
	struct fail fail;

	EXPECT_EQ(legal ? 0 : -EPROTO, wire_try(sender, phase, rule->type, (uint32_t)size, bytes,
						size, &fail)) {
		TH_LOG("%s from %s in %s: %s", rule->name, side_name(sender),
		       phase_name(phase), fail.text);
	}
	EXPECT_EQ(!legal, fail.text[0] != 0);
	/* too long: refused by its header, not a byte of body is there */
	EXPECT_EQ(-EPROTO, wire_try(sender, phase, rule->type, rule->limit + 1, NULL, 0, &fail));
	EXPECT_TRUE(strstr(fail.text, rule->name));
	EXPECT_EQ(-EPROTO, wire_try(sender, phase, rule->type, UINT32_MAX, NULL, 0, &fail));
	if (size)
		EXPECT_EQ(legal ? -EPIPE : -EPROTO, wire_try(sender, phase, rule->type,
							     (uint32_t)size, bytes, size - 1,
							     &fail));
}

TEST(every_cell_of_the_table_holds)
{
	int sender, phase;
	size_t i;

	for (i = 0; i < message_table_count; i++)
		for (sender = SIDE_SOURCE; sender <= SIDE_DEST; sender++)
			for (phase = 0; phase < PHASE_COUNT; phase++)
				cell_walk(&message_table[i], sender, phase);
}

TEST(numbers_without_a_row_are_refused)
{
	static const uint32_t numbers[] = { 0, 254, 255, 0x01000000, UINT32_MAX };
	struct fail fail;
	size_t i;
	int phase;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		for (phase = 0; phase < PHASE_COUNT; phase++)
			EXPECT_EQ(-EPROTO, wire_try(SIDE_SOURCE, phase, numbers[i], 0, NULL, 0,
						    &fail));
	EXPECT_TRUE(strstr(fail.text, "unknown number 4294967295"));
	EXPECT_EQ(-EPROTO, wire_try(SIDE_SOURCE, PHASE_COUNT, MSG_PING, 0, NULL, 0, &fail));
}

TEST(the_table_is_whole)
{
	size_t i, j;

	for (i = 0; i < message_table_count; i++) {
		const struct message_rule *rule = &message_table[i];

		EXPECT_NE(0, rule->type);
		EXPECT_TRUE(rule->name && rule->purpose && rule->senders && rule->phases);
		EXPECT_EQ(!rule->body, rule->limit == 0);
		EXPECT_EQ(rule, message_rule(rule->type));
		for (j = 0; j < i; j++) {
			EXPECT_NE(message_table[j].type, rule->type);
			EXPECT_STRNE(message_table[j].name, rule->name);
		}
	}
}

TEST_F(wire, what_is_sent_is_received)
{
	Straddle__Failed sent = STRADDLE__FAILED__INIT, *got;
	struct message message = { .body = NULL };
	struct channel *peer = NULL;
	struct fail fail = { .err = 0 };

	ASSERT_EQ(0, channel_wrap(self->peer, &peer));
	self->peer = -1;
	sent.reason = (char *)"too little memory";
	ASSERT_EQ(0, message_send(peer, MSG_FAILED, &sent.base, &fail));
	ASSERT_EQ(0, message_send(peer, MSG_PING, NULL, &fail));
	ASSERT_EQ(0, message_receive(self->channel, SIDE_DEST, PHASE_PREPARE, WAIT_MS, &message,
				     &fail));
	ASSERT_EQ(MSG_FAILED, message.type);
	got = (Straddle__Failed *)message.body;
	EXPECT_STREQ("too little memory", got->reason);
	message_fini(&message);
	ASSERT_EQ(0, message_receive(self->channel, SIDE_DEST, PHASE_PREPARE, WAIT_MS, &message,
				     &fail));
	EXPECT_EQ(MSG_PING, message.type);
	EXPECT_NULL(message.body);
	channel_close(peer);
}

TEST_F(wire, too_long_is_not_sent)
{
	Straddle__Failed sent = STRADDLE__FAILED__INIT;
	struct fail fail = { .err = 0 };
	__cleanup_free char *reason = malloc(20001);
	char byte;

	memset(reason, 'x', 20000);
	reason[20000] = 0;
	sent.reason = reason;
	EXPECT_EQ(-EMSGSIZE, message_send(self->channel, MSG_FAILED, &sent.base, &fail));
	EXPECT_TRUE(strstr(fail.text, "FAILED"));
	EXPECT_EQ(-1, recv(self->peer, &byte, 1, MSG_DONTWAIT));
}

TEST_F(wire, a_silent_peer_can_be_waited_for_again)
{
	struct message message = { .body = NULL };
	struct fail fail = { .err = 0 };

	EXPECT_EQ(-ETIMEDOUT, message_receive(self->channel, SIDE_DEST, PHASE_FINISH, 20,
					      &message, &fail));
	EXPECT_TRUE(strstr(fail.text, "in time"));
	raw_send(self->peer, MSG_PING, 0, NULL, 0);
	EXPECT_EQ(0, message_receive(self->channel, SIDE_DEST, PHASE_FINISH, WAIT_MS, &message,
				     NULL));
}

/* Out of step for good: this must not look like silence. */
TEST_F(wire, half_a_message_is_bounded_and_an_error)
{
	struct message message = { .body = NULL };
	struct fail fail = { .err = 0 };

	raw_send(self->peer, MSG_FAILED, 100, "half", 4);
	EXPECT_EQ(-EPROTO, message_receive(self->channel, SIDE_DEST, PHASE_PREPARE, -1, &message,
					   &fail));
	EXPECT_TRUE(strstr(fail.text, "did not send the rest"));
}

TEST_F(wire, a_closed_peer_is_end_of_file)
{
	struct message message = { .body = NULL };

	close(self->peer);
	self->peer = -1;
	EXPECT_EQ(-EPIPE, message_receive(self->channel, SIDE_DEST, PHASE_PREPARE, -1, &message,
					  NULL));
}

/* ---- what fields may hold ------------------------------------------------ */

struct text_case {
	const char *text;
	int ret;
};

TEST(shown_text_is_clean)
{
	static const struct text_case cases[] = {
		{ "plain", 0 }, { "f\xc3\xbcr", 0 }, { "\xe2\x82\xac", 0 },
		{ "\xf0\x9f\x90\xa7", 0 }, { "", 0 },
		{ "a\nb", -EPROTO }, { "a\tb", -EPROTO }, { "a\rb", -EPROTO },
		{ "\x1b[2J", -EPROTO }, { "\x07", -EPROTO }, { "\x7f", -EPROTO },
		{ "\xc2\x9b" "2J", -EPROTO },		/* C1 control */
		{ "\xff", -EPROTO }, { "\xc3", -EPROTO }, { "\x80", -EPROTO },
		{ "\xc0\xaf", -EPROTO },		/* overlong */
		{ "\xe0\x80\xaf", -EPROTO }, { "\xed\xa0\x80", -EPROTO },
		{ "\xf4\x90\x80\x80", -EPROTO },	/* past the last */
		{ "\xe2\x80\xae" "gnp.exe", -EPROTO },	/* turns the line around */
	};
	Straddle__Failed failed = STRADDLE__FAILED__INIT;
	uint8_t bytes[256];
	struct fail fail;
	size_t i, size;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		failed.reason = (char *)cases[i].text;
		size = straddle__failed__pack(&failed, bytes);
		EXPECT_EQ(cases[i].ret, wire_try(SIDE_DEST, PHASE_PREPARE, MSG_FAILED,
						 (uint32_t)size, bytes, size, &fail)) {
			TH_LOG("case %zu", i);
		}
	}
}

static int prepare_try(const Straddle__Prepare *prepare, struct fail *fail)
{
	size_t size = straddle__prepare__get_packed_size(prepare);
	__cleanup_free uint8_t *bytes = malloc(size);

	straddle__prepare__pack(prepare, bytes);
	return wire_try(SIDE_SOURCE, PHASE_PREPARE, MSG_PREPARE, (uint32_t)size, bytes, size,
			fail);
}

TEST(fields_are_bounded)
{
	Straddle__Prepare prepare = STRADDLE__PREPARE__INIT;
	Straddle__Region region = STRADDLE__REGION__INIT;
	Straddle__Region *regions[GUEST_REGIONS_MAX + 1];
	char name[GUEST_NAME_MAX + 1];
	struct fail fail;
	size_t i;

	memset(name, 'n', sizeof(name));
	name[GUEST_NAME_MAX - 1] = 0;
	region.name = (char *)"ram";
	for (i = 0; i <= GUEST_REGIONS_MAX; i++)
		regions[i] = &region;
	prepare.guest = name;
	prepare.dest_name = (char *)"db1";
	prepare.uuid = (char *)"u";
	prepare.live = (char *)"{\n}";
	prepare.regions = regions;
	prepare.n_regions = GUEST_REGIONS_MAX;
	EXPECT_EQ(0, prepare_try(&prepare, &fail)) {
		TH_LOG("%s", fail.text);
	}
	prepare.n_regions++;
	EXPECT_EQ(-EPROTO, prepare_try(&prepare, &fail));
	EXPECT_TRUE(strstr(fail.text, "regions of Prepare has length 65"));
	prepare.n_regions = 0;
	name[GUEST_NAME_MAX - 1] = 'n';
	name[GUEST_NAME_MAX] = 0;
	EXPECT_EQ(-EPROTO, prepare_try(&prepare, &fail));
	EXPECT_TRUE(strstr(fail.text, "guest of Prepare"));
	name[0] = 0;
	EXPECT_EQ(-EPROTO, prepare_try(&prepare, &fail));
	prepare.guest = (char *)"db1";
	region.name = (char *)"a\x1b";
	prepare.n_regions = 1;
	EXPECT_EQ(-EPROTO, prepare_try(&prepare, &fail));
	EXPECT_TRUE(strstr(fail.text, "name of Region"));
}

/* protobuf-c takes any: an answer of another kind would be taken for RAN. */
TEST(choice_that_there_is_not_is_refused)
{
	Straddle__Answer answer = STRADDLE__ANSWER__INIT;
	const struct message_rule *rule = message_rule(MSG_ANSWER);
	ProtobufCMessage *body = NULL;
	uint8_t bytes[64];
	int kind;

	for (kind = -1; kind <= 7; kind++) {
		answer.kind = (Straddle__AnswerKind)kind;
		EXPECT_EQ(kind >= 1 && kind <= 5 ? 0 : -EPROTO,
			  codec_decode(rule, bytes, straddle__answer__pack(&answer, bytes),
				       &body, NULL)) {
			TH_LOG("kind %d", kind);
		}
		codec_free(body);
		body = NULL;
	}
}

/* A new field of a later version is skipped; required ones must be there. */
TEST(unknown_fields_are_skipped_and_missing_ones_refused)
{
	static const uint8_t more[] = { 0x0a, 1, 'x', 0xfa, 0x3f, 2, 'n', 'w' };
	struct fail fail;

	EXPECT_EQ(0, wire_try(SIDE_DEST, PHASE_PREPARE, MSG_FAILED, sizeof(more), more,
			      sizeof(more), &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_EQ(-EPROTO, wire_try(SIDE_DEST, PHASE_PREPARE, MSG_FAILED, 0, NULL, 0, &fail));
	EXPECT_EQ(-EPROTO, wire_try(SIDE_DEST, PHASE_PREPARE, MSG_FAILED, sizeof(more) - 3,
				    more + 3, sizeof(more) - 3, &fail));
}

TEST_HARNESS_MAIN
