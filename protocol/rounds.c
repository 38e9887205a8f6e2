// SPDX-License-Identifier: LGPL-2.1-or-later
/* rounds.c - pre-copy rounds, and the decision how to finish. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

#define MIB		1048576.0
#define MIB_SHIFT	20
#define NS_PER_S	1000000000.0
#define NS_PER_MS	1000000ull
/* Everything was sent: what is left is in buffers of the network. */
#define BARRIER_TIMEOUT_MS	60000

/**
 * rounds_timed_out() - has --timeout passed?
 * @m: of the migration
 *
 * Return: false without a --timeout.
 */
bool rounds_timed_out(const struct migration *m)
{
	return m->options.timeout_ns &&
	       now_ns() - m->began_ns >= m->options.timeout_ns;
}

static int timeout_left_ms(const struct migration *m)
{
	uint64_t gone = now_ns() - m->began_ns;

	if (!m->options.timeout_ns)
		return -1;
	if (gone >= m->options.timeout_ns)
		return 0;
	return (int)((m->options.timeout_ns - gone) / NS_PER_MS) + 1;
}

static bool is_barrier(const struct event *event)
{
	return event->kind == EVENT_MESSAGE &&
	       event->message.type == MSG_BARRIER;
}

/* The dest has all of a round; it may say so before we have noticed. */
static int barrier_take(struct migration *m, struct event *event)
{
	const Straddle__Barrier *barrier =
		(const Straddle__Barrier *)event->message.body;

	m->barrier = barrier->generation;
	message_fini(&event->message);
	if (m->barrier <= m->generation)
		return 0;
	return fail_set(&m->fail, -EPROTO,
			"the dest acknowledged round %u before it was sent",
			m->barrier);
}

/*
 * A round may be cut short: by the user, or by --timeout. The last one, with
 * the guest stopped, is not a matter of time any more.
 */
static int round_wait(struct migration *m)
{
	bool cut = m->state == STATE_STOPPED;

	while (!source_round_done(m->source, &m->round)) {
		struct event event;
		int ret = event_wait(m, cut ? -1 : timeout_left_ms(m), &event);

		if (ret < 0)
			return ret;
		if (event.kind == EVENT_SWITCH ||
		    event.kind == EVENT_TIMEOUT) {
			source_round_cut(m->source);
			cut = true;
		} else if (is_barrier(&event)) {
			ret = barrier_take(m, &event);
			if (ret < 0)
				return ret;
		} else if (event.kind != EVENT_ENGINE) {
			return event_refuse(m, &event);
		}
	}
	return 0;
}

static int barrier_wait(struct migration *m)
{
	while (m->barrier != m->generation) {
		struct event event;
		int ret = event_wait(m, BARRIER_TIMEOUT_MS, &event);

		if (ret < 0)
			return ret;
		if (event.kind == EVENT_TIMEOUT)
			return fail_set(&m->fail, -ETIMEDOUT,
					"%s does not acknowledge round %u",
					m->options.host, m->progress.round);
		if (event.kind == EVENT_ENGINE || event.kind == EVENT_SWITCH)
			continue;
		if (!is_barrier(&event))
			return event_refuse(m, &event);
		ret = barrier_take(m, &event);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static enum outlook outlook(const struct migration *m)
{
	return estimate_outlook(&m->round, m->options.downtime_ns,
				m->progress.memory_bytes);
}

/*
 * A round that leaves out what was written again is shorter. One that gains
 * nothing is better long: each ends with the guest standing still for a moment.
 */
static bool leaves_out(const struct migration *m)
{
	return m->state != STATE_STOPPED && outlook(m) != OUTLOOK_HOPELESS;
}

/**
 * round_run() - send what is dirty; all of it is across when this returns
 * @m: performing; no round runs
 *
 * Return: 0 or -errno with @m->fail.
 */
int round_run(struct migration *m)
{
	int ret;

	m->round.number = m->progress.round++;
	source_round_start(m->source, ++m->generation, leaves_out(m));
	ret = round_wait(m);
	if (!ret)
		ret = barrier_wait(m);
	/* The wire is part of what a round takes: until the dest says so. */
	m->round.ns = now_ns() - m->source->round_began_ns;
	return ret;
}

/* Will post-copy finish it, as far as can be said while the guest runs? */
static bool postcopy_is_near(const struct migration *m)
{
	const struct migration_options *options = &m->options;
	enum outlook expected;

	if (m->switch_asked || options->postcopy_after_precopy)
		return true;
	if (rounds_timed_out(m))
		return options->timeout_action == TIMEOUT_POSTCOPY;
	expected = outlook(m);
	return options->postcopy && expected != OUTLOOK_CONVERGED &&
	       (expected == OUTLOOK_HOPELESS ||
		m->progress.round >= options->rounds_max);
}

/*
 * Most of what the guest will have written by its stop it has written already.
 * The dest drops its copies of that before the stop, not during it.
 */
static int stale_tell(struct migration *m)
{
	int ret = 0;

	m->round.dirty = source_dirty_bytes(m->source);
	if (postcopy_is_near(m)) {
		m->barrier = 0;
		ret = page_set_send(m, MSG_STALE);
		if (!ret)
			ret = barrier_wait(m);
	}
	return ret;
}

static int scan(struct migration *m)
{
	m->progress.downtime_scan_ns = 0;	/* the last one counts */
	return source_written(m->source, &m->tracker);
}

static int scan_timed(struct migration *m)
{
	return part_time(m, &m->progress.downtime_scan_ns, scan);
}

/*
 * Once while it runs, and once while it stands still: that finds what was
 * written in between, and what devices wrote behind the page tables. Between
 * the two nothing is sent that could be clean too early. A guest that had to
 * stand still does so until it is decided how to go on.
 */
static int round_scan(struct migration *m)
{
	int ret = source_written(m->source, &m->tracker);

	if (!ret)
		ret = stale_tell(m);
	if (!ret)
		ret = drain_look(m, scan_timed);
	if (ret < 0)
		return fail_set(&m->fail, ret,
				"cannot see what guest '%s' wrote: %s",
				m->description.name, strerror(-ret));
	m->round.dirty = source_dirty_bytes(m->source);
	m->progress.link_rate = estimate_rate(&m->round);
	m->progress.dirty_rate = estimate_dirty_rate(&m->round);
	return 0;
}

/* The numbers of a decision, so that a user can follow it. */
static void tell(struct migration *m, const char *decision)
{
	const struct round_result *round = &m->round;
	char left_out[64] = "";

	if (round->left_out >> MIB_SHIFT)
		snprintf(left_out, sizeof(left_out), " (%.0f MiB before their turn)",
			 (double)round->left_out / MIB);
	progress_decide(m,
			"round %u: %.0f MiB sent in %.1f s, %.0f MiB dirtied meanwhile%s: %s",
			round->number + 1, (double)round->pages / MIB,
			(double)round->ns / NS_PER_S,
			(double)round->dirty / MIB, left_out, decision);
}

static bool finish_by(struct migration *m, enum finish_by how,
		      enum finish_by *chosen, const char *why)
{
	tell(m, why);
	*chosen = how;
	return true;
}

static bool decide_hopeless(struct migration *m, enum finish_by *how)
{
	if (m->options.postcopy)
		return finish_by(m, FINISH_BY_POSTCOPY, how,
				 "does not converge, switching to post-copy");
	/* libvirt has to be told before it begins. */
	tell(m, m->progress.engine == ENGINE_NATIVE
	     ? "does not converge; with --postcopy it would be switched"
	     : "does not converge; 'straddle postcopy GUEST' would finish it");
	return false;
}

/**
 * round_decide() - after a round, or one that was cut: go on, or finish?
 * @m: with what the round measured; told in words
 * @how: receives how to finish
 *
 * Return: true: no more rounds.
 */
bool round_decide(struct migration *m, enum finish_by *how)
{
	const struct migration_options *options = &m->options;

	if (m->switch_asked)
		return finish_by(m, FINISH_BY_POSTCOPY, how,
				 "switching to post-copy as asked");
	if (rounds_timed_out(m))
		return options->timeout_action == TIMEOUT_POSTCOPY
			? finish_by(m, FINISH_BY_POSTCOPY, how,
				    "time is up, switching to post-copy")
			: finish_by(m, FINISH_BY_COPY, how,
				    "time is up, stopping the guest");
	if (options->postcopy_after_precopy)
		return finish_by(m, FINISH_BY_POSTCOPY, how,
				 "switching to post-copy after pre-copy");
	switch (outlook(m)) {
	case OUTLOOK_CONVERGED:
		return finish_by(m, FINISH_BY_COPY, how,
				 "the rest fits the downtime, stopping");
	case OUTLOOK_HOPELESS:
		if (decide_hopeless(m, how))
			return true;
		break;
	case OUTLOOK_CONVERGING:
		tell(m, "converging, one more round");
		break;
	}
	if (m->progress.round < options->rounds_max)
		return false;
	return finish_by(m, options->postcopy ? FINISH_BY_POSTCOPY
					      : FINISH_BY_COPY, how,
			 "no more rounds allowed");
}

/**
 * rounds_run() - pre-copy, until the guest should be stopped
 * @m: performing; tracked, unless it stands still already
 * @how: receives how to finish after the stop
 *
 * A guest that stands still needs one round at the end; without any round
 * everything is left to post-copy.
 *
 * Return: 0 or -errno with @m->fail.
 */
int rounds_run(struct migration *m, enum finish_by *how)
{
	int ret = source_populated(m->source);

	*how = m->options.postcopy ? FINISH_BY_POSTCOPY : FINISH_BY_COPY;
	if (!m->tracking || m->state == STATE_STOPPED)
		return ret;
	while (!ret) {
		ret = round_run(m);
		if (!ret)
			ret = round_scan(m);
		if (ret || round_decide(m, how))
			break;
		ret = drain_end(m);
	}
	return ret;
}
