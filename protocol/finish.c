// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * finish.c - Finish: the dest checks what Perform sent, and owns the guest or
 * promises that it never will.
 *
 * Handed: everything but missing pages. The dest loads the device state,
 * makes sure that no missing page is mapped, stores the persistent
 * definition, journals GO, and starts the guest. Hands on: one of the five
 * answers. Undone, before GO only, by DISCARDED and NEVER_RAN.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

/* ---- source ------------------------------------------------------------ */

/* As virsh does it: a transient guest becomes there what it is here. */
static char *persistent_there(const struct migration *m)
{
	if (m->leaving.persistent)
		return m->leaving.persistent;
	if (m->description.persistent)
		return m->description.persistent;
	return m->leaving.live ? m->leaving.live : m->description.live;
}

static int finish_send(struct migration *m)
{
	Straddle__Finish finish = STRADDLE__FINISH__INIT;
	int ret;

	finish.generation = ++m->generation;
	if (m->options.persistent)
		finish.persistent = persistent_there(m);
	finish.has_missing_pages = true;
	finish.missing_pages = source_unsent_pages(m->source);
	finish.has_paused = true;
	finish.paused = !m->description.running;
	finish.has_cookie = !cookie_bake(&m->mine, &finish.cookie);
	ret = send_message(m, MSG_FINISH, &finish.base);
	free(finish.cookie.data);
	return ret;
}

static int never_ran(struct migration *m, const Straddle__Answer *answer)
{
	m->never_ran = true;
	return fail_set(&m->fail, -ECANCELED,
			"guest '%s' did not start on %s: %s",
			m->description.name, m->options.host,
			answer->reason ? answer->reason : "no reason given");
}

static int died(struct migration *m, const Straddle__Answer *answer)
{
	owner_record(m, STATE_HELD);
	fence_lift(m);
	return fail_set(&m->fail, -EOWNERDEAD,
			"guest '%s' ran on %s and its process is gone there (%s); it is held here: its disks and peers may have moved on, so an operator decides",
			m->description.name, m->options.host,
			answer->reason ? answer->reason : "no reason given");
}

/* The dest has measured its parts of the downtime itself. */
static void downtime_take(struct migration *m, const Straddle__Answer *answer)
{
	struct fail ignored = { 0 };

	m->progress.downtime_ns = now_ns() - m->stopped_ns;
	cookie_eat(&m->peer, &answer->cookie, &ignored);
	m->progress.downtime_load_ns = m->peer.load_ns;
	m->progress.downtime_arm_ns = m->peer.arm_ns;
	m->progress.downtime_resume_ns = m->peer.resume_ns;
}

/* What became of it? Only a definite answer moves us. */
static int answer_take(struct migration *m, Straddle__Answer **answer)
{
	switch ((*answer)->kind) {
	case STRADDLE__ANSWER_KIND__NEVER_RAN:
		return never_ran(m, *answer);
	case STRADDLE__ANSWER_KIND__DIED:
		return died(m, *answer);
	case STRADDLE__ANSWER_KIND__COMPLETE:
		downtime_take(m, *answer);
		m->complete = take_ptr(*answer);	/* for Confirm */
		return owner_record(m, STATE_HELD);
	default:
		downtime_take(m, *answer);
		m->progress.missing_pages = (*answer)->missing_pages;
		m->progress.postcopy = (*answer)->missing_pages;
		return owner_record(m, STATE_HELD);
	}
}

/* One that cannot be held is moved all the same, and its owner told. */
static int hold(struct migration *m)
{
	struct fail why = { 0 };
	int ret = m->driver->hold ? m->driver->hold(m->guest, true, &why) : 0;

	if (ret && ret != -EREMOTEIO)
		return fail_set(&m->fail, ret,
				"guest '%s' may be being saved or moved by somebody else: %s",
				m->description.name, why.text);
	if (ret)
		progress_decide(m, "do not save or move guest '%s' while it is held here: %.200s",
				m->description.name, why.text);
	return 0;
}

/*
 * Its process is stopped: what is true of the guest now stays so. Where that
 * process itself is to tell, it tells before.
 */
static int fence(struct migration *m)
{
	int ret = hold(m);

	if (!ret && !m->driver->described_elsewhere)
		ret = perform_compare(m);
	if (!ret)
		ret = fence_freeze(m);
	if (!ret && m->driver->described_elsewhere)
		ret = perform_compare(m);
	return ret ? ret : fence_check(m);
}

/**
 * finish_source() - ask the dest to own the guest, until it has answered
 * @m: performed
 *
 * ASKED is synced before the question leaves: whoever finds the journal
 * afterwards knows that the guest may run there.
 *
 * Return: 0: it runs there; -ECANCELED: NEVER_RAN; -EOWNERDEAD: DIED.
 */
int finish_source(struct migration *m)
{
	Straddle__Answer *answer;
	int ret = fence(m);

	if (!ret)
		ret = owner_move(m, STATE_ASKED);
	if (ret < 0)
		return ret;
	if (finish_send(m) < 0)
		channel_lost(m);
	fence_arm(m);
	memset(&m->fail, 0, sizeof(m->fail));
	ret = answer_wait(m, &answer);
	if (ret < 0)
		return ret;
	ret = answer_take(m, &answer);
	answer_free(answer);
	return ret;
}

/* ---- dest -------------------------------------------------------------- */

/* Welcome is said before a lane is taken: the last may be on its way here. */
static int lanes_wait(struct migration *m)
{
	while (!lanes_complete(m)) {
		struct event event;
		int ret = event_wait(m, LANES_TIMEOUT_MS, &event);

		if (ret < 0)
			return ret;
		if (event.kind == EVENT_TIMEOUT)
			return lanes_late(m);
		if (event.kind == EVENT_LANE)
			ret = lanes_accepted(m);
		else if (event.kind == EVENT_ENGINE)
			ret = engine_error(m);
		else
			ret = event_refuse(m, &event);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int finish_take(struct migration *m, const Straddle__Finish *finish)
{
	if (finish->generation != m->generation + 1)
		return fail_set(&m->fail, -EPROTO,
				"the source asked to finish before everything was sent");
	m->keep_paused = finish->has_paused && finish->paused;
	if (finish->persistent) {
		m->persistent = strdup(finish->persistent);
		if (!m->persistent)
			return -ENOMEM;
	}
	m->generation = finish->generation;
	m->progress.postcopy = m->dest->missing;
	m->progress.round = m->generation - 1;
	return cookie_take(m, &finish->cookie);
}

static int define(struct migration *m)
{
	char *previous = NULL;
	int ret;

	if (!m->persistent)
		return 0;
	ret = m->driver->define(&m->host, m->dest_name, m->persistent,
				&previous, &m->fail);
	free(previous);
	return ret;
}

/* Keep what was defined, or put back what it replaced. */
static void define_end(struct migration *m, bool keep)
{
	struct fail ignored = { 0 };

	if (m->persistent)
		m->driver->define_end(&m->host, m->dest_name, keep, &ignored);
}

static bool thread_loads(void *arg, uint32_t thread)
{
	struct migration *m = arg;

	return m->driver->loads(m->guest, thread);
}

/* Nothing is decided by it, so it does not wait for the question. */
static int load(struct migration *m)
{
	int ret = page_set_complete(m, MSG_KEEP) ? storage_close(m) :
		  fail_set(&m->fail, -EPROTO,
			   "the source sent its devices before it said which pages are kept");

	if (!ret)
		ret = memory_zap_stale(m);
	if (!ret && m->driver->loads)
		dest_serve(m->dest, m->generation + 1, thread_loads, m);
	return ret ? ret : load_start(m);
}

static int loaded(struct migration *m)
{
	int ret = load_end(m);

	if (!ret)
		ret = memory_zap_stale(m);
	return ret ? ret : owner_move(m, STATE_LOADED);
}

/* Return: 1: the question came, 0 to go on, or -errno. */
static int loading_event(struct migration *m, struct event *event,
			 struct message *question)
{
	switch (event->kind) {
	case EVENT_LOADED:
		return part_time(m, &m->mine.arm_ns, loaded);
	case EVENT_ENGINE:
		return engine_error(m);
	case EVENT_LANE:
		return lanes_accepted(m);
	case EVENT_GUEST_ENDED:
		return 0;	/* the end of the load says why */
	case EVENT_MESSAGE:
		if (event->message.type != MSG_FINISH || question->body)
			break;
		*question = event->message;
		return 1;
	default:
		break;
	}
	return event_refuse(m, event);
}

/* Whichever is first: it is loaded, and the question has come. */
static int load_and_receive(struct migration *m, struct message *question)
{
	int ret = part_time(m, &m->mine.arm_ns, load);

	while (ret >= 0 && (m->loading || !question->body)) {
		struct event event;

		ret = event_wait(m, -1, &event);
		if (ret >= 0)
			ret = loading_event(m, &event, question);
	}
	load_cancel(m);
	return ret < 0 ? ret : 0;
}

/*
 * It owns the guest and cannot start it. Only a process that is provably gone
 * has DIED: one that merely did not answer may run yet, so it is killed first,
 * and if that fails the row stays at GO and nothing is answered.
 */
static int start_failed(struct migration *m, int error)
{
	struct fail ignored = { 0 };

	if (m->driver->destroy(m->guest, &ignored) < 0)
		return error;
	m->guest_ended = true;
	owner_move(m, STATE_DIED);
	answer_send(m, STRADDLE__ANSWER_KIND__DIED, m->fail.text);
	return error;
}

static int guest_start(struct migration *m)
{
	return m->keep_paused ? m->driver->pause(m->guest, &m->fail)
			      : m->driver->resume(m->guest, &m->fail);
}

/*
 * It owns the guest now; a process that is gone is DIED, not NEVER_RAN. One
 * that stays paused is told, too: it waits for no migration any more.
 */
static int start(struct migration *m)
{
	int ret = part_time(m, &m->mine.resume_ns, guest_start);

	if (ret < 0)
		return start_failed(m, ret);
	m->mine.started_ns = wall_clock_ns();
	ret = owner_record(m, STATE_RUNNING);
	if (!ret)
		answer_send(m, STRADDLE__ANSWER_KIND__RAN, NULL);
	return ret;
}

/* One that is gone by now has never run: the source's goes on. */
static int go(struct migration *m)
{
	int ret = m->dest->missing ? engine_error(m) : 0;

	if (ret < 0)
		return ret;	/* what is missing could not come any more */
	if (!m->driver->alive(m->guest))
		return fail_set(&m->fail, -EOWNERDEAD,
				"guest '%s' ended here before it was to start: somebody destroyed it, or its hypervisor's log says why",
				m->description.name);
	return owner_move(m, STATE_GO);
}

/**
 * finish_dest() - own the guest and start it, or promise never to
 * @m: performed
 *
 * Return: 0: it runs here; or -errno with @m->fail: undone, unless past GO.
 */
int finish_dest(struct migration *m)
{
	struct message question = { .body = NULL };
	int ret = lanes_wait(m);

	if (!ret)
		ret = load_and_receive(m, &question);
	if (!ret)
		ret = finish_take(m, (Straddle__Finish *)question.body);
	message_fini(&question);
	if (!ret)
		ret = define(m);
	if (!ret)
		ret = part_time(m, &m->mine.arm_ns, go);
	if (ret < 0)
		return ret;
	storage_keep(m);
	/* No vCPU's is answered earlier: who starts it before GO gets stuck. */
	ret = dest_switch(m->dest, m->generation);
	if (!ret)
		ret = start(m);
	define_end(m, true);
	return ret;
}

/**
 * finish_undo_dest() - the old definition, then NEVER_RAN, journalled first
 * @m: failed before GO
 *
 * The guest's process is gone before the answer leaves: the source takes back
 * the locks of its disks.
 */
void finish_undo_dest(struct migration *m)
{
	define_end(m, false);
	if (m->state == STATE_PREPARED || m->state == STATE_LOADED)
		owner_move(m, STATE_DISCARDED);
	if (m->state != STATE_DISCARDED)
		return;
	prepare_discard(m);
	answer_send(m, STRADDLE__ANSWER_KIND__NEVER_RAN, m->fail.text);
}
