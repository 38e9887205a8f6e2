/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * message_table.c - which message is legal when, from whom, how long.
 *
 * Documentation/message-table.rst is made from this table.
 */
#include "fail.h"
#include "protocol/message.h"
#include "sys.h"

#define KIB		(1u << 10)
#define MIB		(1u << 20)

#define FROM_SOURCE	(1u << SIDE_SOURCE)
#define FROM_DEST	(1u << SIDE_DEST)
#define ANY_PHASE	((1u << PHASE_COUNT) - 1)

const struct message_rule message_table[] = {
	{
		.type = MSG_PREPARE,
		.name = "PREPARE",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PREPARE),
		.limit = 4 * MIB,
		.body = &straddle__prepare__descriptor,
		.purpose = "what the guest is: live definition, regions, lanes",
	}, {
		.type = MSG_PREPARED,
		.name = "PREPARED",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_PREPARE),
		.limit = 128 * KIB,
		.body = &straddle__prepared__descriptor,
		.purpose = "the guest waits at the dest; token for the lanes",
	}, {
		.type = MSG_BARRIER,
		.name = "BARRIER",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_PERFORM),
		.limit = 64,
		.body = &straddle__barrier__descriptor,
		.purpose = "every push lane has passed this generation, or STALE is dealt with",
	}, {
		.type = MSG_KEEP,
		.name = "KEEP",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PERFORM),
		.limit = 2 * MIB,
		.body = &straddle__page_set__descriptor,
		.purpose = "part of the bitmap of pages that the dest may keep",
	}, {
		.type = MSG_STATE,
		.name = "STATE",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PERFORM),
		.limit = 2 * MIB,
		.body = &straddle__state__descriptor,
		.purpose = "part of the device state",
	}, {
		.type = MSG_FINISH,
		.name = "FINISH",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_FINISH),
		.limit = 2 * MIB,
		.body = &straddle__finish__descriptor,
		.purpose = "everything is sent: own the guest, or promise that it never ran",
	}, {
		.type = MSG_ANSWER,
		.name = "ANSWER",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 128 * KIB,
		.body = &straddle__answer__descriptor,
		.purpose = "NEVER_RAN, RAN, COMPLETE, DIED or UNKNOWN",
	}, {
		.type = MSG_QUERY,
		.name = "QUERY",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PREPARE) | PHASE_BIT(PHASE_FINISH) |
			  PHASE_BIT(PHASE_CONFIRM),
		.limit = 64,
		.body = &straddle__query__descriptor,
		.purpose = "what became of it; also the first message of a new connection",
	}, {
		.type = MSG_CANCEL,
		.name = "CANCEL",
		.senders = FROM_SOURCE,
		.phases = ANY_PHASE & ~PHASE_BIT(PHASE_BEGIN),
		.limit = 4 * KIB,
		.body = &straddle__cancel__descriptor,
		.purpose = "give up, unless the dest owns the guest already",
	}, {
		.type = MSG_CONFIRMED,
		.name = "CONFIRMED",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_CONFIRM),
		.limit = 128 * KIB,
		.body = &straddle__confirmed__descriptor,
		.purpose = "the source has torn its guest down",
	}, {
		.type = MSG_FAILED,
		.name = "FAILED",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_PREPARE) | PHASE_BIT(PHASE_PERFORM),
		.limit = 16 * KIB,
		.body = &straddle__failed__descriptor,
		.purpose = "the dest cannot take the guest, and left nothing behind",
	}, {
		.type = MSG_PROGRESS,
		.name = "PROGRESS",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 256,
		.body = &straddle__progress__descriptor,
		.purpose = "pages missing and fault latencies, about once a second",
	}, {
		.type = MSG_PING,
		.name = "PING",
		.senders = FROM_SOURCE | FROM_DEST,
		.phases = ANY_PHASE,
		.limit = 0,
		.body = NULL,
		.purpose = "the sender is alive",
	}, {
		.type = MSG_STALE,
		.name = "STALE",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PERFORM),
		.limit = 2 * MIB,
		.body = &straddle__page_set__descriptor,
		.purpose = "part of the bitmap of pages that were written since they were sent",
	}, {
		.type = MSG_RECOVER,
		.name = "RECOVER",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 64,
		.body = &straddle__recover__descriptor,
		.purpose = "the lanes broke: which pages are there, and what opens new ones",
	}, {
		.type = MSG_PRESENT,
		.name = "PRESENT",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 2 * MIB,
		.body = &straddle__page_set__descriptor,
		.purpose = "part of the bitmap of pages that the dest has",
	}, {
		.type = MSG_RECOVERED,
		.name = "RECOVERED",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 256,
		.body = &straddle__recovered__descriptor,
		.purpose = "all pages were named; token and generation of new lanes",
	}, {
		.type = MSG_BROKEN,
		.name = "BROKEN",
		.senders = FROM_DEST,
		.phases = PHASE_BIT(PHASE_FINISH) | PHASE_BIT(PHASE_CONFIRM),
		.limit = 4 * KIB,
		.body = &straddle__broken__descriptor,
		.purpose = "pages cannot arrive on these lanes: recover",
	}, {
		.type = MSG_SUPERSEDE,
		.name = "SUPERSEDE",
		.senders = FROM_SOURCE,
		.phases = PHASE_BIT(PHASE_PREPARE) | PHASE_BIT(PHASE_FINISH) |
			  PHASE_BIT(PHASE_CONFIRM),
		.limit = 64,
		.body = &straddle__supersede__descriptor,
		.purpose = "an operator took the guest back: stop it, say what it was",
	},
};

const size_t message_table_count = sizeof(message_table) / sizeof(message_table[0]);

/**
 * message_rule() - the row of a message
 * @type: its number, from whomever
 *
 * Return: the row, or NULL: no such message.
 */
const struct message_rule *message_rule(uint32_t type)
{
	size_t i;

	for (i = 0; i < message_table_count; i++)
		if (message_table[i].type == type)
			return &message_table[i];
	return NULL;
}

/**
 * phase_name() - a phase in words
 * @phase: which
 *
 * Return: "Begin", ... or "no phase".
 */
const char *phase_name(enum phase phase)
{
	static const char *const names[PHASE_COUNT] = {
		[PHASE_BEGIN] = "Begin",
		[PHASE_PREPARE] = "Prepare",
		[PHASE_PERFORM] = "Perform",
		[PHASE_FINISH] = "Finish",
		[PHASE_CONFIRM] = "Confirm",
	};

	return (unsigned int)phase < PHASE_COUNT ? names[phase] : "no phase";
}

/**
 * side_name() - a side in words
 * @side: which
 *
 * Return: "source" or "dest".
 */
const char *side_name(enum side side)
{
	return side == SIDE_SOURCE ? "source" : "dest";
}

/**
 * message_check() - may this message come now, from there, so long?
 * @header: in host byte order
 * @sender: the side that sent it
 * @phase: the receiver's phase
 * @fail: says what is wrong
 *
 * Return: 0 or -EPROTO.
 */
int message_check(const struct message_header *header, enum side sender,
		  enum phase phase, struct fail *fail)
{
	const struct message_rule *rule = message_rule(header->type);

	if (!rule)
		return fail_set(fail, -EPROTO, "the %s sent a message of unknown number %u",
				side_name(sender), header->type);
	if (!(rule->senders & 1u << sender))
		return fail_set(fail, -EPROTO, "the %s sent %s, which only the %s may send",
				side_name(sender), rule->name, side_name(!sender));
	if ((unsigned int)phase >= PHASE_COUNT || !(rule->phases & PHASE_BIT(phase)))
		return fail_set(fail, -EPROTO, "the %s sent %s in phase %s, where it is not legal",
				side_name(sender), rule->name, phase_name(phase));
	if (header->length > rule->limit)
		return fail_set(fail, -EPROTO, "the %s sent %s with %u bytes; %u are the limit",
				side_name(sender), rule->name, header->length, rule->limit);
	return 0;
}
