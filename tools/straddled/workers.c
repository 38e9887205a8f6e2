/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers.c - which workers there are: one a migration and side. */
#include <json-c/json.h>
#include <signal.h>
#include <string.h>

#include "tools/lib/packet.h"
#include "workers.h"

/**
 * worker_new() - what the agent has of a worker, before there is a process
 * @agent: of this host
 * @kind: what it is for
 * @id: of the migration, or ""
 *
 * Return: a worker that is linked nowhere, or NULL: no memory.
 */
struct worker *worker_new(struct agent *agent, enum worker_kind kind, const char *id)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->agent = agent;
	worker->kind = kind;
	worker->side = kind == WORKER_SOURCE ? SIDE_SOURCE : SIDE_DEST;
	worker->pidfd = worker->rpc = worker->command = worker->status = -1;
	worker->guest_told = -1;
	snprintf(worker->id, sizeof(worker->id), "%s", id);
	uplink_init(&worker->uplink);
	return worker;
}

/**
 * worker_close() - let go of what the agent has of a worker
 * @worker: linked nowhere; freed
 */
void worker_close(struct worker *worker)
{
	sd_event_source_disable_unref(worker->exit_source);
	sd_event_source_disable_unref(worker->rpc_source);
	uplink_fini(&worker->uplink);
	if (worker->pidfd >= 0)
		close(worker->pidfd);
	if (worker->rpc >= 0)
		close(worker->rpc);
	if (worker->command >= 0)
		close(worker->command);
	if (worker->guest_told >= 0)
		close(worker->guest_told);
	json_object_put(worker->summary);
	json_object_put(worker->progress);
	json_object_put(worker->listed);
	free(worker);
}

/**
 * worker_unlink() - it counts no more
 * @worker: of its agent's list; it lives on
 */
void worker_unlink(struct worker *worker)
{
	struct worker **at = &worker->agent->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	if (!worker->herald)
		worker->agent->worker_count--;
	if (worker->kind != WORKER_SOURCE && !worker->begun)
		worker->agent->unproven_count--;
}

static struct worker *worker_other_than(const struct agent *agent, const char *id,
					enum side side, enum worker_kind kind)
{
	struct worker *worker;

	for (worker = agent->workers; worker; worker = worker->next)
		if (worker->side == side && worker->kind != kind && !strcmp(worker->id, id))
			return worker;
	return NULL;
}

/**
 * worker_find() - who has a row in his hands
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Not one that only answers the peer from that row.
 *
 * Return: the worker or NULL.
 */
struct worker *worker_find(const struct agent *agent, const char *id, enum side side)
{
	return worker_other_than(agent, id, side, WORKER_ANSWER);
}

/**
 * worker_for_peer() - who talks to the source
 * @agent: of this host
 * @id: of the migration
 *
 * Not one that settles what is left: the journal says what is known.
 *
 * Return: the worker or NULL.
 */
struct worker *worker_for_peer(const struct agent *agent, const char *id)
{
	return worker_other_than(agent, id, SIDE_DEST, WORKER_SETTLE);
}

/**
 * worker_of_guest() - the worker that migrates a guest, away or to here
 * @agent: of this host
 * @guest: its name
 *
 * Return: the worker (the source's, where both sides are here) or NULL.
 */
struct worker *worker_of_guest(struct agent *agent, const char *guest)
{
	struct worker *worker, *found = NULL;

	for (worker = agent->workers; worker; worker = worker->next)
		if (!strcmp(worker->guest, guest) && worker->kind != WORKER_SETTLE &&
		    (!found || worker->kind == WORKER_SOURCE))
			found = worker;
	return found;
}

/**
 * worker_about() - the guest that a worker has to do with, for the log
 * @worker: of a migration
 *
 * Who only tells the peer of a decision, or answers it, migrates none.
 *
 * Return: its name, the worker's; "": it is not known yet.
 */
const char *worker_about(const struct worker *worker)
{
	return *worker->guest ? worker->guest : worker->row_guest;
}

/**
 * worker_progress_member() - a part of what a worker told last
 * @worker: NULL is fine
 * @key: of struct progress, as JSON
 *
 * Return: the value, the worker's; NULL: it is null, or nothing was told.
 */
struct json_object *worker_progress_member(const struct worker *worker, const char *key)
{
	struct json_object *value = NULL;

	if (worker && worker->progress)
		json_object_object_get_ex(worker->progress, key, &value);
	return value;
}

/**
 * worker_replace() - have another one go on, by what the row says now
 * @worker: past the question, or past GO
 * @why: in words
 *
 * Its steward calls one host and no other, whatever its worker says.
 */
void worker_replace(struct worker *worker, const char *why)
{
	snprintf(worker->error, sizeof(worker->error), "%s", why);
	worker->successor = false;	/* it is no sign that something lasts */
	kill(worker->pid, SIGKILL);
}

/**
 * worker_connected() - the other host is there now
 * @worker: of the dest
 * @from: its address
 * @name: that it has proven; NULL: none yet. As @from: it cannot prove one
 */
void worker_connected(struct worker *worker, const char *from, const char *name)
{
	if (name && strcmp(name, from))
		snprintf(worker->peer, sizeof(worker->peer), "%.60s (%.180s)", from, name);
	else
		snprintf(worker->peer, sizeof(worker->peer), "%.250s", from);
	if (!worker->uplink.index)
		uplink_to_peer(&worker->uplink, worker->agent, from);
}

/**
 * worker_news() - what a worker says, to whoever waits for it
 * @worker: which
 * @news: progress, or its result
 * @last: it has ended
 */
void worker_news(const struct worker *worker, struct json_object *news, bool last)
{
	if (worker->agent->audience)
		worker->agent->audience->news(worker, news, last);
}

/**
 * worker_hand_on() - whoever waits for a dead worker waits for its heir
 * @dead: NULL is fine: it was an earlier agent's
 * @heir: took its place
 */
void worker_hand_on(const struct worker *dead, struct worker *heir)
{
	if (dead && heir->agent->audience)
		heir->agent->audience->heir(dead, heir);
}

/**
 * worker_tell() - send a packet to a worker
 * @worker: whom
 * @packet: freed in any case
 * @passed: descriptor that goes along, or -1
 *
 * Return: 0; -EAGAIN: it does not read what it is sent; or -errno.
 */
int worker_tell(struct worker *worker, struct json_object *packet, int passed)
{
	int ret = packet_send(worker->command, packet, passed);

	json_object_put(packet);
	return ret;
}

/**
 * workers_forget() - let go of all workers, which run on
 * @agent: of this host
 */
void workers_forget(struct agent *agent)
{
	struct worker *worker;

	while ((worker = agent->workers)) {
		worker_unlink(worker);
		worker_close(worker);
	}
}
