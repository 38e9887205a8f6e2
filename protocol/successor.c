// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * successor.c - go on with what a worker left that died.
 *
 * It is known to be dead, and its guest is not asked before its pages move:
 * it is stopped (source), or may wait for one of them (dest). At the source
 * memory is protected once more, from the beginning, and served from there.
 * At the dest the userfaultfd that lies in the guest's process is taken up;
 * present pages are served at once, and everything else when the source comes.
 *
 * Where the guest's process is gone, so is its memory. A source without it can
 * still ask, and learn that nothing was lost; a dest's guest has died.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/testament.h"
#include "sys.h"

/**
 * guest_expect() - the open guest is that process, and not one that got its name
 * @m: with the guest; closed if it is not
 * @pid: of the process
 *
 * Return: 0; -ESTALE: it is another one; or another -errno with @m->fail.
 */
int guest_expect(struct migration *m, pid_t pid)
{
	pid_t now = m->port_ops->process_of(m->port);

	if (now == pid)
		return 0;
	m->driver->close(m->guest);
	m->guest = NULL;
	if (now < 0)
		return fail_set(&m->fail, now,
				"which process guest '%s' is cannot be found out: %s",
				m->description.name, strerror(-now));
	return fail_set(&m->fail, -ESTALE,
			"guest '%s' is another process (%d) than the one of this migration (%d)",
			m->description.name, (int)now, (int)pid);
}

static int guest_open(struct migration *m)
{
	int ret = m->driver->open(&m->host, m->description.name, &m->guest,
				  &m->fail);

	return ret ? ret : guest_expect(m, m->description.pid);
}

/* Descriptors that the dead one had, again. */
static int attachments_adopt(struct migration *m)
{
	struct uffd_attachment *all[] = { &m->attachment, &m->fence };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 2 && !ret; i++)
		if (all[i]->remote_fd >= 0)
			ret = m->port_ops->adopt(m->port, m->description.pid,
						 all[i]->remote_fd, all[i],
						 &m->fail);
	/* At the source one that was closed protects nothing any more. */
	if (m->side != SIDE_SOURCE || ret != -EBADF)
		return ret;
	memset(&m->fail, 0, sizeof(m->fail));
	return 0;
}

static int memory_adopt(struct migration *m)
{
	int ret = m->port_ops->files(m->port, &m->description, &m->fail);

	if (!ret)
		ret = attachments_adopt(m);
	return ret ? ret : memory_map_regions(m);
}

/* ---- source ------------------------------------------------------------ */

static int source_make(struct migration *m)
{
	unsigned int i;
	int ret = source_create(&m->map, m->options.postcopy_bandwidth,
				&m->source);

	if (ret)
		return ret;
	/* Nothing is known of what the dest kept, until it says so. */
	for (i = 0; i < m->map.count; i++)
		bitmap_fill(&m->source->regions[i].dirty, true);
	m->progress.missing_unknown = true;
	source_hold(m->source);
	source_sweep_all(m->source);
	return 0;
}

/* There is nothing to serve and nothing to tear down; there is an answer. */
static int source_without_guest(struct migration *m)
{
	memset(&m->fail, 0, sizeof(m->fail));
	m->guest_ended = true;
	m->description.region_count = 0;
	broken_lost(m);
	return source_make(m);
}

static int source_adopt(struct migration *m)
{
	int ret = guest_open(m);

	if (!ret)
		ret = memory_adopt(m);
	if (!ret)
		ret = source_make(m);
	if (ret)
		return ret;
	m->paused_by_us = m->description.running;
	if (m->state == STATE_DIED_THERE && m->fence.uffd < 0)
		return 0;	/* nobody else has it: it was let go of */
	/* However far it was: nothing of the guest runs until it is done. */
	ret = fence_freeze(m);
	if (ret)
		return ret;
	fence_arm(m);
	return news_watch(m);
}

/* ---- dest -------------------------------------------------------------- */

/*
 * The userfaultfd may be gone from the guest's process: when all pages were
 * there, the dead one took it out, and did not get to say so.
 */
static int pages_adopt(struct migration *m)
{
	int ret = m->port_ops->files(m->port, &m->description, &m->fail);
	int attached = ret ? ret : attachments_adopt(m);

	if (!ret && attached != -EBADF)
		ret = attached;
	if (!ret)
		ret = memory_map_regions(m);
	m->registered = !ret && !attached;
	if (!ret)
		ret = dest_adopt(&m->map, states_path(m), m->attachment.uffd,
				 m->inserts, &m->dest);
	if (!ret && attached && !dest_complete(m->dest))
		ret = attached;
	if (!ret && !attached)
		ret = dest_lanes_end(m->dest);
	m->progress.postcopy = !ret && m->dest->missing;
	return ret ? fail_set(&m->fail, ret,
			      "cannot take over the memory of guest '%s': %s",
			      m->description.name, strerror(-ret)) : 0;
}

static int dest_take_over(struct migration *m)
{
	int ret = guest_open(m);

	if (!ret)
		ret = pages_adopt(m);
	if (!ret)
		ret = lanes_listen(m, m->peer_digest);
	if (!ret && m->state == STATE_SUPERSEDED)
		ret = fence_freeze(m);
	if (ret)
		return ret;
	if (states_poisoned(&m->dest->states))
		m->resolution = RESOLVE_POISON;
	if (m->state == STATE_SUPERSEDED)
		superseded_note(m);
	else
		broken_note(m,
			    "a worker died, and this one took its place: waiting for the source");
	return news_watch(m);
}

/* The host was started anew, or somebody removed what lay in its run_dir. */
static bool guest_is_gone(struct migration *m)
{
	struct fail ignored = { 0 };

	/* Who cannot be found by name may live all the same. */
	return m->process <= 0 &&
	       guest_find(m->drivers, &m->host, m->description.name, &m->driver,
			  &m->guest, &ignored) == -ENOENT;
}

/* It had started, or was about to: only its end is certain. */
static int dest_died(struct migration *m)
{
	memset(&m->fail, 0, sizeof(m->fail));
	states_path(m);		/* which goes with it */
	fail_set(&m->fail, -EOWNERDEAD,
		 "guest '%s' ended here before all its pages were there",
		 m->description.name);
	return died_here(m);
}

/* One that had arrived has no page states any more. */
static bool has_arrived(struct migration *m)
{
	__cleanup_fd int fd = states_file(states_path(m), O_RDONLY | O_CLOEXEC);

	return fd == -ENOENT;
}

/* @ret: of testament_read() */
static int dest_begin(struct migration *m, int ret)
{
	if ((ret == -ENOENT && guest_is_gone(m)) || (!ret && m->guest_ended))
		return dest_died(m);
	if (m->state != STATE_SUPERSEDED || !has_arrived(m))
		return ret ? ret : dest_take_over(m);
	return m->process ? superseded_adopt(m, !ret) : dest_died(m);
}

/**
 * successor_begin() - take up what the predecessor left
 * @m: with what its owner gives, and the row's state
 *
 * Return: 0: the phases go on; -EOWNERDEAD: the dest's guest has died; or
 * -errno with @m->fail: nothing was changed.
 */
int successor_begin(struct migration *m)
{
	int ret = testament_read(m);

	if (m->side == SIDE_SOURCE) {
		if ((ret == -ENOENT && m->process <= 0) ||
		    (!ret && m->guest_ended))
			ret = source_without_guest(m);
		else if (!ret)
			ret = source_adopt(m);
	} else {
		ret = dest_begin(m, ret);
	}
	return ret ? ret : pulse_start(m);
}
