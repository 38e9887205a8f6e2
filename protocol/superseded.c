// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * superseded.c - dest: a copy whose guest was taken back at its source.
 *
 * It stands still until an operator ends it, whoever resumes it. Of one that was
 * arriving the process is stopped (SIGSTOP): vCPUs that wait for a page cannot be
 * paused. One that had arrived is asked where its memory lies, paused, and fenced,
 * as a held source is, so that its hypervisor answers. Either holds without us:
 * who comes after us takes it up.
 */
#include <errno.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

static void stopped_note(struct migration *m)
{
	broken_note(m,
		    "taken back at its source by an operator: this copy is stopped (%s), and to be ended ('straddle resolve')",
		    m->fenced && !m->frozen ? "fenced" : "SIGSTOP");
}

/**
 * superseded_note() - a successor tells of a copy that stands still
 * @m: in SUPERSEDED
 *
 * Its row does not say since when.
 */
void superseded_note(struct migration *m)
{
	stopped_note(m);
	m->progress.broken_ns = 0;
	progress_tell(m);
}

/* A cut that was before is no part of it: it counts from now on. */
static int stop_begin(struct migration *m)
{
	int ret = owner_move(m, STATE_SUPERSEDED);

	if (!ret)
		m->progress.broken_ns = 0;
	return ret;
}

/**
 * superseded() - the source's operator took the guest back: it stops here
 * @m: dest, past GO
 * @said: the source's SUPERSEDE
 *
 * A copy that runs is stopped and told, never killed by a message.
 *
 * Return: 0: done, or it is not newer; or -errno: the source has to come again.
 */
int superseded(struct migration *m, const Straddle__Supersede *said)
{
	int ret;

	if (said->epoch != m->epoch + 1)
		return -EPROTO;
	/* First: else whoever dies in between has it go on at its next start. */
	ret = m->state == STATE_SUPERSEDED ? 0 : stop_begin(m);
	if (!ret && !m->fenced)
		ret = fence_freeze(m);
	if (ret)
		return ret;
	if (m->dest)
		dest_lanes_destroy(m->dest);
	stopped_note(m);
	return answer_send(m, STRADDLE__ANSWER_KIND__RAN, "it is stopped now");
}

/**
 * superseded_look() - now and then: nobody has it go on
 * @m: dest, in SUPERSEDED
 *
 * To a process that is stopped it is nothing; one that somebody sent SIGCONT
 * stops again.
 */
void superseded_look(struct migration *m)
{
	struct fail ignored = m->fail;

	if (m->frozen && m->guest && !m->guest_ended)
		fence_freeze(m);
	m->fail = ignored;
}

/* The very process of its row: the guest may have come here again since. */
static int copy_open(struct migration *m)
{
	int ret = guest_find(m->drivers, &m->host, m->description.name,
			     &m->driver, &m->guest, &m->fail);

	return ret ? ret : guest_expect(m, m->process);
}

/* Nobody saves it or moves it away; one that cannot be paused waits at its fence. */
static int copy_pause(struct migration *m, bool running)
{
	struct fail ignored = { 0 };

	if (running)
		m->driver->pause(m->guest, &ignored);
	return m->driver->hold ? m->driver->hold(m->guest, true, &m->fail) : 0;
}

/* Its hypervisor says where its memory lies, and pauses it for everybody. */
static int copy_ask(struct migration *m)
{
	struct guest_description now = { .pid = 0 };
	int ret = m->driver->describe(m->guest, &now, &m->fail);

	if (!ret)
		ret = m->driver->map(m->guest, &now, &m->fail);
	if (!ret)
		ret = copy_pause(m, now.running);
	if (ret) {
		guest_description_fini(&now);
		return ret;
	}
	guest_description_fini(&m->description);
	m->description = now;
	return 0;
}

/* A fence that is there already is gone on with. */
static int copy_take_up(struct migration *m)
{
	struct fail ignored = { 0 };

	m->port_ops->adopt(m->port, m->description.pid, m->fence.remote_fd,
			   &m->fence, &ignored);
	return m->port_ops->files(m->port, &m->description, &m->fail);
}

/* Where nobody says where its memory is, its process stays stopped instead. */
static int copy_fence(struct migration *m, bool paused)
{
	int ret = paused ? copy_take_up(m) : copy_ask(m);

	if (!ret)
		ret = memory_map_regions(m);
	if (!ret)
		ret = fence_again(m);
	if (ret)
		progress_decide(m,
				"the memory of guest '%s' cannot be protected, so its process stays stopped: %s",
				m->description.name,
				m->fail.err ? m->fail.text : strerror(-ret));
	memset(&m->fail, 0, sizeof(m->fail));
	return m->fenced ? 0 : fence_freeze(m);
}

/**
 * superseded_adopt() - have a copy stand still that had arrived
 * @m: in SUPERSEDED; its process lives
 * @known: the testament of a predecessor was read
 *
 * Return: 0, or -errno with @m->fail.
 */
int superseded_adopt(struct migration *m, bool known)
{
	/* One of before it was taken back has no fence: it runs, and would get stuck. */
	bool paused = known && m->fence.remote_fd >= 0;
	int ret;

	memset(&m->fail, 0, sizeof(m->fail));
	m->attachment.remote_fd = -1;	/* all pages were there: it was closed */
	ret = copy_open(m);
	if (!ret)
		ret = copy_fence(m, paused);
	if (!ret)
		ret = lanes_listen(m, m->peer_digest);
	if (ret)
		return ret;
	superseded_note(m);
	return news_watch(m);
}
