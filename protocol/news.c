// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * news.c - somebody else had the hypervisor do something with the guest.
 *
 * What the hypervisor says and what the migration believes never differ in
 * silence: here they are compared whenever it has something to say. Its word
 * on our own doing comes here, too, and agrees.
 */
#include "protocol/phase.h"

/**
 * news_watch() - hear of it from here on, where the driver can
 * @m: with an open guest
 *
 * Return: 0 or -errno with @m->fail.
 */
int news_watch(struct migration *m)
{
	return m->driver->watch ?
	       m->driver->watch(m->guest, &m->news_fd, &m->fail) : 0;
}

/* For whoever has to end this, if we die. A row that did not hear is behind. */
static void remember(struct migration *m)
{
	struct fail ignored = { 0 };

	m->port_ops->paused(m->port, !m->description.running, &ignored);
}

/**
 * news_paused() - somebody paused the guest, which stays paused
 * @m: source, performing
 */
void news_paused(struct migration *m)
{
	m->description.running = false;
	m->drained = m->paused_by_us = false;
	remember(m);
	progress_decide(m, "somebody paused guest '%s': it stays paused",
			m->description.name);
}

/**
 * news_resumed() - somebody resumed a guest that was paused
 * @m: source, performing
 */
void news_resumed(struct migration *m)
{
	m->description.running = true;
	remember(m);
	progress_decide(m, "somebody resumed guest '%s': it will run on %s",
			m->description.name, m->options.host);
}

static void performing(struct migration *m, enum guest_runs now)
{
	if (m->drained || (now == GUEST_RUNS) == m->description.running)
		return;
	if (now == GUEST_PAUSED)
		news_paused(m);
	else if (now == GUEST_RUNS)
		news_resumed(m);
}

static void held(struct migration *m, enum guest_runs now)
{
	if (now == GUEST_RUNS && m->fenced && !m->fence_tried)
		fence_broken(m);
}

static void arrived(struct migration *m, enum guest_runs now)
{
	if (now == GUEST_PAUSED && !m->keep_paused)
		progress_decide(m,
				"somebody paused guest '%s'; its pages go on arriving",
				m->description.name);
}

/**
 * news_take() - compare what the hypervisor says with what is believed
 * @m: watched
 *
 * What is in between (STOPPING, RESUMING, GO) is compared where that ends; one
 * that arrives and is resumed before GO waits at its first look at memory.
 *
 * Return: 0, or -EBUSY with @m->fail: the guest, which had been stopped to be
 * moved, was resumed.
 */
int news_take(struct migration *m)
{
	enum guest_runs now = m->driver->runs(m->guest);

	switch (m->state) {
	case STATE_PERFORMING:
		performing(m, now);
		return 0;
	case STATE_STOPPED:
		return now == GUEST_RUNS ? perform_compare(m) : 0;
	case STATE_ASKED:
	case STATE_HELD:
	case STATE_CORRUPT:
	case STATE_SUPERSEDED:
		held(m, now);
		return 0;
	case STATE_RUNNING:
	case STATE_COMPLETE:
		arrived(m, now);
		return 0;
	default:
		return 0;
	}
}
