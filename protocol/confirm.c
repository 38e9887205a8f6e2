// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * confirm.c - Confirm: the source kills its guest, once the last page has
 * provably arrived.
 *
 * Handed: RAN. The source serves and pushes what is missing; the dest says
 * COMPLETE with its proof; the source compares it with its own, tears down
 * and says so (herald.c). Nothing here is undone: the guest runs at the dest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

#define CONFIRMED_TIMEOUT_MS	10000
#define PROVEN_TICK_MS		1000
#define LOOK_MS			1000

/* ---- source ------------------------------------------------------------ */

/*
 * COMPLETE may be answered before our sweep has counted the last kept page.
 * Lanes that break now break nothing: all pages are there. What a rescue file
 * brought was never counted here: then this lasts until an operator ends it.
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
		else if (event.kind == EVENT_DIALLED)
			recover_dialled(m);
		else if (event.kind == EVENT_RESOLVE)
			ret = resolve(m);
		if (ret < 0)
			return ret;
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
			fail_set(&m->fail, -EOWNERDEAD,
				 "guest '%s' died on %s (%s) before all pages were there; it is held here, an operator decides",
				 m->description.name, m->options.host,
				 (*complete)->reason ? (*complete)->reason : "?");
			ret = died_there(m);
		}
		answer_free(*complete);
		if (ret < 0)
			return ret;
	}
}

/* Its process must be able to end: memory stays protected. */
static int guest_destroy(struct migration *m)
{
	char *dropped = NULL;
	int ret = 0;

	fence_finish(m);
	if (!m->guest_ended && m->driver->alive(m->guest))
		ret = m->driver->destroy(m->guest, &m->fail);
	if (!ret && m->guest && m->driver->forget)
		m->driver->forget(m->guest);
	if (!ret && m->driver && m->options.undefine_source)
		ret = m->driver->define(&m->host, m->description.name, NULL,
					&dropped, &m->fail);
	free(dropped);
	return ret;
}

/**
 * tear_down() - end the source's copy
 * @m: proven, or given up by an operator
 *
 * Return: 0 or -errno with @m->fail.
 */
int tear_down(struct migration *m)
{
	int ret = owner_move(m, STATE_TEARING_DOWN);

	if (!ret)
		ret = guest_destroy(m);
	return ret ? ret : owner_move(m, STATE_TORN_DOWN);
}

/* What was decided is done. */
static int tear_down_again(struct migration *m)
{
	int ret = guest_destroy(m);

	if (!ret)
		ret = owner_move(m, STATE_TORN_DOWN);
	if (!ret)
		confirmed_tell(m);
	return ret;
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

	if (m->state == STATE_TEARING_DOWN)	/* a predecessor's intent */
		return tear_down_again(m);
	limit_set(&m->source->limit, m->options.postcopy_bandwidth);
	ret = source_push_start(m->source, m->generation);
	if (!ret)
		ret = complete_wait(m, &complete);
	if (ret < 0)
		return ret;
	ret = proven_wait(m);
	if (!ret && !proof_matches(m, complete, &m->fail)) {
		ret = owner_insist(m, STATE_CORRUPT);
		if (!ret)
			ret = -EBADMSG;
	}
	answer_free(complete);
	m->progress.missing_pages = 0;
	m->progress.missing_unknown = false;
	if (!ret)
		ret = tear_down(m);
	if (!ret)
		confirmed_tell(m);
	return ret;
}

/* ---- dest -------------------------------------------------------------- */

/* A line a region, so that COMPLETE can be answered from the journal. */
static void proof_print(const struct migration *m, char *text, size_t size)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < m->map.count && used < size; i++) {
		struct proof proof = states_proof(&m->dest->states, i);

		used += (size_t)snprintf(text + used, size - used,
				"%u %" PRIu64 " %016" PRIx64 " %016" PRIx64
				"\n", i, proof.pages, proof.sum.low,
				proof.sum.high);
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
	if (m->start_due)
		return 0;	/* who has not answered cannot be let go of */
	m->settled = true;
	dest_stop(m->dest);
	memory_detach(m);
	broken_over(m);		/* whatever is cut, nobody waits for it */
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
	if (m->peer.downtime_ns)
		m->progress.downtime_ns = m->peer.downtime_ns;
}

/* The source tells it again, and again, until it has heard that it is written. */
static void confirmed_answer(struct migration *m)
{
	struct fail ignored = { 0 };

	m->confirmed = !m->port_ops->acknowledge(m->port, &ignored);
	if (m->confirmed)
		answer_send(m, STRADDLE__ANSWER_KIND__COMPLETE, NULL);
}

/* Its operator ended it before all was here: nobody sends the rest. */
static int given_up(struct migration *m)
{
	if (m->settled || m->state == STATE_SUPERSEDED)
		return 0;
	broken_note(m,
		    "the source has given up its copy: what is missing here never comes, 'straddle resolve' says what can be done");
	broken_next_try(m, 0);
	m->given_up = true;
	return 0;
}

/* Return: 1 when the source has confirmed, 0 to go on, or -errno. */
static int confirm_message(struct migration *m, struct event *event)
{
	struct message *message = &event->message;
	enum message_type type = message->type;
	int ret = -EPROTO;

	if (type == MSG_CONFIRMED && m->state != STATE_COMPLETE)
		ret = given_up(m);
	else if (type == MSG_CONFIRMED)
		confirmed_take(m, (Straddle__Confirmed *)message->body);
	else if (type == MSG_QUERY || type == MSG_CANCEL)
		ret = answer_now(m);
	else if (type == MSG_SUPERSEDE)
		ret = superseded(m, (Straddle__Supersede *)message->body);
	else if (type == MSG_RECOVER)
		ret = m->settled || m->state == STATE_SUPERSEDED
		      ? answer_now(m) : recover_dest(m, (Straddle__Recover *)message->body);
	message_fini(message);
	if (type == MSG_CONFIRMED && m->state == STATE_COMPLETE)
		return 1;
	if (ret < 0)
		channel_lost(m);	/* the source comes again */
	return 0;
}

static int guest_died(struct migration *m)
{
	fail_set(&m->fail, -EOWNERDEAD,
		 "guest '%s' (process %d) ended here before all its pages were there",
		 m->description.name, (int)m->description.pid);
	return died_here(m);
}

/* What cannot be taken now is offered again. */
static int lane_event(struct migration *m)
{
	if (lanes_accepted(m) < 0)
		channel_lost(m);
	recover_lanes(m);
	if (m->channel && !m->recovering && !m->broken_told &&
	    m->state != STATE_SUPERSEDED)
		broken_mended(m);
	return 0;
}

/* Nothing came for a while. */
static int look(struct migration *m)
{
	if (m->state == STATE_SUPERSEDED) {
		superseded_look(m);
		return 0;
	}
	if (m->settled)
		return complete_record(m);
	recover_look(m);
	recover_tell_broken(m);
	return finish_dest_late(m) && dest_complete(m->dest) ? complete(m) : 0;
}

/* Return: 1 when the source has confirmed, 0 to go on, or -errno. */
static int confirm_event(struct migration *m, struct event *event)
{
	switch (event->kind) {
	case EVENT_ENGINE:
		if (m->state == STATE_SUPERSEDED)
			return 0;
		if (!m->settled && dest_complete(m->dest))
			return complete(m);
		recover_tell_broken(m);
		return 0;
	case EVENT_LANE:
		return lane_event(m);
	case EVENT_RESOLVE:
		return m->settled && m->state != STATE_SUPERSEDED
		       ? 0 : resolve(m);
	case EVENT_LOST:
		if (!m->settled && m->state != STATE_SUPERSEDED)
			broken_note(m,
				    "no connection from the source: the guest runs on with what is here");
		return 0;
	case EVENT_MESSAGE:
		return confirm_message(m, event);
	case EVENT_GUEST_ENDED:
		return m->settled ? 0 : guest_died(m);
	case EVENT_TIMEOUT:
		return look(m);
	default:
		return 0;
	}
}

/* How long to wait for the source, or until COMPLETE is recorded again. */
static int patience_ms(const struct migration *m)
{
	if (m->state == STATE_COMPLETE)
		return CONFIRMED_TIMEOUT_MS;
	return m->settled ? RECORD_AGAIN_MS : LOOK_MS;
}

/**
 * confirm_dest() - take in what is missing, prove it, let the source go
 * @m: running
 *
 * Return: 0; or -errno with @m->fail: the guest is left as it is.
 */
int confirm_dest(struct migration *m)
{
	bool stopped = m->state == STATE_SUPERSEDED;
	int confirmed, ret = stopped ? 0 : dest_settle(m->dest);

	if (!ret && !stopped && dest_complete(m->dest))
		ret = complete(m);
	while (!ret) {
		struct event event;

		ret = event_wait(m, patience_ms(m), &event);
		/* Nobody comes: the agent answers from the journal. */
		if (!ret && event.kind == EVENT_TIMEOUT &&
		    m->state == STATE_COMPLETE)
			break;
		if (!ret)
			ret = confirm_event(m, &event);
	}
	if (ret < 0)
		return ret;
	confirmed = ret;
	ret = owner_move(m, STATE_DONE);
	if (!ret && confirmed)
		confirmed_answer(m);
	return ret;
}
