/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message.c - send and receive control messages. */
#include <assert.h>
#include <endian.h>
#include <string.h>
#include <xxhash.h>

#include "cleanup.h"
#include "protocol/channel.h"
#include "protocol/codec.h"
#include "protocol/deadline.h"
#include "protocol/tls.h"

#define SEND_MS		10000	/* nothing moves for so long: the peer is gone */
#define REST_MS		10000	/* from a message's first byte to its last */
#define GROW_FIRST	65536	/* bytes allocated before any has arrived */

static_assert(sizeof(struct message_header) == 16, "wire format");

/**
 * message_fini() - free what a message holds
 * @message: received, or zeroed
 */
void message_fini(struct message *message)
{
	codec_free(message->body);
	message->body = NULL;
}

/**
 * message_checksum() - what a header says of its message, so that a bit counts
 * @type: of the header
 * @length: of the header
 * @body: @length bytes
 *
 * Against faults of networks and memory; forgery is for TLS.
 *
 * Return: 64 bits.
 */
uint64_t message_checksum(uint32_t type, uint32_t length, const void *body)
{
	return XXH3_64bits_withSeed(body, length, (uint64_t)type << 32 | length);
}

/**
 * message_encode() - a control message as it travels
 * @channel: where it is to go
 * @type: its number
 * @body: of the type that the table says, or NULL where it says none
 * @bytes: receives header and body, the caller's to free
 * @size: receives how many
 * @fail: says why not
 *
 * Return: 0, -EMSGSIZE (more than the peer would take) or -ENOMEM.
 */
int message_encode(struct channel *channel, enum message_type type,
		   const ProtobufCMessage *body, uint8_t **bytes, size_t *size,
		   struct fail *fail)
{
	const struct message_rule *rule = message_rule(type);
	size_t length = body ? protobuf_c_message_get_packed_size(body) : 0;
	struct message_header header = {
		.type = htole32((uint32_t)type),
		.length = htole32((uint32_t)length),
	};
	uint8_t *packed;

	assert(rule && rule->body == (body ? body->descriptor : NULL));
	if (length > rule->limit)
		return fail_set(fail, -EMSGSIZE, "a %s of %zu bytes cannot be sent to %s: %u are "
				"the limit", rule->name, length, channel_peer_name(channel),
				rule->limit);
	packed = malloc(sizeof(header) + length);
	if (!packed)
		return fail_set(fail, -ENOMEM, "no memory for a message of %zu bytes", length);
	if (body)
		protobuf_c_message_pack(body, packed + sizeof(header));
	header.check = htole64(message_checksum((uint32_t)type, (uint32_t)length,
						packed + sizeof(header)));
	memcpy(packed, &header, sizeof(header));
	*bytes = packed;
	*size = sizeof(header) + length;
	return 0;
}

/**
 * message_put() - send what message_encode() gave, or a part of it
 * @channel: where to
 * @bytes: as they travel
 * @size: how many
 *
 * The caller holds the channel's lock for all of a message.
 *
 * Return: 0 or -errno of the channel, which is then of no use.
 */
int message_put(struct channel *channel, const uint8_t *bytes, size_t size)
{
	return channel_send(channel, bytes, size, SEND_MS);
}

/**
 * message_unsent() - say that a message could not be sent
 * @channel: where to
 * @type: its number
 * @err: -errno of the channel
 * @fail: receives it in words
 *
 * Return: @err.
 */
int message_unsent(struct channel *channel, enum message_type type, int err,
		   struct fail *fail)
{
	return fail_set(fail, err, "cannot send %s to %s: %s", message_rule(type)->name,
			channel_peer_name(channel), strerror(-err));
}

/**
 * message_send() - send a control message
 * @channel: where to
 * @type: its number
 * @body: of the type that the table says, or NULL where it says none
 * @fail: says why not
 *
 * Any thread may: one message at a time leaves.
 *
 * Return: 0, -EMSGSIZE (more than the peer would take; nothing was sent) or
 * -errno of the channel, which is then of no use.
 */
int message_send(struct channel *channel, enum message_type type,
		 const ProtobufCMessage *body, struct fail *fail)
{
	__cleanup_free uint8_t *bytes = NULL;
	size_t size;
	int ret = message_encode(channel, type, body, &bytes, &size, fail);

	if (ret)
		return ret;
	pthread_mutex_lock(&channel->sending);
	ret = message_put(channel, bytes, size);
	pthread_mutex_unlock(&channel->sending);
	return ret ? message_unsent(channel, type, ret, fail) : 0;
}

/* As channel_receive(), but limited in all and not by what moves. */
static int bytes_receive(struct channel *channel, void *buf, size_t size,
			 uint64_t deadline)
{
	size_t done = 0;
	ssize_t got;
	int ret;

	while (done < size) {
		got = channel_receive_some(channel, (char *)buf + done, size - done);
		if (!got)
			return -EPIPE;
		if (got > 0) {
			done += (size_t)got;
			continue;
		}
		if (got != -EAGAIN)
			return (int)got;
		ret = sys_wait_fd(channel_fd(channel), POLLIN, deadline_left_ms(deadline));
		if (ret)
			return ret;
	}
	return 0;
}

/* A peer that stops inside a message is out of step: no -ETIMEDOUT, retry. */
static int rest_receive(struct channel *channel, void *buf, size_t size,
			uint64_t deadline)
{
	int ret = bytes_receive(channel, buf, size, deadline);

	return ret == -ETIMEDOUT ? -EPROTO : ret;
}

static int header_receive(struct channel *channel, int timeout_ms,
			  struct message_header *header, uint64_t *deadline)
{
	int ret;

	ret = bytes_receive(channel, header, 1, deadline_after(timeout_ms));
	if (ret)
		return ret;
	*deadline = deadline_after(REST_MS);
	ret = rest_receive(channel, (char *)header + 1, sizeof(*header) - 1, *deadline);
	header->type = le32toh(header->type);
	header->length = le32toh(header->length);
	header->check = le64toh(header->check);
	return ret;
}

/* Memory follows what has arrived: a promised length alone costs little. */
static int body_receive(struct channel *channel, size_t size,
			uint64_t deadline, uint8_t **bytes)
{
	__cleanup_free uint8_t *buf = NULL;
	size_t done = 0, room = 0;
	int ret;

	while (done < size) {
		uint8_t *grown;

		room = room ? 2 * room : GROW_FIRST;
		if (room > size)
			room = size;
		grown = realloc(buf, room);
		if (!grown)
			return -ENOMEM;
		buf = grown;
		ret = rest_receive(channel, buf + done, room - done, deadline);
		if (ret)
			return ret;
		done = room;
	}
	*bytes = take_ptr(buf);
	return 0;
}

static int receive_explain(struct channel *channel, int err, const char *what,
			   struct fail *fail)
{
	const char *name = channel_peer_name(channel);

	switch (err) {
	case -ETIMEDOUT:
		return fail_set(fail, err, "%s sent no %s in time: is it alive, and the link up?",
				name, what);
	case -EPROTO:
		return fail_set(fail, err, "%s began a %s and did not send the rest of it within "
				"%d s, or it broke TLS", name, what, REST_MS / 1000);
	case -EPIPE:
		return fail_set(fail, err, "%s closed the connection: its log says why", name);
	default:
		return fail_set(fail, err, "cannot receive %s from %s: %s", what, name,
				strerror(-err));
	}
}

static int body_decode(const struct message_rule *rule, const uint8_t *bytes,
		       size_t size, struct message *message, struct fail *fail)
{
	ProtobufCMessage *body = NULL;
	int ret = 0;

	if (rule->body)
		ret = codec_decode(rule, bytes, size, &body, fail);
	if (ret)
		return ret;
	message->type = rule->type;
	message->body = body;
	return 0;
}

/**
 * message_receive() - receive a control message
 * @channel: where from
 * @sender: the peer's side
 * @phase: this side's phase
 * @timeout_ms: limit for the first byte (-1: none); the rest has REST_MS
 * @message: receives it; message_fini() frees it; unchanged on error
 * @fail: says why not
 *
 * Return: 0; -ETIMEDOUT, -EPIPE (end of file), -EPROTO (not legal or
 * malformed, or it stopped inside), -ENOMEM or another -errno. After -ETIMEDOUT
 * nothing was received and the channel may be used on; after any other error
 * it may not.
 */
int message_receive(struct channel *channel, enum side sender,
		    enum phase phase, int timeout_ms, struct message *message,
		    struct fail *fail)
{
	__cleanup_free uint8_t *bytes = NULL;
	const struct message_rule *rule;
	struct message_header header;
	uint64_t deadline;
	int ret;

	ret = header_receive(channel, timeout_ms, &header, &deadline);
	if (ret)
		return receive_explain(channel, ret, "message", fail);
	ret = message_check(&header, sender, phase, fail);
	if (ret)
		return ret;
	rule = message_rule(header.type);
	ret = body_receive(channel, header.length, deadline, &bytes);
	if (ret)
		return receive_explain(channel, ret, rule->name, fail);
	if (message_checksum(header.type, header.length, bytes) != header.check)
		return fail_set(fail, -EPROTO, "%s of %s did not arrive as it was sent: is the "
				"network or a host's memory faulty?", rule->name,
				channel_peer_name(channel));
	return body_decode(rule, bytes, header.length, message, fail);
}
