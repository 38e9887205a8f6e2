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

#define CONNECT_TIMEOUT_MS	5000
#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		5000
#define NS_PER_MS		1000000ull

static void proof_said(struct migration *m, Straddle__RegionProof *regions,
		       Straddle__RegionProof **list)
{
	unsigned int i;

	for (i = 0; i < m->map.count; i++) {
		const struct proof *proof = &m->dest->proofs[i];

		straddle__region_proof__init(&regions[i]);
		regions[i].region = i;
		regions[i].pages = proof->pages;
		regions[i].sum_low = proof->sum.low;
		regions[i].sum_high = proof->sum.high;
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
	answer.epoch = m->epoch;
	if (kind == STRADDLE__ANSWER_KIND__RAN) {
		answer.has_missing_pages = true;
		answer.missing_pages = __atomic_load_n(&m->dest->missing,
						       __ATOMIC_RELAXED);
	}
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

/* A new control connection, and the question on it. */
static int ask_again(struct migration *m)
{
	Straddle__Query query = STRADDLE__QUERY__INIT;
	struct fail ignored = { 0 };
	struct preamble preamble;
	int ret;

	preamble_init(&preamble, ROLE_CONTROL, 0, m->id);
	ret = channel_connect(m->options.host, &preamble, m->credentials,
			      CONNECT_TIMEOUT_MS, &m->channel, &ignored);
	if (ret < 0)
		return ret;
	m->last_heard_ns = m->last_sent_ns = now_ns();
	query.migration.data = m->id;
	query.migration.len = sizeof(m->id);
	ret = send_message(m, MSG_QUERY, &query.base);
	if (ret < 0)
		channel_lost(m);
	memset(&m->fail, 0, sizeof(m->fail));
	return ret;
}

static void cancel_ask(struct migration *m)
{
	cancel_send(m, "aborted by the user");
	progress_decide(m, "asked to abort: the dest decides, it may run there already");
}

/* Pages cannot move for now; the guest's memory stays held. */
static void lanes_broken(struct migration *m)
{
	int error = source_error(m->source);

	if (error < 0)
		progress_decide(m, "lanes to %s broke (%s): held here, missing pages wait",
				m->options.host, strerror(-error));
}

/* One wait. Return: 1 with an answer, 0 to go on, or -errno. */
static int answer_once(struct migration *m, int timeout_ms,
		       Straddle__Answer **answer)
{
	struct fail ignored = { 0 };
	struct event event;
	int ret = event_wait(m, timeout_ms, &event);

	if (ret < 0)
		return ret;
	switch (event.kind) {
	case EVENT_ABORT:
		cancel_ask(m);
		return 0;
	case EVENT_ENGINE:
		lanes_broken(m);
		return 0;
	case EVENT_GUEST_ENDED:
		progress_decide(m,
			"the held guest's process ended here: shared memory is served on");
		return 0;
	case EVENT_MESSAGE:
		if (event.message.type != MSG_ANSWER) {
			message_fini(&event.message);
			channel_lost(m);
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

/* Connect and ask, unless that was done a moment ago. */
static void reconnect(struct migration *m)
{
	if (m->channel || now_ns() < m->ask_next_ns)
		return;
	m->ask_backoff_ms = m->ask_backoff_ms * 2;
	if (m->ask_backoff_ms < BACKOFF_MIN_MS)
		m->ask_backoff_ms = BACKOFF_MIN_MS;
	if (m->ask_backoff_ms > BACKOFF_MAX_MS)
		m->ask_backoff_ms = BACKOFF_MAX_MS;
	if (ask_again(m) < 0)
		progress_decide(m, "no answer from %s: held, asking again",
				m->options.host);
	m->ask_next_ns = now_ns() + m->ask_backoff_ms * NS_PER_MS;
}

/* How long to wait for an answer, or until it may be asked for again. */
static int patience_ms(const struct migration *m)
{
	uint64_t now = now_ns();

	if (m->channel)
		return -1;
	return now < m->ask_next_ns
		? (int)((m->ask_next_ns - now) / NS_PER_MS) + 1 : 0;
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

		reconnect(m);
		ret = answer_once(m, patience_ms(m), &got);
		if (ret < 0)
			return ret;
		if (!ret)
			continue;
		if (got->kind != STRADDLE__ANSWER_KIND__UNKNOWN) {
			*answer = got;
			return 0;
		}
		answer_free(got);
		channel_lost(m);
		progress_decide(m, "%s knows no such migration: held, asking again",
				m->options.host);
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
