// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * answer.c - the five answers of Finish, and asking until one comes.
 *
 * No answer is not an answer: the source asks again over new connections,
 * with back-off, until an answer or an operator comes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

static void proof_said(struct migration *m, Straddle__RegionProof *regions,
		       Straddle__RegionProof **list)
{
	unsigned int i;

	for (i = 0; i < m->map.count; i++) {
		struct proof proof = states_proof(&m->dest->states, i);

		straddle__region_proof__init(&regions[i]);
		regions[i].region = i;
		regions[i].pages = proof.pages;
		regions[i].sum_low = proof.sum.low;
		regions[i].sum_high = proof.sum.high;
		list[i] = &regions[i];
	}
}

/**
 * answer_send() - dest: say what became of the guest
 * @m: finishing or later
 * @kind: the answer; the journal says the same already
 * @reason: for NEVER_RAN and DIED, or NULL
 *
 * Return: 0, or -errno: the source will ask again.
 */
int answer_send(struct migration *m, Straddle__AnswerKind kind,
		const char *reason)
{
	Straddle__RegionProof regions[REGIONS_MAX];
	Straddle__RegionProof *list[REGIONS_MAX];
	Straddle__Answer answer = STRADDLE__ANSWER__INIT;
	int ret;

	answer.kind = kind;
	answer.reason = (char *)reason;
	answer.has_epoch = true;
	/* So that who took it back knows an answer to that from an older one. */
	answer.epoch = m->epoch + (m->state == STATE_SUPERSEDED);
	if (kind == STRADDLE__ANSWER_KIND__RAN) {
		answer.has_missing_pages = true;
		answer.missing_pages = m->dest ? __atomic_load_n(&m->dest->missing,
								 __ATOMIC_RELAXED) : 0;
	}
	answer.has_confirmed = answer.confirmed = m->confirmed;
	if (kind == STRADDLE__ANSWER_KIND__COMPLETE) {
		proof_said(m, regions, list);
		answer.n_proof = m->map.count;
		answer.proof = list;
	}
	answer.has_cookie = !cookie_bake(&m->mine, &answer.cookie);
	ret = send_message(m, MSG_ANSWER, &answer.base);
	free(answer.cookie.data);
	return ret;
}

/**
 * answer_free() - free an answer that answer_wait() gave
 * @answer: NULL is fine
 */
void answer_free(Straddle__Answer *answer)
{
	if (answer)
		straddle__answer__free_unpacked(answer, NULL);
}

static void cancel_ask(struct migration *m)
{
	cancel_send(m, "aborted by the user");
	progress_decide(m, "asked to abort: the dest decides, it may run there already");
}

/* Pages cannot move for now; the guest's memory stays held. */
static void engine_look(struct migration *m)
{
	int error = source_error(m->source);

	if (error < 0)
		recover_lanes_broke(m, broken_words(error));
}

static void guest_ended(struct migration *m)
{
	if (memory_is_lost(m))
		recover_memory_lost(m);
	else
		progress_decide(m, "the held guest's process ended here: its memory is shared, "
				"and served on");
}

/* One wait. Return: 1 with an answer, 0 to go on, or -errno. */
static int answer_once(struct migration *m, Straddle__Answer **answer)
{
	struct fail ignored = { 0 };
	struct event event;
	int ret = event_wait(m, recover_patience_ms(m), &event);

	if (ret < 0)
		return ret;
	switch (event.kind) {
	case EVENT_ABORT:
		cancel_ask(m);
		return 0;
	case EVENT_ENGINE:
		engine_look(m);
		return 0;
	case EVENT_RESOLVE:
		return resolve(m);
	case EVENT_DIALLED:
		recover_dialled(m);
		return 0;
	case EVENT_GUEST_ENDED:
		guest_ended(m);
		return 0;
	case EVENT_MESSAGE:
		if (event.message.type != MSG_ANSWER) {
			recover_message(m, &event.message);
			return 0;
		}
		*answer = (Straddle__Answer *)event.message.body;
		/* A cookie that is none makes the answer no less definite. */
		cookie_eat(&m->peer, &(*answer)->cookie, &ignored);
		return 1;
	default:
		return 0;
	}
}

/* From the journal of a dest whose worker has died it comes without a number. */
static void missing_take(struct migration *m, const Straddle__Answer *ran)
{
	struct progress *progress = &m->progress;

	if (ran->has_missing_pages) {
		progress->missing_pages = ran->missing_pages;
		progress->postcopy |= ran->missing_pages != 0;
	}
	if (ran->has_missing_pages || m->state == STATE_ASKED)
		progress->missing_unknown = !ran->has_missing_pages;
}

static void ran_take(struct migration *m, const Straddle__Answer *ran)
{
	missing_take(m, ran);
	if (ran->has_poisoned && ran->poisoned)
		recover_poisoned(m);
	else
		recover_answered(m);
}

/**
 * answer_wait() - source: ask until there is an answer
 * @m: asked; with or without a working control channel
 * @answer: receives it, never UNKNOWN; answer_free() frees it
 *
 * An UNKNOWN dest has lost its journal: that is silence, so it is asked again.
 *
 * Return: 0, or -errno when there is no asking any more.
 */
int answer_wait(struct migration *m, Straddle__Answer **answer)
{
	for (;;) {
		Straddle__Answer *got;
		int ret;

		recover_tick(m);
		ret = answer_once(m, &got);
		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		if (got->kind != STRADDLE__ANSWER_KIND__UNKNOWN) {
			if (got->kind == STRADDLE__ANSWER_KIND__RAN)
				ran_take(m, got);
			*answer = got;
			return 0;
		}
		answer_free(got);
		recover_channel_broke(m, "it knows no such migration");
	}
}

static const Straddle__RegionProof *
proof_of_region(const Straddle__Answer *answer, uint32_t region)
{
	size_t i;

	for (i = 0; i < answer->n_proof; i++)
		if (answer->proof[i]->region == region)
			return answer->proof[i];
	return NULL;
}

/**
 * proof_matches() - source: is what arrived what was here?
 * @m: everything is counted
 * @answer: COMPLETE, with the dest's proof
 * @fail: receives which region differs
 *
 * Return: true when count and sum of every region are the same.
 */
bool proof_matches(const struct migration *m, const Straddle__Answer *answer,
		   struct fail *fail)
{
	unsigned int i;

	for (i = 0; i < m->map.count; i++) {
		const struct proof *mine = &m->source->regions[i].proof;
		const Straddle__RegionProof *theirs = proof_of_region(answer,
								      i);

		if (theirs && theirs->pages == mine->pages &&
		    theirs->sum_low == mine->sum.low &&
		    theirs->sum_high == mine->sum.high)
			continue;
		fail_set(fail, -EBADMSG,
			 "the proof of region %u differs (%" PRIu64
			 " pages here, %" PRIu64
			 " there): memory of guest '%s' did not arrive as it was. It is held here and nothing is torn down",
			 i, mine->pages, theirs ? theirs->pages : 0,
			 m->description.name);
		return false;
	}
	return true;
}
