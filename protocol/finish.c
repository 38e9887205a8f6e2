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
#include "protocol/testament.h"
#include "sys.h"

/*
 * From where on only a peer's word leads back. An agent that is gone may have
 * written it, and not got to say so: the next one knows, and nothing is undone.
 */
static int decide(struct migration *m, enum owner_state to)
{
	int ret = owner_move(m, to);

	m->undecided = ret == -EPIPE || ret == -ECONNRESET;
	return ret;
}

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

	m->asked_ns = now_ns();
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

/**
 * died_there() - nobody owns the guest any more
 * @m: asked or held; @m->fail says it in words
 *
 * Return: -EOWNERDEAD: it is on the disk; or another -errno, as owner_insist().
 */
int died_there(struct migration *m)
{
	int ret = owner_insist(m, STATE_DIED_THERE);

	if (ret)
		return ret;
	fence_lift(m);
	return -EOWNERDEAD;
}

static int died(struct migration *m, const Straddle__Answer *answer)
{
	fail_set(&m->fail, -EOWNERDEAD,
		 "guest '%s' ran on %s and its process is gone there (%s); it is held here: its disks and peers may have moved on, so an operator decides",
		 m->description.name, m->options.host,
		 answer->reason ? answer->reason : "no reason given");
	return died_there(m);
}

/* The dest has measured its parts of the downtime itself. */
static void downtime_take(struct migration *m, const Straddle__Answer *answer)
{
	struct fail ignored = { 0 };

	if (m->stopped_ns)	/* a successor does not know */
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
		return owner_record(m, STATE_HELD);
	}
}

/**
 * finish_source_again() - until the dest has answered
 * @m: asked, by us or by a predecessor
 *
 * Return: as finish_source().
 */
int finish_source_again(struct migration *m)
{
	Straddle__Answer *answer;
	int ret = answer_wait(m, &answer);

	if (ret < 0)
		return ret;
	ret = answer_take(m, &answer);
	answer_free(answer);
	return ret;
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
	int ret = fence_close(m);

	if (!ret)
		ret = testament_write(m);
	if (!ret)
		ret = decide(m, STATE_ASKED);
	if (ret < 0)
		return ret;
	if (finish_send(m) < 0)
		recover_channel_broke(m, m->fail.text);
	fence_arm(m);
	memset(&m->fail, 0, sizeof(m->fail));
	return finish_source_again(m);
}

/* ---- dest -------------------------------------------------------------- */

/* Return: whether it was the question, or that asked again while it is decided. */
static bool question_take(struct event *event, struct message *question)
{
	if (event->kind != EVENT_MESSAGE ||
	    event->message.type != (question->body ? MSG_QUERY : MSG_FINISH))
		return false;
	if (question->body)
		message_fini(&event->message);
	else
		*question = event->message;
	return true;
}

/*
 * Welcome is said before a lane is taken: the last may be on its way here, and
 * the question be faster.
 */
static int lanes_wait(struct migration *m, struct message *question)
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
		else if (!question_take(&event, question))
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
		ret = dest_serve(m->dest, m->generation + 1, thread_loads, m);
	return ret ? ret : load_start(m);
}

static int loaded(struct migration *m)
{
	int ret = load_end(m);

	if (!ret)
		ret = memory_zap_stale(m);
	return ret ? ret : owner_move(m, STATE_LOADED);
}

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
		if (question_take(event, question))
			return 0;
		break;
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
	ret = testament_write(m);
	return ret ? ret : decide(m, STATE_GO);
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
	int ret = lanes_wait(m, &question);

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
		ret = start_guest(m);
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
