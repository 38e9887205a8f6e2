// SPDX-License-Identifier: LGPL-2.1-or-later
/* worker_answer.c - a QUERY for a migration whose worker is gone. */
#include "tools/straddled/worker_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "protocol/protocol.h"
#include "tools/lib/jsonline.h"
#include "tools/straddled/worker_port.h"

#define QUERY_TIMEOUT_MS	10000
#define CONFIRMED_TIMEOUT_MS	30000

/* Which answer a state of the dest's row stands for. */
static Straddle__AnswerKind kind_of_state(enum owner_state state)
{
	switch (state) {
	case STATE_DISCARDED:
		return STRADDLE__ANSWER_KIND__NEVER_RAN;
	case STATE_GO:
	case STATE_RUNNING:
		return STRADDLE__ANSWER_KIND__RAN;
	case STATE_COMPLETE:
	case STATE_DONE:
		return STRADDLE__ANSWER_KIND__COMPLETE;
	case STATE_DIED:
		return STRADDLE__ANSWER_KIND__DIED;
	default:
		/* Not decided yet: that is silence, so it is asked again. */
		return STRADDLE__ANSWER_KIND__UNKNOWN;
	}
}

/* The lines that confirm.c stored: region, pages, two halves of the sum. */
static size_t proof_parse(const char *text, Straddle__RegionProof *regions,
			  Straddle__RegionProof **list)
{
	size_t count = 0;
	int used;

	while (text && count < REGIONS_MAX) {
		Straddle__RegionProof *one = &regions[count];

		straddle__region_proof__init(one);
		if (sscanf(text, "%" SCNu32 " %" SCNu64 " %" SCNx64 " %" SCNx64
			   "\n%n", &one->region, &one->pages, &one->sum_low,
			   &one->sum_high, &used) != 4)
			break;
		list[count++] = one;
		text += used;
	}
	return count;
}

/* Only the peer that the row was made with may ask for it. */
static int peer_check(const struct channel *channel, struct json_object *row)
{
	const char *recorded = json_text(row, "peer_digest");
	const uint8_t *digest = channel_peer(channel);
	char text[65];
	unsigned int i;

	for (i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return recorded && !strcmp(recorded, text) ? 0 : -EACCES;
}

static int answer(struct channel *channel, struct json_object *row,
		  Straddle__AnswerKind kind, struct fail *fail)
{
	Straddle__RegionProof regions[REGIONS_MAX];
	Straddle__RegionProof *list[REGIONS_MAX];
	Straddle__Answer said = STRADDLE__ANSWER__INIT;

	said.kind = kind;
	if (row)
		said.reason = (char *)json_text(row, "error");
	if (kind == STRADDLE__ANSWER_KIND__COMPLETE) {
		said.n_proof = proof_parse(json_text(row, "proof"), regions,
					   list);
		said.proof = list;
	}
	return message_send(channel, MSG_ANSWER, &said.base, fail);
}

/* COMPLETE is answered until the source has confirmed it. */
static int confirmed_wait(struct channel *channel, struct fail *fail)
{
	enum message_type type;

	do {
		struct message message;
		int ret = message_receive(channel, SIDE_SOURCE, PHASE_CONFIRM,
					  CONFIRMED_TIMEOUT_MS, &message,
					  fail);

		if (ret < 0)
			return ret;
		type = message.type;
		message_fini(&message);
	} while (type == MSG_PING);
	return type == MSG_CONFIRMED ? 0 : -EPROTO;
}

/* Somebody else may have heard it first: it is done all the same. */
static int journal_done(struct fail *fail)
{
	enum owner_state now;
	int ret = worker_port_ops.move(NULL, STATE_DONE, &now, fail);

	return ret == -ESTALE ? 0 : ret;
}

/**
 * worker_answer() - answer one QUERY (or CANCEL) from the journal's row
 * @channel: of the asking source, authenticated
 * @job: "row": the row, or null: no such migration
 * @fail: says what went wrong
 *
 * Return: 0; -EACCES: not the peer that the row belongs to; or -errno.
 */
int worker_answer(struct channel *channel, struct json_object *job,
		  struct fail *fail)
{
	Straddle__AnswerKind kind = STRADDLE__ANSWER_KIND__UNKNOWN;
	struct json_object *row = NULL;
	struct message question;
	const char *state;
	int ret;

	json_object_object_get_ex(job, "row", &row);
	if (row && peer_check(channel, row) < 0)
		return fail_set(fail, -EACCES,
				"%s asks for a migration that is not its own",
				channel_peer_name(channel));
	ret = message_receive(channel, SIDE_SOURCE, PHASE_CONFIRM,
			      QUERY_TIMEOUT_MS, &question, fail);
	if (ret < 0)
		return ret;
	message_fini(&question);
	state = row ? json_text(row, "state") : NULL;
	if (state)
		kind = kind_of_state(owner_state_named(state));
	ret = answer(channel, row, kind, fail);
	if (!ret && kind == STRADDLE__ANSWER_KIND__COMPLETE)
		ret = confirmed_wait(channel, fail);
	if (!ret && state && !strcmp(state, "COMPLETE"))
		ret = journal_done(fail);
	return ret;
}
