// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * start.c - the dest starts the guest that it owns.
 *
 * GO is on the disk: whatever goes wrong here, the guest is this host's. It is
 * killed for nothing; only a process that is gone is DIED.
 */
#include <errno.h>
#include <string.h>

#include "protocol/phase.h"

/**
 * died_here() - the guest that is owned here is gone
 * @m: past GO; @m->fail says it in words
 *
 * Return: -EOWNERDEAD: it is on the disk; or another -errno, as owner_insist().
 */
int died_here(struct migration *m)
{
	int ret = owner_insist(m, STATE_DIED);

	if (ret)
		return ret;
	answer_send(m, STRADDLE__ANSWER_KIND__DIED, m->fail.text);
	return -EOWNERDEAD;
}

/* It owns a guest whose process is gone. */
static int start_failed(struct migration *m, int error)
{
	struct fail ignored = { 0 };

	if (m->driver->destroy(m->guest, &ignored) < 0)
		return error;
	m->guest_ended = true;
	return died_here(m);
}

static int ask(struct migration *m)
{
	return m->keep_paused ? m->driver->pause(m->guest, &m->fail)
			      : m->driver->resume(m->guest, &m->fail);
}

static int started(struct migration *m)
{
	int ret;

	m->mine.started_ns = wall_clock_ns();
	ret = owner_record(m, STATE_RUNNING);
	if (!ret)
		answer_send(m, STRADDLE__ANSWER_KIND__RAN, NULL);
	return ret;
}

/*
 * It may run, and its hypervisor wait for a page, or whoever is between us and it
 * be away: no reason to kill it. Its pages go on arriving, and it is asked again.
 */
static int start_later(struct migration *m)
{
	m->start_due = true;
	progress_decide(m,
			"guest '%s' may run here already, but does not answer: its pages go on, it is asked again (%.200s)",
			m->description.name, m->fail.text);
	memset(&m->fail, 0, sizeof(m->fail));
	return 0;
}

/**
 * start_guest() - start a guest that is owned here, if it does not run
 * @m: in state GO; of a successor nobody knows whether it was started
 *
 * A process that is gone is DIED, not NEVER_RAN. A guest that stays paused is
 * told, too: it waits for no migration any more.
 *
 * Return: as finish_dest().
 */
int start_guest(struct migration *m)
{
	int ret = part_time(m, &m->mine.resume_ns, ask);

	if (ret < 0 && m->driver->alive(m->guest))
		return start_later(m);
	return ret < 0 ? start_failed(m, ret) : started(m);
}

/**
 * finish_dest_late() - ask once more who did not answer its start
 * @m: confirming; nothing is complete before it has answered
 *
 * Return: true: it runs now.
 */
bool finish_dest_late(struct migration *m)
{
	if (!m->start_due || m->state != STATE_GO)
		return false;
	m->start_due = ask(m) < 0;
	memset(&m->fail, 0, sizeof(m->fail));
	return !m->start_due && !started(m);
}
