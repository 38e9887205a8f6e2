// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * confirm.c - Confirm: the source kills its guest, once the last page has
 * provably arrived.
 *
 * Handed: RAN. The source serves and pushes what is missing; the dest says
 * COMPLETE with its proof; the source compares it with its own, tears down
 * and says so. Nothing here is undone: the guest runs at the dest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

#define CONFIRMED_TIMEOUT_MS	30000
#define PROVEN_TICK_MS		1000
#define RECORD_AGAIN_MS		1000

/* ---- source ------------------------------------------------------------ */

/*
 * COMPLETE may be answered before our sweep has counted the last kept page.
 * Lanes that break now break nothing: all pages are there.
 */
static int proven_wait(struct migration *m)
{
	while (!source_proven(m->source)) {
		int error = __atomic_load_n(&m->source->sweep_error,
					    __ATOMIC_ACQUIRE);
		struct event event;
		int ret;

		if (error < 0)
			return fail_set(&m->fail, error,
					"guest '%s' is complete at the dest, but its memory cannot be read here any more to prove it: %s",
					m->description.name, strerror(-error));
		ret = event_wait(m, PROVEN_TICK_MS, &event);
		if (ret < 0)
			return ret;
		if (event.kind == EVENT_MESSAGE)
			message_fini(&event.message);
	}
	return 0;
}

static int complete_wait(struct migration *m, Straddle__Answer **complete)
{
	if (m->complete) {
		*complete = m->complete;
		m->complete = NULL;
		return 0;
	}
	for (;;) {
		int ret = answer_wait(m, complete);

		if (ret < 0)
			return ret;
		if ((*complete)->kind == STRADDLE__ANSWER_KIND__COMPLETE)
			return 0;
		if ((*complete)->kind == STRADDLE__ANSWER_KIND__DIED) {
			fence_lift(m);
			ret = fail_set(&m->fail, -EOWNERDEAD,
				       "guest '%s' died on %s (%s) before all pages were there; it is held here, an operator decides",
				       m->description.name, m->options.host,
				       (*complete)->reason
						? (*complete)->reason : "?");
		}
		answer_free(*complete);
		if (ret < 0)
			return ret;
	}
}

static int tear_down(struct migration *m)
{
	char *dropped = NULL;
	int ret = owner_move(m, STATE_TEARING_DOWN);

	if (ret < 0)
		return ret;
	/* Its process must be able to end: memory stays protected. */
	fence_finish(m);
	if (m->guest_ended || !m->driver->alive(m->guest))
		ret = 0;
	else
		ret = m->driver->destroy(m->guest, &m->fail);
	if (!ret && m->driver->forget)
		m->driver->forget(m->guest);
	if (!ret && m->options.undefine_source)
		ret = m->driver->define(&m->host, m->description.name, NULL,
					&dropped, &m->fail);
	free(dropped);
	if (!ret)
		ret = owner_move(m, STATE_TORN_DOWN);
	return ret;
}

static int confirmed_send(struct migration *m)
{
	Straddle__Confirmed confirmed = STRADDLE__CONFIRMED__INIT;

	m->mine.downtime_ns = m->progress.downtime_ns;
	m->mine.total_ns = now_ns() - m->began_ns;
	confirmed.has_cookie = !cookie_bake(&m->mine, &confirmed.cookie);
	/* A lost one is no loss: the dest keeps its row until asked. */
	send_message(m, MSG_CONFIRMED, &confirmed.base);
	free(confirmed.cookie.data);
	memset(&m->fail, 0, sizeof(m->fail));
	return 0;
}

/**
 * confirm_source() - serve, push, compare the proofs, tear down
 * @m: held
 *
 * Return: 0; -EBADMSG: the proofs differ, nothing was torn down; or -errno:
 * the guest is held.
 */
int confirm_source(struct migration *m)
{
	Straddle__Answer *complete;
	int ret;

	limit_set(&m->source->limit, m->options.postcopy_bandwidth);
	ret = source_push_start(m->source, m->generation);
	if (!ret)
		ret = complete_wait(m, &complete);
	if (ret < 0)
		return ret;
	ret = proven_wait(m);
	if (!ret && !proof_matches(m, complete, &m->fail)) {
		owner_move(m, STATE_CORRUPT);
		ret = -EBADMSG;
	}
	answer_free(complete);
	m->progress.missing_pages = 0;
	if (!ret)
		ret = tear_down(m);
	if (!ret)
		ret = confirmed_send(m);
	return ret;
}

/* ---- dest -------------------------------------------------------------- */

/* A line a region, so that COMPLETE can be answered from the journal. */
static void proof_print(const struct migration *m, char *text, size_t size)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < m->map.count && used < size; i++) {
		const struct proof *proof = &m->dest->proofs[i];

		used += (size_t)snprintf(text + used, size - used,
				"%u %" PRIu64 " %016" PRIx64 " %016" PRIx64
				"\n", i, proof->pages, proof->sum.low,
				proof->sum.high);
	}
}

/* Not journalled is not answered: the source holds until it is. */
static int complete_record(struct migration *m)
{
	char proof[REGIONS_MAX * 64];
	int ret;

	proof_print(m, proof, sizeof(proof));
	ret = m->port_ops->note(m->port, NULL, NULL, proof, &m->fail);
	if (!ret)
		ret = owner_move(m, STATE_COMPLETE);
	if (ret < 0) {
		progress_decide(m, "all pages are here, COMPLETE is not recorded yet: %.60s",
				m->fail.text);
		memset(&m->fail, 0, sizeof(m->fail));
		return 0;
	}
	progress_tell_peer(m);
	answer_send(m, STRADDLE__ANSWER_KIND__COMPLETE, NULL);
	return 0;
}

/* Everything is there: the guest becomes an ordinary process again. */
static int complete(struct migration *m)
{
	m->settled = true;
	dest_stop(m->dest);
	memory_detach(m);
	return complete_record(m);
}

static int answer_now(struct migration *m)
{
	if (m->state == STATE_COMPLETE)
		return answer_send(m, STRADDLE__ANSWER_KIND__COMPLETE, NULL);
	return answer_send(m, STRADDLE__ANSWER_KIND__RAN,
			   "too late: it runs here");
}

/* The source has measured what the dest cannot: for the history here. */
static void confirmed_take(struct migration *m,
			   const Straddle__Confirmed *confirmed)
{
	struct fail ignored = { 0 };

	cookie_eat(&m->peer, &confirmed->cookie, &ignored);
	m->progress.downtime_ns = m->peer.downtime_ns;
}

/* Return: 1 when the source has confirmed, 0 to go on, or -errno. */
static int confirm_message(struct migration *m, struct event *event)
{
	enum message_type type = event->message.type;

	if (type == MSG_CONFIRMED)
		confirmed_take(m, (Straddle__Confirmed *)event->message.body);
	message_fini(&event->message);
	if (type == MSG_CONFIRMED && m->state == STATE_COMPLETE)
		return 1;
	if (type != MSG_QUERY && type != MSG_CANCEL)
		channel_lost(m);
	else if (answer_now(m) < 0)
		channel_lost(m);
	return 0;
}

static int guest_died(struct migration *m)
{
	fail_set(&m->fail, -EOWNERDEAD,
		 "guest '%s' (process %d) ended here before all its pages were there",
		 m->description.name, (int)m->description.pid);
	owner_move(m, STATE_DIED);
	answer_send(m, STRADDLE__ANSWER_KIND__DIED, m->fail.text);
	return -EOWNERDEAD;
}

/* Pages cannot arrive for now: the guest waits for those it misses. */
static void tell_broken(struct migration *m)
{
	int error = dest_error(m->dest);

	if (error < 0)
		progress_decide(m, "lanes from the source broke (%s): missing pages wait",
				strerror(-error));
}

/* Return: 1 when the source has confirmed, 0 to go on, or -errno. */
static int confirm_event(struct migration *m, struct event *event)
{
	switch (event->kind) {
	case EVENT_ENGINE:
		if (!m->settled && dest_complete(m->dest))
			return complete(m);
		tell_broken(m);
		return 0;
	case EVENT_LANE:
		return lanes_accepted(m);
	case EVENT_MESSAGE:
		return confirm_message(m, event);
	case EVENT_GUEST_ENDED:
		return m->settled ? 0 : guest_died(m);
	case EVENT_TIMEOUT:
		return complete_record(m);
	default:
		return 0;
	}
}

/* How long to wait for the source, or until COMPLETE is recorded again. */
static int patience_ms(const struct migration *m)
{
	if (m->state == STATE_COMPLETE)
		return CONFIRMED_TIMEOUT_MS;
	return m->settled ? RECORD_AGAIN_MS : -1;
}

/**
 * confirm_dest() - take in what is missing, prove it, let the source go
 * @m: running
 *
 * Return: 0; or -errno with @m->fail: the guest is left as it is.
 */
int confirm_dest(struct migration *m)
{
	int ret = dest_settle(m->dest);

	if (!ret && dest_complete(m->dest))
		ret = complete(m);
	while (!ret) {
		struct event event;

		ret = event_wait(m, patience_ms(m), &event);
		if (!ret && event.kind == EVENT_TIMEOUT &&
		    m->state == STATE_COMPLETE)
			return 0;	/* the agent answers from the journal */
		if (!ret)
			ret = confirm_event(m, &event);
	}
	return ret < 0 ? ret : owner_move(m, STATE_DONE);
}
