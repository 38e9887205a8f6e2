// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * begin.c - Begin: the source writes down what the guest is.
 *
 * Handed: a guest's name and how to migrate it. Hands on: the live and the
 * persistent definition, apart; the region map; a new migration id; a journal
 * row. Undone by: forgetting the row. The guest never notices.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/phase.h"

/* For who came here a moment ago: its source is about to hear so. */
#define BEGIN_AGAIN_MS	200
#define BEGIN_TRIES	25

static void check_regions(const struct migration *m, struct obstacles *found)
{
	const struct guest_description *guest = &m->description;
	unsigned int i;

	if (!guest->region_count)
		obstacle(found, -EINVAL, "its hypervisor names no memory");
	for (i = 0; i < guest->region_count; i++)
		if (guest_region_has_file(&guest->regions[i]) && guest->regions[i].fd < 0)
			obstacle(found, -EINVAL,
				 "the file of its region '%s' cannot be read",
				 guest->regions[i].name);
}

/* Whether the user's definitions are its own, the hypervisor knows. */
static void check_leaving(struct migration *m, struct obstacles *found)
{
	m->leaving.undefine = m->options.undefine_source;
	if (m->driver->check_leaving)
		m->driver->check_leaving(m->guest, &m->description, &m->leaving,
					 found);
	else if (m->leaving.live || m->leaving.persistent)
		obstacle(found, -EINVAL,
			 "--xml and --persistent-xml are for libvirt's guests, and it is none");
	if (m->options.copy_storage && !m->driver->storage)
		obstacle(found, -EOPNOTSUPP,
			 "disks of %s guests cannot be copied: leave --copy-storage-all out",
			 m->driver->name);
}

/* Where its memory lies; to ask only whether it could go needs no answer. */
static void map_guest(struct migration *m, struct obstacles *found)
{
	struct fail why = { 0 };
	int ret;

	if (m->options.dry_run)
		return;
	ret = m->driver->map(m->guest, &m->description, &why);
	if (ret < 0)
		obstacle(found, ret, "%s", why.err ? why.text : strerror(-ret));
	else
		check_regions(m, found);
}

/* All that is in the way on this side; a dry run goes on to the other. */
static int check_guest(struct migration *m)
{
	struct obstacles *found = &m->obstacles;

	if (m->description.incoming)
		obstacle(found, -EINVAL, "it is just arriving here");
	check_leaving(m, found);
	map_guest(m, found);
	if (!found->err || m->options.dry_run)
		return 0;
	return fail_set(&m->fail, found->err,
			"guest '%s' cannot be migrated: %s",
			m->description.name, found->text);
}

/* What is in the way of it passes by itself, as a rule. Return: 0: now, or -errno. */
static int begin_later(struct migration *m)
{
	struct event event;
	int ret;

	memset(&m->fail, 0, sizeof(m->fail));
	ret = event_wait(m, BEGIN_AGAIN_MS, &event);
	if (!ret && event.kind != EVENT_TIMEOUT && event.kind != EVENT_SWITCH)
		ret = event_refuse(m, &event);
	return ret;
}

/**
 * begin_row() - write the guest's migration into the journal
 * @m: with its description
 *
 * Return: 0 or -errno with @m->fail; -EEXIST: the guest has another one.
 */
int begin_row(struct migration *m)
{
	struct journal_row row = {
		.side = SIDE_SOURCE,
		.state = STATE_BEGUN,
		.guest_pid = m->description.pid,
		.paused = !m->description.running,
	};
	int tries = BEGIN_TRIES, ret;

	snprintf(row.guest, sizeof(row.guest), "%s", m->description.name);
	snprintf(row.uuid, sizeof(row.uuid), "%s", m->description.uuid);
	snprintf(row.peer, sizeof(row.peer), "%s", m->options.host);
	ret = owner_begin(m, &row);
	while (ret == -EAGAIN && --tries && !(ret = begin_later(m)))
		ret = owner_begin(m, &row);
	if (ret < 0)
		return ret;
	m->epoch = row.epoch;
	m->state = STATE_BEGUN;
	return 0;
}

/**
 * begin_source() - write down the guest, refuse what cannot be migrated
 * @m: with its options
 *
 * Return: 0 or -errno with @m->fail, naming every obstacle at once.
 */
int begin_source(struct migration *m)
{
	int ret = guest_find(m->drivers, &m->host, m->options.guest,
			     &m->driver, &m->guest, &m->fail);

	if (!ret)
		ret = m->driver->describe(m->guest, &m->description, &m->fail);
	if (!ret)
		ret = check_guest(m);
	if (ret < 0 || m->options.dry_run)
		return ret;
	ret = begin_row(m);
	if (!ret)
		ret = memory_map_regions(m);
	if (!ret)
		ret = source_create(&m->map, m->options.bandwidth, &m->source);
	return ret;
}

/**
 * begin_undo_source() - forget it: the guest runs on here
 * @m: failed; its row, if there is one and it is open, ends
 */
void begin_undo_source(struct migration *m)
{
	/* With --engine auto the other engine goes on from here. */
	if (m->options.engine == ENGINE_AUTO && m->state == STATE_BEGUN)
		return;
	if (m->drained)
		return;		/* it stands still: the agent tries on */
	if (m->state == STATE_BEGUN || m->state == STATE_PERFORMING)
		owner_move(m, STATE_RESUMED);
}
