/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_start.c - give a worker its job, and start it. */
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "inject.h"
#include "log.h"
#include "predecessor.h"
#include "proc.h"
#include "record.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/packet.h"
#include "worker_settle.h"
#include "workers.h"

#define STEWARD_LOOK_US	5000
#define STEWARD_LOOKS	100

static const char *const kind_names[] = {
	[WORKER_SOURCE] = "source",
	[WORKER_DEST] = "dest",
	[WORKER_ANSWER] = "answer",
	[WORKER_SETTLE] = "settle",
	[WORKER_LIST] = "list",
};

static int steward_look(sd_event_source *source, uint64_t usec, void *arg);

/* The kernel has killed it: that takes a moment, unless it is in a call that lasts. */
static bool steward_is_ending(const struct worker *worker)
{
	return (worker->kind == WORKER_SOURCE || worker->kind == WORKER_DEST) &&
	       worker->looks < STEWARD_LOOKS &&
	       predecessor_steward(worker->agent, worker->id, worker->side) > 0;
}

/* Who takes its place can begin at once, then, and has those who watch it. */
static void steward_await(struct worker *worker)
{
	bool ending = steward_is_ending(worker);

	worker->looks++;
	worker->exit_source = sd_event_source_disable_unref(worker->exit_source);
	if (!ending || sd_event_add_time_relative(worker->agent->event, &worker->exit_source,
						  CLOCK_MONOTONIC, STEWARD_LOOK_US,
						  STEWARD_LOOK_US, steward_look, worker) < 0)
		worker_ended(worker);
}

static int steward_look(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	steward_await(arg);
	return 0;
}

static int worker_exited(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	steward_await(arg);
	return 0;
}

static struct json_object *peers_array(const struct agent_options *options)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < options->allow_peers_count; i++)
		json_object_array_add(array, json_object_new_string(options->allow_peers[i]));
	return array;
}

/* What every job says; the caller adds what its kind needs. */
static struct json_object *job_new(const struct worker *worker)
{
	const struct agent_options *options = worker->agent->options;
	struct json_object *job = json_object_new_object();

	json_object_object_add(job, "do", json_object_new_string("job"));
	json_object_object_add(job, "side", json_object_new_string(kind_names[worker->kind]));
	json_object_object_add(job, "id", json_object_new_string(worker->id));
	json_object_object_add(job, "run_dir", json_object_new_string(options->run_dir));
	json_object_object_add(job, "definitions_dir",
			       json_object_new_string(options->definitions));
	json_object_object_add(job, "allow_qmp", json_object_new_boolean(options->allow_qmp));
	json_object_object_add(job, "security", json_object_new_string(
				security_name(worker->agent->choice.security)));
	json_object_object_add(job, "pki_dir", options->pki_dir ?
			       json_object_new_string(options->pki_dir) : NULL);
	json_object_object_add(job, "psk_file", options->psk_file ?
			       json_object_new_string(options->psk_file) : NULL);
	json_object_object_add(job, "private_memory", json_object_new_boolean(false));
	inject_to_job(worker->agent, job);
	json_object_object_add(job, "allow_peers", peers_array(options));
	return job;
}

static int workers_room(const struct agent *agent, enum worker_kind kind, struct fail *fail)
{
	unsigned int max = agent->options->workers_max;

	if (agent->worker_count >= max)
		return fail_set(fail, -EBUSY, "%u migrations run on this host, which is the limit "
				"(straddled --workers): wait for one to end", max);
	/* Who has proven nothing yet must not be able to take all places. */
	if (kind != WORKER_SOURCE && agent->unproven_count >= (max + 1) / 2)
		return fail_set(fail, -EBUSY, "too many peers connect at a time: try again");
	return 0;
}

/* For whoever has to end it or to go on with it. */
static int worker_record(const struct worker *worker, struct json_object *job,
			 struct fail *fail)
{
	int ret = predecessor_record(worker->agent, worker->id, worker->side, worker->pid,
				     &worker->attached);

	if (!ret && !worker->successor && worker->kind != WORKER_SETTLE)
		ret = predecessor_job_store(worker->agent, worker->id, worker->side, job);
	return ret ? fail_set(fail, ret, "cannot write down a worker process under %s: %s",
			      worker->agent->options->run_dir, strerror(-ret)) : 0;
}

/* Start it and hand it its job, which is freed in any case. */
static int worker_start(struct worker *worker, struct json_object *job, struct fail *fail)
{
	struct agent *agent = worker->agent;
	int ret = worker_spawn(worker, fail);

	if (!ret && worker->kind != WORKER_ANSWER && worker->kind != WORKER_LIST)
		ret = worker_record(worker, job, fail);
	if (!ret)
		ret = packet_send(worker->command, job, -1);
	json_object_put(job);
	if (worker->pidfd < 0) {
		worker_close(worker);
		return ret;
	}
	worker->next = agent->workers;
	agent->workers = worker;
	if (!worker->herald)
		agent->worker_count++;
	if (worker->kind != WORKER_SOURCE && !worker->begun)
		agent->unproven_count++;
	if (!ret)
		ret = sd_event_add_io(agent->event, &worker->exit_source, worker->pidfd,
				      EPOLLIN, worker_exited, worker);
	if (ret >= 0)
		ret = worker_rpc_start(worker);
	if (ret < 0) {
		kill(worker->pid, SIGKILL);
		worker_ended(worker);
		return fail_set(fail, ret, "cannot set up a worker process: %s", strerror(-ret));
	}
	if (worker->kind != WORKER_LIST)
		log_info("%s worker %d: migration %s", kind_names[worker->kind],
			 (int)worker->pid, worker->id);
	return 0;
}

/**
 * worker_migrate() - start to migrate a guest away
 * @agent: of this host
 * @options: how; checked
 * @worker: receives the new worker, the agent's
 * @fail: says why not
 *
 * Return: 0, -EBUSY (no room) or -errno.
 */
int worker_migrate(struct agent *agent, const struct migration_options *options,
		   struct worker **worker, struct fail *fail)
{
	uint8_t id[MIGRATION_ID_SIZE];
	char text[MIGRATION_ID_TEXT];
	struct json_object *job;
	struct worker *made;
	int ret = workers_room(agent, WORKER_SOURCE, fail);

	if (ret)
		return ret;
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return fail_set(fail, -EIO, "no random numbers for the migration's id");
	migration_id_to_text(id, text);
	made = worker_new(agent, WORKER_SOURCE, text);
	if (!made)
		return fail_set(fail, -ENOMEM, "no memory for another migration");
	snprintf(made->guest, sizeof(made->guest), "%s", options->guest);
	snprintf(made->peer, sizeof(made->peer), "%s", options->host);
	made->dry_run = options->dry_run;
	made->native = options->engine == ENGINE_NATIVE;
	made->unsafe = options->unsafe;
	job = job_new(made);
	json_object_object_add(job, "options", migration_options_to_json(options));
	ret = worker_start(made, job, fail);
	if (ret)
		return ret;
	uplink_to_host(&made->uplink, agent, options->host);
	*worker = made;
	return 0;
}

/**
 * worker_accept() - start the side that a peer calls
 * @agent: of this host
 * @kind: WORKER_DEST or WORKER_ANSWER
 * @id: of the migration, as the peer said it
 * @row: of the journal for WORKER_ANSWER, taken over; else NULL
 * @worker: receives the new worker, the agent's
 * @fail: says why not
 *
 * Return: 0, -EBUSY (no room) or -errno.
 */
int worker_accept(struct agent *agent, enum worker_kind kind, const char *id,
		  struct json_object *row, struct worker **worker, struct fail *fail)
{
	const char *guest = row ? json_text(row, "guest") : NULL;
	struct json_object *job;
	struct worker *made = NULL;
	int ret = workers_room(agent, kind, fail);

	if (!ret)
		made = worker_new(agent, kind, id);
	if (!made) {
		json_object_put(row);
		return ret ? ret : -ENOMEM;
	}
	snprintf(made->row_guest, sizeof(made->row_guest), "%s", guest ? guest : "");
	job = job_new(made);
	if (kind == WORKER_ANSWER)
		json_object_object_add(job, "row", row);
	ret = worker_start(made, job, fail);
	if (!ret)
		*worker = made;
	return ret;
}

/* How the guest was to be migrated; what is lost with the host is made up. */
static struct json_object *heir_options(struct json_object *dead, const struct journal_row *row)
{
	struct json_object *options = NULL;

	if (dead && json_object_object_get_ex(dead, "options", &options))
		json_object_get(options);
	if (!options) {
		options = json_object_new_object();
		json_object_object_add(options, "guest", json_object_new_string(row->guest));
	}
	/* It may have another address by now. */
	json_object_object_add(options, "host", json_object_new_string(row->peer));
	return options;
}

/*
 * The migration is the dead one's, all else this agent's: where keys are, and who
 * may come, may have been other when it began.
 */
static int heir_job(const struct worker *heir, const struct journal_row *row,
		    struct json_object **made, struct fail *fail)
{
	struct json_object *dead, *job, *private;
	int ret = predecessor_job(heir->agent, row->id, row->side, &dead, fail);

	if (ret)
		return ret;
	job = job_new(heir);
	json_object_object_add(job, "options", heir_options(dead, row));
	json_object_object_del(job, "private_memory");	/* nobody knows, unless it did */
	if (dead && json_object_object_get_ex(dead, "private_memory", &private))
		json_object_object_add(job, "private_memory", json_object_get(private));
	json_object_put(dead);
	json_object_object_add(job, "successor", json_object_new_boolean(true));
	json_object_object_add(job, "row", record_for_answer(row));
	*made = job;
	return 0;
}

static struct json_object *file_packet(void)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("file"));
	return packet;
}

/**
 * worker_succeed() - put a worker in the place of one that died
 * @agent: of this host
 * @row: of the migration, open; its worker is known to be gone
 * @left: userfaultfds that it left in the guest's process
 * @decision: an operator's, or NULL: it goes on
 * @worker: receives the new worker, the agent's
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int worker_succeed(struct agent *agent, const struct journal_row *row,
		   const struct remote_fds *left, const struct decision *decision,
		   struct worker **worker, struct fail *fail)
{
	enum worker_kind kind = row->side == SIDE_SOURCE ? WORKER_SOURCE : WORKER_DEST;
	struct worker *made = worker_new(agent, kind, row->id);
	struct json_object *job;
	int ret;

	if (!made)
		return fail_set(fail, -ENOMEM, "no memory for another worker");
	/* Who only tells the dest of the end keeps no guest from migrating, nor a place. */
	made->herald = owner_is_heralded(row->state);
	snprintf(made->row_guest, sizeof(made->row_guest), "%s", row->guest);
	if (!made->herald)
		snprintf(made->guest, sizeof(made->guest), "%s", row->guest);
	snprintf(made->peer, sizeof(made->peer), "%s", row->peer);
	made->begun = made->successor = true;
	made->attached = *left;
	ret = heir_job(made, row, &job, fail);
	if (ret) {
		worker_close(made);
		return ret;
	}
	if (decision)
		json_object_object_add(job, "resolution", json_object_new_string(
					resolution_name(decision->resolution)));
	ret = worker_start(made, job, fail);
	if (!ret && decision && decision->file >= 0)
		ret = worker_tell(made, file_packet(), decision->file);
	if (ret)
		return ret;
	if (kind == WORKER_SOURCE)
		uplink_to_host(&made->uplink, agent, row->peer);
	*worker = made;
	return 0;
}

/**
 * worker_settle() - have a row ended, or tried to
 * @agent: of this host
 * @row: of the migration, which has no worker
 * @left: userfaultfds that a dead one left in the guest's process
 * @dead: that one, for what it had to tell; or NULL
 * @worker: receives the new worker, the agent's
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int worker_settle(struct agent *agent, const struct journal_row *row,
		  const struct remote_fds *left, const struct worker *dead,
		  struct worker **worker, struct fail *fail)
{
	struct worker *made = worker_new(agent, WORKER_SETTLE, row->id);
	struct json_object *job;
	int ret;

	if (!made)
		return fail_set(fail, -ENOMEM, "no memory for another worker");
	snprintf(made->guest, sizeof(made->guest), "%s", row->guest);
	snprintf(made->peer, sizeof(made->peer), "%s", row->peer);
	made->side = row->side;
	made->begun = true;
	made->successor = dead && dead->kind == WORKER_SETTLE;
	made->tends = !is_settled(row->state);
	made->attached = *left;
	if (dead)
		made->summary = json_object_get(dead->summary);
	job = job_new(made);
	settle_job_fill(job, row, left, !dead);
	ret = worker_start(made, job, fail);
	if (!ret)
		*worker = made;
	return ret;
}

/**
 * worker_list() - ask all guests of this host who they are
 * @agent: of this host
 * @worker: receives the new worker, the agent's
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int worker_list(struct agent *agent, struct worker **worker, struct fail *fail)
{
	struct worker *made = worker_new(agent, WORKER_LIST, "");
	int ret;

	if (!made)
		return fail_set(fail, -ENOMEM, "no memory for another worker");
	made->begun = true;		/* it has nobody to prove anything to */
	made->listed = json_object_new_array();
	ret = worker_start(made, job_new(made), fail);
	if (!ret)
		*worker = made;
	return ret;
}
