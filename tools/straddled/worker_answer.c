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
	case STATE_SUPERSEDED:
	case STATE_POISONED:
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

/**
 * worker_peer_of() - whose a row is
 * @row: of the journal, as the agent gives it
 * @digest: receives 32 bytes; what is none in the row is nobody's
 */
void worker_peer_of(struct json_object *row, uint8_t *digest)
{
	const char *text = json_text(row, "peer_digest");
	unsigned int i;

	memset(digest, 0xff, 32);
	if (!text || strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
		return;
	for (i = 0; i < 32; i++)
		sscanf(text + 2 * i, "%2hhx", &digest[i]);
}

/* Only the peer that the row was made with may ask for it. */
static int peer_check(const struct channel *channel, struct json_object *row)
{
	uint8_t recorded[32];

	worker_peer_of(row, recorded);
	return channel_is_peer(channel, recorded) ? 0 : -EACCES;
}

static bool is_poisoned(struct json_object *row)
{
	const char *state = row ? json_text(row, "state") : NULL;

	return state && owner_state_named(state) == STATE_POISONED;
}

/* The source has torn down, and that is written. */
static bool is_confirmed(struct json_object *row)
{
	struct json_object *confirmed;

	return row && json_object_object_get_ex(row, "acknowledged", &confirmed) &&
	       json_object_get_boolean(confirmed);
}

static int answer(struct channel *channel, struct json_object *row,
		  Straddle__AnswerKind kind, bool confirmed,
		  struct inject *inject, struct fail *fail)
{
	Straddle__RegionProof regions[REGIONS_MAX];
	Straddle__RegionProof *list[REGIONS_MAX];
	Straddle__Answer said = STRADDLE__ANSWER__INIT;

	said.kind = kind;
	said.has_poisoned = said.poisoned = is_poisoned(row);
	said.has_confirmed = said.confirmed = confirmed;
	if (row)
		said.reason = (char *)json_text(row, "error");
	if (kind == STRADDLE__ANSWER_KIND__COMPLETE) {
		said.n_proof = proof_parse(json_text(row, "proof"), regions,
					   list);
		said.proof = list;
	}
	return inject_message(inject, PHASE_CONFIRM, channel, MSG_ANSWER, &said.base, fail);
}

/* Until the source has confirmed it the answer stays the same. */
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
static int journal_done(struct inject *inject, struct fail *fail)
{
	struct inject_plan plan;
	enum owner_state now;
	int ret;

	inject_move(inject, STATE_DONE, &plan);
	ret = worker_port_ops.move(NULL, STATE_DONE, &now, fail);
	inject_after(&plan);

	if (ret && ret != -ESTALE)
		return ret;
	return worker_port_ops.acknowledge(NULL, fail);
}

/* The source tells it again, and again, until it has heard that it is written. */
static int done_when_confirmed(struct channel *channel, struct json_object *row,
			       Straddle__AnswerKind kind, struct inject *inject,
			       struct fail *fail)
{
	int ret = confirmed_wait(channel, fail);

	if (!ret)
		ret = journal_done(inject, fail);
	return ret ? ret : answer(channel, row, kind, true, inject, fail);
}

/* Whose end the source has confirmed is not its to take back. */
static bool is_newer(struct json_object *row, uint64_t epoch)
{
	struct json_object *ours;

	if (is_confirmed(row))
		return false;
	return json_object_object_get_ex(row, "epoch", &ours) &&
	       epoch == json_object_get_uint64(ours) + 1;
}

/*
 * The source's operator took the guest back. That is written; whoever goes on with
 * the row stops the copy, and answers when it is asked again.
 */
static int supersede(struct json_object *row, const Straddle__Supersede *said,
		     Straddle__AnswerKind kind, struct fail *fail)
{
	enum owner_state now;
	int ret;

	if ((kind != STRADDLE__ANSWER_KIND__RAN && kind != STRADDLE__ANSWER_KIND__COMPLETE) ||
	    !is_newer(row, said->epoch))
		return 0;
	ret = worker_port_ops.move(NULL, STATE_SUPERSEDED, &now, fail);
	if (ret && (ret != -ESTALE || now != STATE_SUPERSEDED))
		return ret;
	return -EAGAIN;
}

/**
 * worker_answer() - answer one QUERY (or CANCEL) from the journal's row
 * @channel: of the asking source, authenticated
 * @job: "row": the row, or null: no such migration
 * @inject: faults to inject, or NULL
 * @fail: says what went wrong
 *
 * Return: 0; -EACCES: not the peer that the row belongs to; -EAGAIN: its copy
 * is to be stopped first; or -errno.
 */
int worker_answer(struct channel *channel, struct json_object *job,
		  struct inject *inject, struct fail *fail)
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
	state = row ? json_text(row, "state") : NULL;
	if (state)
		kind = kind_of_state(owner_state_named(state));
	if (question.type == MSG_SUPERSEDE && row)
		ret = supersede(row, (Straddle__Supersede *)question.body, kind, fail);
	message_fini(&question);
	if (!ret)
		ret = answer(channel, row, kind, is_confirmed(row), inject, fail);
	if (ret || is_confirmed(row))
		return ret;
	if (kind == STRADDLE__ANSWER_KIND__COMPLETE)
		ret = done_when_confirmed(channel, row, kind, inject, fail);
	else if (is_poisoned(row))	/* its operator decides when */
		(void)done_when_confirmed(channel, row, kind, inject, fail);
	return ret;
}
