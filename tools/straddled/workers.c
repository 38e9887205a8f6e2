/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers.c - one worker a migration and side: give it its job, see it end. */
#include <json-c/json.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "log.h"
#include "predecessor.h"
#include "settle.h"
#include "sys.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/packet.h"
#include "workers.h"

static const char *const kind_names[] = {
	[WORKER_SOURCE] = "source",
	[WORKER_DEST] = "dest",
	[WORKER_ANSWER] = "answer",
};

static int worker_exited(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	(void)source;
	(void)fd;
	(void)revents;
	worker_ended(arg);
	return 0;
}

static void worker_close(struct worker *worker)
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
	json_object_put(worker->summary);
	json_object_put(worker->progress);
	free(worker);
}

static void worker_unlink(struct worker *worker)
{
	struct worker **at = &worker->agent->workers;

	while (*at != worker)
		at = &(*at)->next;
	*at = worker->next;
	worker->agent->worker_count--;
	if (worker->kind != WORKER_SOURCE && !worker->begun)
		worker->agent->unproven_count--;
}

static struct worker *worker_new(struct agent *agent, enum worker_kind kind,
				 const char *id)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	worker->agent = agent;
	worker->kind = kind;
	worker->side = kind == WORKER_SOURCE ? SIDE_SOURCE : SIDE_DEST;
	worker->pidfd = worker->rpc = worker->command = -1;
	snprintf(worker->id, sizeof(worker->id), "%s", id);
	uplink_init(&worker->uplink);
	return worker;
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

/* Start it and hand it its job, which is freed in any case. */
static int worker_start(struct worker *worker, struct json_object *job, struct fail *fail)
{
	struct agent *agent = worker->agent;
	int ret = worker_spawn(worker, fail);

	if (!ret && worker->kind != WORKER_ANSWER)
		ret = predecessor_record(agent, worker->id, worker->side, worker->pid,
					 &worker->attached);
	if (!ret)
		ret = packet_send(worker->command, job, -1);
	json_object_put(job);
	if (worker->pidfd < 0) {
		worker_close(worker);
		return ret;
	}
	worker->next = agent->workers;
	agent->workers = worker;
	agent->worker_count++;
	if (worker->kind != WORKER_SOURCE)
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
	log_info("%s worker %d: migration %s", kind_names[worker->kind], (int)worker->pid,
		 worker->id);
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
	struct json_object *job;
	struct worker *made = NULL;
	int ret = workers_room(agent, kind, fail);

	if (!ret)
		made = worker_new(agent, kind, id);
	if (!made) {
		json_object_put(row);
		return ret ? ret : -ENOMEM;
	}
	job = job_new(made);
	if (kind == WORKER_ANSWER)
		json_object_object_add(job, "row", row);
	ret = worker_start(made, job, fail);
	if (!ret)
		*worker = made;
	return ret;
}

/**
 * worker_find() - the worker of a migration and side
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Return: the worker or NULL.
 */
struct worker *worker_find(struct agent *agent, const char *id, enum side side)
{
	struct worker *worker;

	for (worker = agent->workers; worker; worker = worker->next)
		if (worker->side == side && !strcmp(worker->id, id))
			return worker;
	return NULL;
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
		if (!strcmp(worker->guest, guest) &&
		    (!found || worker->kind == WORKER_SOURCE))
			found = worker;
	return found;
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

static void death_describe(const siginfo_t *info, char *text, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(text, size, "worker ended with exit code %d before the migration did",
			 info->si_status);
	else
		snprintf(text, size, "worker died: signal %d", info->si_status);
}

/* What its row says at the end; one that is open is ended, where that is safe. */
static void row_close(struct worker *worker, const siginfo_t *info,
		      struct journal_row *row)
{
	struct journal *journal = worker->agent->journal;
	struct fail fail = { 0 };
	char death[64];

	if (journal_get(journal, worker->id, worker->side, row, &fail)) {
		log_error("%s", fail.text);
		return;
	}
	if (owner_rule(row->state)->ended || worker->kind == WORKER_ANSWER)
		return;
	death_describe(info, death, sizeof(death));
	if (!*worker->error)
		snprintf(worker->error, sizeof(worker->error), "%s", death);
	if (journal_note(journal, worker->id, worker->side, death, NULL, NULL, &fail))
		log_error("%s", fail.text);
	if (!settle_row(worker->agent, row, death))
		return;
	journal_row_fini(row);
	if (journal_get(journal, worker->id, worker->side, row, &fail))
		*row = (struct journal_row){ .state = STATE_NONE };
}

/**
 * worker_ended() - reap a worker, hear its last words, tell who watches
 * @worker: whose process has ended or is about to; freed
 */
void worker_ended(struct worker *worker)
{
	struct journal_row row = { .state = STATE_NONE };
	siginfo_t info = { .si_code = 0 };

	sys_retry(waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED));
	worker_rpc_drain(worker);
	if (worker->begun)
		row_close(worker, &info, &row);
	if (worker->kind != WORKER_ANSWER && !settle_is_due(row.state))
		predecessor_forget(worker->agent, worker->id, worker->side);
	if (!worker->begun && worker->kind == WORKER_SOURCE && !*worker->error &&
	    !(worker->dry_run && info.si_code == CLD_EXITED && !info.si_status))
		death_describe(&info, worker->error, sizeof(worker->error));
	worker_report(worker, &row);
	journal_row_fini(&row);
	worker_unlink(worker);
	worker_close(worker);
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
