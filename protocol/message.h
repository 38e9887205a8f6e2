/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message.h - the control messages: what is legal is data.
 *
 * On the wire a message is a fixed header (struct message_header) and a
 * protobuf body from straddle.proto. message_table says for each number who
 * may send it, in which phases, and how long it may be; a message outside of
 * its row is -EPROTO before a byte of its body is read.
 */
#ifndef STRADDLE_MESSAGE_H
#define STRADDLE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fail.h"
#include "protocol/straddle.pb-c.h"

enum side { SIDE_SOURCE, SIDE_DEST };

enum phase {
	PHASE_BEGIN,
	PHASE_PREPARE,
	PHASE_PERFORM,
	PHASE_FINISH,
	PHASE_CONFIRM,
	PHASE_COUNT
};

#define PHASE_BIT(phase)	(1u << (phase))

/* Numbers are written by hand, never reused; 0 is invalid. */
enum message_type {
	MSG_PREPARE = 1,
	MSG_PREPARED = 2,
	MSG_BARRIER = 3,
	MSG_KEEP = 4,
	MSG_STATE = 5,
	MSG_FINISH = 6,
	MSG_ANSWER = 7,
	MSG_QUERY = 8,
	MSG_CANCEL = 9,
	MSG_CONFIRMED = 10,
	MSG_FAILED = 11,
	MSG_PROGRESS = 12,
	MSG_PING = 13,		/* no body; either side; answered by nothing */
	MSG_STALE = 14,
	MSG_RECOVER = 15,
	MSG_PRESENT = 16,
	MSG_RECOVERED = 17,
	MSG_BROKEN = 18,
	MSG_SUPERSEDE = 19,
};

struct message_header {		/* little-endian on the wire */
	uint32_t type;
	uint32_t length;	/* bytes of body that follow */
	uint64_t check;		/* message_checksum(): TCP's own is weak */
};

struct message_rule {
	enum message_type type;
	const char *name;	/* "PREPARE" */
	unsigned int senders;	/* bit SIDE_SOURCE, bit SIDE_DEST */
	unsigned int phases;	/* PHASE_BIT()s in which it is legal */
	uint32_t limit;		/* bytes of body */
	const ProtobufCMessageDescriptor *body;	/* NULL: none */
	const char *purpose;	/* one line, for the documentation */
};

extern const struct message_rule message_table[];
extern const size_t message_table_count;

const struct message_rule *message_rule(uint32_t type);
/* 0, or -EPROTO with the reason: unknown, wrong sender, phase or length. */
int message_check(const struct message_header *header, enum side sender,
		  enum phase phase, struct fail *fail);
uint64_t message_checksum(uint32_t type, uint32_t length, const void *body);
const char *phase_name(enum phase phase);
const char *side_name(enum side side);

/* A received message; @body is owned and of the rule's type, or NULL. */
struct message {
	enum message_type type;
	ProtobufCMessage *body;
};

void message_fini(struct message *message);

struct channel;

int message_send(struct channel *channel, enum message_type type,
		 const ProtobufCMessage *body, struct fail *fail);
/* Its steps, for who sends it otherwise: as it travels, owned; out; why not. */
int message_encode(struct channel *channel, enum message_type type,
		   const ProtobufCMessage *body, uint8_t **bytes, size_t *size,
		   struct fail *fail);
int message_put(struct channel *channel, const uint8_t *bytes, size_t size);
int message_unsent(struct channel *channel, enum message_type type, int err,
		   struct fail *fail);
/*
 * Waits up to @timeout_ms (-1: for ever) for the first byte, and bounded for
 * the rest. @sender is the peer's side. -ETIMEDOUT, -EPIPE, -EPROTO, ...
 */
int message_receive(struct channel *channel, enum side sender,
		    enum phase phase, int timeout_ms, struct message *message,
		    struct fail *fail);

#endif
