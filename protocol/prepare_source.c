// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * prepare_source.c - Prepare at the source: have the dest get ready.
 *
 * Handed: what Begin wrote down. Hands on: a token, with which the lanes are
 * opened. What it undoes is the dest's: see prepare_dest.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/particulars.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define CONNECT_TIMEOUT_MS	10000
#define GIVE_UP_TIMEOUT_MS	5000	/* the same, while the guest stands still */
#define DISCARD_TIMEOUT_MS	30000	/* silence while the dest undoes Prepare */

/**
 * control_connect() - connect to the dest for control messages
 * @m: source, without a control channel; receives it
 * @timeout_ms: for all of it
 *
 * Return: 0 or -errno with @m->fail.
 */
int control_connect(struct migration *m, int timeout_ms)
{
	struct preamble preamble;
	int ret;

	preamble_init(&preamble, ROLE_CONTROL, 0, m->id);
	ret = channel_connect(m->options.host, &preamble, m->credentials,
			      timeout_ms, &m->channel, &m->fail);
	if (ret < 0)
		return ret;
	channel_set(m, m->channel);
	return channel_tune(m->channel, ROLE_CONTROL);
}

static int prepare_send(struct migration *m)
{
	Straddle__Region regions[GUEST_REGIONS_MAX];
	Straddle__Region *list[GUEST_REGIONS_MAX];
	Straddle__Disk disks[GUEST_DISKS_MAX];
	Straddle__Disk *disk_list[GUEST_DISKS_MAX];
	char boot_id[64];
	Straddle__Prepare prepare = STRADDLE__PREPARE__INIT;
	struct guest_description *guest = &m->description;
	int ret;

	regions_say(&m->description, regions, list);
	disks_say(&m->description, disks, disk_list);
	boot_id_read(boot_id, sizeof(boot_id));
	prepare.guest = guest->name;
	prepare.hypervisor = (char *)m->driver->name;
	prepare.version = guest->version;
	prepare.boot_id = boot_id;
	prepare.n_disks = guest->disk_count;
	prepare.disks = disk_list;
	/* With disks that are copied it says no more of them. */
	prepare.has_unsafe = true;
	prepare.unsafe = m->options.unsafe && !m->options.copy_storage;
	prepare.has_allow_version_skew = m->options.allow_version_skew;
	prepare.allow_version_skew = m->options.allow_version_skew;
	prepare.has_copy_storage = m->options.copy_storage;
	prepare.copy_storage = (Straddle__CopyStorage)m->options.copy_storage;
	prepare.has_dry_run = prepare.dry_run = m->options.dry_run;
	prepare.dest_name = m->options.dest_name[0] ? m->options.dest_name
						    : guest->name;
	prepare.uuid = guest->uuid;
	prepare.live = guest->live;
	prepare.given = m->leaving.live;
	prepare.has_definitions_differ = true;
	prepare.definitions_differ = guest->persistent &&
				     strcmp(guest->live, guest->persistent);
	prepare.n_regions = guest->region_count;
	prepare.regions = list;
	prepare.vcpus = guest->vcpus;
	prepare.epoch = m->epoch;
	prepare.has_paused = true;
	prepare.paused = !guest->running;
	prepare.has_fault_lanes = m->options.fault_lanes;
	prepare.fault_lanes = m->options.fault_lanes;
	prepare.has_push_lanes = m->options.push_lanes;
	prepare.push_lanes = m->options.push_lanes;
	prepare.has_packs = prepare.packs = m->options.compressed;
	prepare.has_postcopy = true;
	prepare.postcopy = m->options.postcopy;
	prepare.has_has_persistent = true;
	prepare.has_persistent = m->options.persistent;
	prepare.has_cookie = !cookie_bake(&m->mine, &prepare.cookie);
	ret = send_message(m, MSG_PREPARE, &prepare.base);
	free(prepare.cookie.data);
	return ret;
}

static int prepared_take(struct migration *m, const Straddle__Prepared *said)
{
	int ret;

	if (said->token.len != TOKEN_SIZE || !said->fault_lanes ||
	    !said->push_lanes || said->fault_lanes > LANES_A_ROLE_MAX ||
	    said->push_lanes > LANES_A_ROLE_MAX)
		return fail_set(&m->fail, -EPROTO,
				"%s answered Prepare with numbers that make no sense",
				m->options.host);
	memcpy(m->token, said->token.data, TOKEN_SIZE);
	m->fault_lanes = said->fault_lanes;
	m->push_lanes = said->push_lanes;
	lanes_packed(m, said->has_packs && said->packs);
	ret = storage_agree(m, said->n_copy, said->copy);
	return ret ? ret : cookie_take(m, &said->cookie);
}

static int prepared_wait(struct migration *m)
{
	struct event event;
	int ret = event_wait(m, PREPARE_TIMEOUT_MS, &event);

	if (ret < 0)
		return ret;
	switch (event.kind) {
	case EVENT_TIMEOUT:
		return fail_set(&m->fail, -ETIMEDOUT,
				"%s did not answer Prepare within %u s",
				m->options.host, PREPARE_TIMEOUT_MS / 1000);
	case EVENT_MESSAGE:
		break;
	default:
		return event_refuse(m, &event);
	}
	if (event.message.type != MSG_PREPARED)
		return event_refuse(m, &event);
	ret = prepared_take(m, (Straddle__Prepared *)event.message.body);
	message_fini(&event.message);
	return ret;
}

/* What both sides have to say. */
static int dry_run_end(struct migration *m)
{
	if (m->fail.err)
		obstacle(&m->obstacles, m->fail.err, "%s", m->fail.text);
	if (!m->obstacles.err)
		return 0;
	memset(&m->fail, 0, sizeof(m->fail));
	return fail_set(&m->fail, m->obstacles.err, "%s", m->obstacles.text);
}

/**
 * prepare_source() - have the dest get ready, open all lanes
 * @m: begun
 *
 * Return: 0 or -errno with @m->fail.
 */
int prepare_source(struct migration *m)
{
	int ret = control_connect(m, CONNECT_TIMEOUT_MS);

	if (!ret)
		ret = prepare_send(m);
	if (!ret)
		ret = pulse_start(m);
	if (!ret)
		ret = prepared_wait(m);
	if (m->options.dry_run)
		return dry_run_end(m);
	if (!ret)
		ret = m->port_ops->decided(m->port, &m->fail);
	if (!ret)
		ret = lanes_connect(m);
	return ret;
}

/* The dest closes when nothing is left of the guest that it had made. */
static void discarded_wait(struct migration *m, int timeout_ms)
{
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * 1000000;
	struct fail ignored = { 0 };
	struct message message;

	while (m->channel && now_ns() < end_ns &&
	       !message_receive(m->channel, SIDE_DEST, m->phase, timeout_ms,
				&message, &ignored))
		message_fini(&message);
}

/**
 * prepare_give_up() - have the dest undo it, and wait for that a while
 * @m: failed, and not asked
 */
void prepare_give_up(struct migration *m)
{
	cancel_send(m, m->fail.text);
	discarded_wait(m, GIVE_UP_TIMEOUT_MS);
	channel_lost(m);
}

/**
 * prepare_undo_source() - tell the dest to discard what it prepared
 * @m: failed; without a connection the dest finds out by itself
 */
void prepare_undo_source(struct migration *m)
{
	storage_cancel(m);
	cancel_send(m, m->fail.text);
	/* The other engine is to find the guest's name free there. */
	if (m->options.engine == ENGINE_AUTO && m->state == STATE_BEGUN)
		discarded_wait(m, DISCARD_TIMEOUT_MS);
	channel_lost(m);
}
