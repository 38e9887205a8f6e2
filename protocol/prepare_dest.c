// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * prepare_dest.c - Prepare at the dest: get ready to accept the guest.
 *
 * It checks everything, creates the guest paused with empty memory, registers
 * that memory and journals PREPARED. Undone by: DISCARDED in the journal, which
 * is a promise, then killing the guest that was created. Nothing else is
 * stored about it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/particulars.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define KILL_TIMEOUT_MS		30000	/* for a process to be gone */

/* Of a migration with a row somebody else is asked: this one is not known. */
static int query_answer(struct migration *m)
{
	answer_send(m, STRADDLE__ANSWER_KIND__UNKNOWN, NULL);
	channel_lost(m);
	return fail_set(&m->fail, -ENOENT,
			"the source asked for a migration that is not known here");
}

static int prepare_receive(struct migration *m, struct message *message)
{
	int ret = message_receive(m->channel, SIDE_SOURCE, PHASE_PREPARE,
				  PREPARE_TIMEOUT_MS, message, &m->fail);

	if (ret < 0)
		return ret;
	channel_set(m, m->channel);
	if (message->type == MSG_PREPARE)
		return pulse_start(m);
	ret = message->type == MSG_QUERY ? query_answer(m) :
		fail_set(&m->fail, -EPROTO,
			 "the source began with something else than Prepare");
	message_fini(message);
	return ret;
}

static uint32_t lanes_accept(uint32_t asked, uint32_t otherwise)
{
	uint32_t lanes = asked ? asked : otherwise;

	return lanes < LANES_A_ROLE_MAX ? lanes : LANES_A_ROLE_MAX;
}

static int prepare_take(struct migration *m, const Straddle__Prepare *said)
{
	uint32_t vcpus = said->vcpus ? said->vcpus : 1;

	if (strlen(said->dest_name) >= GUEST_NAME_MAX ||
	    strlen(said->uuid) >= GUEST_UUID_SIZE ||
	    strlen(said->live) > GUEST_DEFINITION_MAX ||
	    (said->given && strlen(said->given) > GUEST_DEFINITION_MAX) ||
	    said->epoch >= INT64_MAX || said->n_regions > GUEST_REGIONS_MAX ||
	    (!said->n_regions && !said->dry_run) ||
	    (unsigned int)said->copy_storage > COPY_STORAGE_INC)
		return fail_set(&m->fail, -EPROTO,
				"the source's Prepare is out of bounds");
	m->driver = guest_driver_named(m->drivers, said->hypervisor
						   ? said->hypervisor : "vmm");
	if (!m->driver)
		return fail_set(&m->fail, -EOPNOTSUPP,
				"guest '%.63s' is one of %.32s, which the agent of this host does not know; is it of an older version?",
				said->guest, said->hypervisor);
	snprintf(m->dest_name, sizeof(m->dest_name), "%s", said->dest_name);
	snprintf(m->description.name, sizeof(m->description.name), "%s",
		 said->dest_name);
	snprintf(m->description.uuid, sizeof(m->description.uuid), "%s",
		 said->uuid);
	m->epoch = said->epoch + 1;	/* GO's, reserved for us */
	m->options.dry_run = said->dry_run;
	m->keep_paused = said->paused;
	m->fault_lanes = lanes_accept(said->fault_lanes,
				      vcpus < FAULT_LANES ? vcpus
							  : FAULT_LANES);
	m->push_lanes = lanes_accept(said->push_lanes, PUSH_LANES);
	m->packs = said->has_packs && said->packs;
	m->prepare_live = strdup(said->live);
	m->prepare_given = said->given ? strdup(said->given) : NULL;
	if (!m->prepare_live || (said->given && !m->prepare_given))
		return -ENOMEM;
	return cookie_take(m, &said->cookie);
}

/*
 * Before the guest is made: whoever finds the row finds the guest by its name
 * and UUID, and a clash is refused before anything was started.
 */
static int row_begin(struct migration *m)
{
	const uint8_t *digest = channel_peer(m->channel);
	struct journal_row row = {
		.side = SIDE_DEST,
		.state = STATE_PREPARED,
		.epoch = m->epoch,
	};
	unsigned int i;
	int ret;

	snprintf(row.guest, sizeof(row.guest), "%s", m->dest_name);
	snprintf(row.uuid, sizeof(row.uuid), "%s", m->description.uuid);
	snprintf(row.peer, sizeof(row.peer), "%s",
		 channel_peer_name(m->channel));
	for (i = 0; i < 32; i++)
		snprintf(row.peer_digest + 2 * i, 3, "%02x", digest[i]);
	ret = owner_begin(m, &row);
	if (!ret)
		m->state = STATE_PREPARED;
	return ret;
}

/* Could it be made here? Everything that is in the way. */
static int guest_check(struct migration *m, const Straddle__Prepare *said,
		       struct guest_incoming *incoming)
{
	*incoming = (struct guest_incoming){
		.live = m->prepare_live,
		.given = m->prepare_given,
		.name = m->dest_name,
		.version = said->version ? said->version : "",
		.boot_id = said->boot_id ? said->boot_id : "",
		.disks = m->description.disks,
		.disk_count = m->description.disk_count,
		.unsafe = said->unsafe,
		.allow_version_skew = said->allow_version_skew,
		.copy_storage = (enum copy_storage)said->copy_storage,
	};
	if (incoming->copy_storage && !m->driver->storage)
		return fail_set(&m->fail, -EOPNOTSUPP,
				"disks of %s guests cannot be copied here: leave --copy-storage-%s out",
				m->driver->name,
				incoming->copy_storage == COPY_STORAGE_INC ?
				"inc" : "all");
	return m->driver->check(&m->host, incoming, &m->fail);
}

/* What is described anew has no disks: they are only known to the source. */
static int guest_describe(struct migration *m)
{
	struct guest_disk *disks = take_ptr(m->description.disks);
	unsigned int count = m->description.disk_count;
	int ret = m->driver->describe(m->guest, &m->description, &m->fail);

	free(m->description.disks);
	m->description.disks = disks;
	m->description.disk_count = count;
	return ret;
}

static int guest_create(struct migration *m, const Straddle__Prepare *said)
{
	struct guest_region regions[GUEST_REGIONS_MAX];
	struct guest_incoming incoming;
	int ret = guest_check(m, said, &incoming);

	if (!ret)
		ret = storage_make(m, &incoming);
	regions_take(said, regions);
	incoming.regions = regions;
	incoming.region_count = (unsigned int)said->n_regions;
	if (!ret)
		ret = m->driver->create_incoming(&m->host, &incoming,
						 &m->guest, &m->fail);
	if (!ret)
		ret = news_watch(m);
	if (!ret)
		ret = guest_describe(m);
	if (!ret)
		ret = m->port_ops->process(m->port, m->description.pid, &m->fail);
	if (!ret)
		ret = m->driver->map(m->guest, &m->description, &m->fail);
	return ret;
}

/**
 * states_path() - where the states of this migration's pages are kept
 * @m: dest; remembers it, to remove the file in the end
 *
 * Return: the path, in @m.
 */
const char *states_path(struct migration *m)
{
	char *path = m->states_path;
	int used = snprintf(path, sizeof(m->states_path), "%s/pages-",
			    m->run_dir);
	unsigned int i;

	for (i = 0; i < MIGRATION_ID_SIZE; i++)
		snprintf(path + used + 2 * i,
			 sizeof(m->states_path) - (size_t)used - 2 * i,
			 "%02x", m->id[i]);
	return path;
}

static int dest_make(struct migration *m)
{
	int ret = dest_create(&m->map, states_path(m), m->attachment.uffd,
			      &m->dest);

	if (ret < 0) {
		fail_set(&m->fail, ret, "cannot keep page states in %s: %s",
			 m->states_path, strerror(-ret));
		m->states_path[0] = '\0';
	}
	return ret;
}

static int prepared_send(struct migration *m)
{
	Straddle__Prepared prepared = STRADDLE__PREPARED__INIT;
	uint32_t copy[GUEST_DISKS_MAX];
	unsigned int i;
	int ret;

	for (i = 0; m->storage && i < m->storage->count; i++)
		copy[i] = m->storage->disks[i].index;
	prepared.n_copy = i;
	prepared.copy = copy;
	prepared.token.data = m->token;
	prepared.token.len = sizeof(m->token);
	prepared.fault_lanes = m->fault_lanes;
	prepared.push_lanes = m->push_lanes;
	prepared.has_packs = prepared.packs = m->packs;
	prepared.has_cookie = !cookie_bake(&m->mine, &prepared.cookie);
	ret = send_message(m, MSG_PREPARED, &prepared.base);
	free(prepared.cookie.data);
	return ret;
}

static int prepare_guest(struct migration *m, const Straddle__Prepare *said)
{
	struct guest_incoming incoming;
	int ret = prepare_take(m, said);

	if (!ret)
		ret = disks_take(said, &m->description);
	if (!ret && said->dry_run)
		return guest_check(m, said, &incoming);
	if (!ret)
		ret = row_begin(m);
	if (!ret)
		ret = guest_create(m, said);
	if (!ret)
		ret = regions_compare(&m->description, said, &m->fail);
	if (!ret)
		ret = memory_receive(m);
	if (!ret)
		ret = dest_make(m);
	if (!ret)
		ret = lanes_listen(m, channel_peer(m->channel));
	if (!ret)
		ret = storage_serve(m);
	return ret;
}

/**
 * prepare_dest() - check, create the guest, register its memory
 * @m: with its control channel
 *
 * Return: 0 or -errno with @m->fail.
 */
int prepare_dest(struct migration *m)
{
	struct message message;
	int ret = prepare_receive(m, &message);

	if (ret < 0)
		return ret;
	ret = prepare_guest(m, (Straddle__Prepare *)message.body);
	message_fini(&message);
	return ret ? ret : prepared_send(m);
}

static void failed_send(struct migration *m)
{
	Straddle__Failed failed = STRADDLE__FAILED__INIT;

	if (m->phase > PHASE_PERFORM)
		return;		/* Finish has answers of its own */
	failed.reason = m->fail.text;
	send_message(m, MSG_FAILED, &failed.base);
}

/* A thread that waits in a fault hears no polite request. */
static void process_kill(struct migration *m)
{
	int pidfd = m->driver->pidfd(m->guest);

	if (pidfd < 0)
		return;
	m->port_ops->process_signal(m->port, SIGKILL);
	(void)sys_wait_fd(pidfd, POLLIN, KILL_TIMEOUT_MS);
}

/**
 * prepare_discard() - leave nothing of the guest that was prepared
 * @m: discarded. Twice is once
 */
void prepare_discard(struct migration *m)
{
	struct fail ignored = { 0 };
	bool alive = m->guest && !m->guest_ended;

	/* Dead before it is let go: who waits for a page never sees zeroes. */
	if (alive)
		process_kill(m);
	/* But for a lane of ours that writes one: it waits, too. */
	memory_unregister(m);
	dest_destroy(m->dest);	/* nobody uses the userfaultfd any more */
	m->dest = NULL;
	if (alive)
		m->driver->destroy(m->guest, &ignored);
	m->guest_ended = true;
	memory_detach(m);
	storage_discard(m);
}

/**
 * prepare_undo_dest() - promise that it never runs here, leave nothing behind
 * @m: failed before GO
 */
void prepare_undo_dest(struct migration *m)
{
	if (m->state == STATE_PREPARED || m->state == STATE_LOADED)
		owner_move(m, STATE_DISCARDED);
	failed_send(m);
	prepare_discard(m);
}
