/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* port_rpc.c - the agent's answers to what its workers ask; see port.h. */
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "record.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "workers.h"

/* Each fills in @answer where it has more to say than yes. */
struct rpc_verb {
	const char *name;
	int (*run)(struct worker *worker, struct json_object *request,
		   struct json_object *answer, struct fail *fail);
};

static int rpc_move(struct worker *worker, struct json_object *request,
		    struct json_object *answer, struct fail *fail)
{
	const char *name = json_text(request, "to");
	enum owner_state to = name ? owner_state_named(name) : STATE_NONE;
	enum owner_state now = STATE_NONE;
	int ret;

	if (to == STATE_NONE)
		return fail_set(fail, -EINVAL, "'move' to no state");
	if (to == STATE_LOADED && !worker->placed)
		return fail_set(fail, -EACCES, "migration %s has no process yet", worker->id);
	ret = journal_move(worker->agent->journal, worker->id, worker->side, to, &now, fail);
	if (ret == -ESTALE)
		json_object_object_add(answer, "now",
				       json_object_new_string(owner_state_name(now)));
	else if (!ret)
		log_info("migration %s of guest '%s': %s", worker->id, worker_about(worker),
			 owner_state_name(to));
	return ret;
}

/* An object as its text; a string as it is; NULL where there is none. */
static const char *note_text(struct json_object *request, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request, key, &value) || !value)
		return NULL;
	if (json_object_is_type(value, json_type_string))
		return json_object_get_string(value);
	return json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
}

static void summary_keep(struct worker *worker, const char *text)
{
	struct json_object *summary;

	if (json_parse(text, strlen(text), &summary))
		return;
	json_object_put(worker->summary);
	worker->summary = summary;
}

static int rpc_note(struct worker *worker, struct json_object *request,
		    struct json_object *answer, struct fail *fail)
{
	const char *error = json_text(request, "error");
	const char *summary = note_text(request, "summary");
	const char *proof = note_text(request, "proof");
	struct json_object *proven;

	(void)answer;
	if (error && !*worker->error)
		snprintf(worker->error, sizeof(worker->error), "%s", error);
	if (json_object_object_get_ex(request, "proven", &proven))
		worker->proven = json_object_get_boolean(proven);
	/* Its row tells of the migration, which is over, and not of the telling. */
	if (worker->herald)
		return 0;
	if (summary)
		summary_keep(worker, summary);
	/* Before it has begun there is no row: it is for the user, or the log. */
	if (!worker->begun)
		return 0;
	return journal_note(worker->agent->journal, worker->id, worker->side, error, summary,
			    proof, fail);
}

static int rpc_paused(struct worker *worker, struct json_object *request,
		      struct json_object *answer, struct fail *fail)
{
	struct json_object *paused;

	(void)answer;
	if (!worker->begun ||
	    !json_object_object_get_ex(request, "paused", &paused))
		return fail_set(fail, -EINVAL, "no row, or nothing of 'paused'");
	return journal_paused(worker->agent->journal, worker->id, worker->side,
			      json_object_get_boolean(paused), fail);
}

/* Return: the number in the guest's process, or -EINVAL. */
static int remote_fd_of(struct worker *worker, struct json_object *request, struct fail *fail)
{
	struct json_object *number;

	if (!json_object_object_get_ex(request, "remote_fd", &number) ||
	    json_object_get_int(number) < 0 || worker->kind == WORKER_ANSWER)
		return fail_set(fail, -EINVAL, "a userfaultfd without a 'remote_fd'");
	return json_object_get_int(number);
}

static int attached_record(struct worker *worker)
{
	return predecessor_record(worker->agent, worker->id, worker->side, worker->pid,
				  &worker->attached);
}

static int rpc_attached(struct worker *worker, struct json_object *request,
			struct json_object *answer, struct fail *fail)
{
	struct remote_fds *attached = &worker->attached;
	int fd = remote_fd_of(worker, request, fail);

	(void)answer;
	if (fd < 0)
		return fd;
	if (attached->count == REMOTE_FDS_MAX)
		return fail_set(fail, -ENOSPC, "more userfaultfds than a worker has use for");
	attached->fd[attached->count++] = fd;
	return attached_record(worker);
}

static int rpc_detached(struct worker *worker, struct json_object *request,
			struct json_object *answer, struct fail *fail)
{
	struct remote_fds *attached = &worker->attached;
	int fd = remote_fd_of(worker, request, fail);
	unsigned int i;

	(void)answer;
	if (fd < 0)
		return fd;
	for (i = 0; i < attached->count; i++)
		if (attached->fd[i] == fd)
			break;
	if (i < attached->count)
		attached->fd[i] = attached->fd[--attached->count];
	return attached_record(worker);
}

static int rpc_process(struct worker *worker, struct json_object *request,
		       struct json_object *answer, struct fail *fail)
{
	struct journal_row row = { .side = worker->side };
	int ret;

	(void)request;
	(void)answer;
	memcpy(row.guest, worker->guest, sizeof(row.guest));
	ret = worker_guest_row(worker, &row, fail);
	if (ret)
		return ret;
	if (!worker->begun || !*row.process)
		return fail_set(fail, -EINVAL, "no row, or no process");
	ret = journal_process(worker->agent->journal, worker->id, worker->side, row.process,
			      fail);
	worker->placed |= !ret;
	return ret;
}

static int rpc_peer(struct worker *worker, struct json_object *request,
		    struct json_object *answer, struct fail *fail)
{
	const char *from = json_text(request, "from"), *name = json_text(request, "name");

	(void)answer;
	if (!from || !*from || !name || !worker->begun || worker->side != SIDE_DEST)
		return fail_set(fail, -EINVAL, "no row, or no peer");
	worker_connected(worker, from, name);
	return 0;
}

static int rpc_acknowledge(struct worker *worker, struct json_object *request,
			   struct json_object *answer, struct fail *fail)
{
	int ret = journal_acknowledge(worker->agent->journal, worker->id, worker->side, fail);

	(void)request;
	(void)answer;
	if (worker->side != SIDE_SOURCE)
		return ret;
	if (!ret)
		log_notice("migration %s of guest '%s': the dest has heard how it ended",
			   worker->id, worker_about(worker));
	else if (!worker->heard)
		log_error("migration %s of guest '%s': the dest has heard how it ended, which "
			  "cannot be written down yet: %s", worker->id, worker_about(worker),
			  fail->text);
	worker->heard = true;
	return ret;
}

static int rpc_listed(struct worker *worker, struct json_object *request,
		      struct json_object *answer, struct fail *fail)
{
	struct json_object *guest;
	struct worker *mover;
	const char *name;

	(void)answer;
	if (worker->kind != WORKER_LIST ||
	    !json_object_object_get_ex(request, "guest", &guest))
		return fail_set(fail, -EINVAL, "'listed' without a guest");
	name = json_text(guest, "name");
	mover = name ? worker_of_guest(worker->agent, name) : NULL;
	json_object_object_add(guest, "migration",
			       mover ? json_object_new_string(mover->id) : NULL);
	json_object_array_add(worker->listed, json_object_get(guest));
	return 0;
}

static const struct rpc_verb rpc_verbs[] = {
	{ "begin", port_begin },
	{ "move", rpc_move },
	{ "note", rpc_note },
	{ "paused", rpc_paused },
	{ "process", rpc_process },
	{ "peer", rpc_peer },
	{ "acknowledge", rpc_acknowledge },
	{ "attached", rpc_attached },
	{ "detached", rpc_detached },
	{ "listed", rpc_listed },
};

/* Nobody watches it: a reason that is another one than before is for the log. */
static void herald_log(const struct worker *worker, struct json_object *progress)
{
	struct json_object *before = worker_progress_member(worker, "broken");
	const char *now = json_text(progress, "broken");

	if (now && *now && (!before || strcmp(json_object_get_string(before), now)))
		log_notice("migration %s of guest '%s', which has ended here: %s", worker->id,
			   worker_about(worker), now);
}

static void worker_progress(struct worker *worker, struct json_object *progress)
{
	json_object_object_del(progress, "do");
	json_object_object_add(progress, "type", json_object_new_string("progress"));
	json_object_object_add(progress, "link", uplink_to_json(&worker->uplink));
	if (worker->herald)
		herald_log(worker, progress);
	json_object_put(worker->progress);
	worker->progress = json_object_get(progress);
	worker_news(worker, progress, false);
}

static struct json_object *rpc_answer(struct worker *worker, struct json_object *request,
				      const char *name)
{
	struct json_object *answer = json_object_new_object();
	struct fail fail = { 0 };
	int ret = -EINVAL;
	size_t i;

	for (i = 0; i < sizeof(rpc_verbs) / sizeof(rpc_verbs[0]); i++)
		if (name && !strcmp(rpc_verbs[i].name, name))
			break;
	if (i < sizeof(rpc_verbs) / sizeof(rpc_verbs[0]))
		ret = rpc_verbs[i].run(worker, request, answer, &fail);
	else
		fail_set(&fail, ret, "a worker asks for what no agent does");
	json_object_object_add(answer, "ok", json_object_new_boolean(!ret));
	if (ret) {
		json_object_object_add(answer, "errno", json_object_new_int(-ret));
		json_object_object_add(answer, "error", json_object_new_string(
					fail.err ? fail.text : strerror(-ret)));
	}
	return answer;
}

/* One request; 0, or -errno when the worker is to be heard no more. */
static int rpc_serve(struct worker *worker)
{
	struct json_object *request, *answer;
	const char *name;
	int ret = packet_receive(worker->rpc, &request, NULL);

	if (ret)
		return ret;
	/* It was told before this was asked. */
	worker_guest_hear(worker);
	name = json_text(request, "do");
	if (name && !strcmp(name, "progress")) {
		worker_progress(worker, request);
	} else {
		answer = rpc_answer(worker, request, name);
		ret = packet_send(worker->rpc, answer, -1);
		json_object_put(answer);
	}
	json_object_put(request);
	/* Who is gone needs no answer, but may have said more before. */
	return ret == -EPIPE ? 0 : ret;
}

static void rpc_break_off(struct worker *worker)
{
	worker->rpc_source = sd_event_source_disable_unref(worker->rpc_source);
	close(worker->rpc);
	worker->rpc = -1;
}

static int rpc_ready(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct worker *worker = arg;
	int ret = rpc_serve(worker);

	(void)source;
	(void)fd;
	(void)revents;
	if (!ret || ret == -EAGAIN)
		return 0;
	if (ret != -EPIPE && ret != -ECONNRESET)
		log_error("worker %d of migration %s: %s on its socket", (int)worker->pid,
			  worker->id, strerror(-ret));
	rpc_break_off(worker);
	return 0;
}

/**
 * worker_rpc_start() - begin to hear a worker's requests
 * @worker: with its socket
 *
 * Return: >= 0 or -errno.
 */
int worker_rpc_start(struct worker *worker)
{
	return sd_event_add_io(worker->agent->event, &worker->rpc_source, worker->rpc, EPOLLIN,
			       rpc_ready, worker);
}

/**
 * worker_rpc_drain() - serve what an ended worker had asked before
 * @worker: whose process is gone: this comes to an end
 */
void worker_rpc_drain(struct worker *worker)
{
	while (worker->rpc >= 0 && !rpc_serve(worker))
		;
}
