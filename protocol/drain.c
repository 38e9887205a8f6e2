// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * drain.c - stand still for a look at what was written.
 *
 * A page that a device's direct I/O has pinned is written behind the page
 * tables' back: protected while the read is in flight and filled afterwards,
 * it does not show up in any later look. So whoever has such devices stands
 * still, with I/O drained, while its memory is protected or looked at.
 */
#include <errno.h>

#include "protocol/phase.h"
#include "sys.h"

#define DRAIN_TRIES	16	/* somebody resumes it again and again */

/**
 * pause_ask() - stop the guest, unless somebody has
 * @m: performing. A guest that another paused meanwhile stays paused
 *
 * Return: 0 or -errno with @m->fail.
 */
int pause_ask(struct migration *m)
{
	int ret = m->driver->pause(m->guest, &m->fail);

	if (ret == 1 && m->description.running)
		news_paused(m);
	else if (ret == 1)
		m->drained = false;	/* not by us */
	else if (!ret && !m->description.running && m->description.drain)
		news_resumed(m);	/* it ran until now */
	return ret < 0 ? ret : 0;
}

/* Have the guest stand still, if its devices ask for it. */
static int drain_begin(struct migration *m)
{
	int ret;

	if (!m->description.drain || m->drained || m->state == STATE_STOPPED)
		return 0;
	/* Is what was paused still so? Whoever cannot listen cannot ask often. */
	if (!m->description.running && m->news_fd < 0)
		return 0;
	m->drained_ns = now_ns();
	m->drained = true;	/* also if it failed half way */
	ret = pause_ask(m);
	if (ret < 0 && !m->description.running)
		m->drained = false;	/* it was not for us to resume */
	m->progress.downtime_pause_ns = now_ns() - m->drained_ns;
	return ret;
}

/* Did somebody resume it while it was to stand still? */
static bool drain_broken(struct migration *m)
{
	if (!m->description.drain || m->state == STATE_STOPPED ||
	    !m->driver->runs || m->news_fd < 0 ||
	    m->driver->runs(m->guest) != GUEST_RUNS)
		return false;
	m->drained = false;
	return true;
}

/**
 * drain_look() - look at its memory while it stands still
 * @m: performing; it stands still afterwards
 * @look: to be done. What it saw while somebody had the guest run may have been
 *	written meanwhile: it is done again
 *
 * Return: 0; -EBUSY: somebody resumes it again and again; or -errno.
 */
int drain_look(struct migration *m, int (*look)(struct migration *m))
{
	int tries;

	for (tries = 0; tries < DRAIN_TRIES; tries++) {
		int ret = drain_begin(m);

		if (!ret)
			ret = look(m);
		if (ret || !drain_broken(m))
			return ret;
	}
	return -EBUSY;
}

/**
 * drain_end() - let it go on
 * @m: standing still or not
 *
 * Return: 0 or -errno with @m->fail; then it stands still.
 */
int drain_end(struct migration *m)
{
	uint64_t stood_ns;
	int ret;

	if (!m->drained)
		return 0;
	ret = m->driver->resume(m->guest, &m->fail);
	if (ret < 0)
		return ret;
	m->drained = false;
	stood_ns = now_ns() - m->drained_ns;
	m->progress.pauses++;
	if (stood_ns > m->progress.pause_max_ns)
		m->progress.pause_max_ns = stood_ns;
	return 0;
}
