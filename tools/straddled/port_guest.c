/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * port_guest.c - which guest a worker's is; see port.h.
 *
 * A worker parses what strangers send, so it is not believed. Its steward hears
 * nobody but it, and knows which guest it opened or made.
 */
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "proc.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "workers.h"

/* By its pidfd: while that process lives its number is nobody else's. */
static void process_take(struct told *told, int pidfd)
{
	pid_t pid = proc_of_pidfd(pidfd);

	if (pid <= 1)
		return;
	proc_identity(pid, told->process, sizeof(told->process));
	if (sys_wait_fd(pidfd, POLLIN, 0) == -ETIMEDOUT)
		told->pid = pid;
	else
		*told->process = '\0';
}

static bool is_private(struct json_object *packet)
{
	struct json_object *private;

	return json_object_object_get_ex(packet, "private", &private) &&
	       json_object_get_boolean(private);
}

static int private_store(const struct worker *worker, struct fail *fail)
{
	struct json_object *job;
	int ret = predecessor_job(worker->agent, worker->id, worker->side, &job, fail);

	if (ret || !job)
		return ret;
	json_object_object_add(job, "private_memory", json_object_new_boolean(true));
	ret = predecessor_job_store(worker->agent, worker->id, worker->side, job);
	json_object_put(job);
	return ret;
}

/* With its job, for the steward of whoever takes its place; again until it is there. */
static void private_keep(struct worker *worker)
{
	struct fail fail = { 0 };
	int ret = private_store(worker, &fail);

	if (ret && !worker->private_due)
		log_error("migration %s: that its guest has memory of its own cannot be kept "
			  "yet: %s", worker->id, fail.err ? fail.text : strerror(-ret));
	worker->private_due = ret;
}

static void told_take(struct worker *worker, struct json_object *packet, int pidfd)
{
	const char *verb = json_text(packet, "do"), *guest = json_text(packet, "guest");
	struct told told = { .pid = 0 };

	if (!verb || !guest || strlen(guest) >= sizeof(told.guest)) {
		log_error("the steward of migration %s says what no agent knows", worker->id);
		return;
	}
	strcpy(told.guest, guest);
	if (!strcmp(verb, "guest") && pidfd >= 0)
		process_take(&told, pidfd);
	told.private = is_private(packet);
	if (told.private && !worker->told.private)
		private_keep(worker);
	worker->told = told;
}

/**
 * worker_guest_hear() - hear what a worker's steward has told so far
 * @worker: which is about to be answered
 */
void worker_guest_hear(struct worker *worker)
{
	struct json_object *packet;

	if (worker->private_due)
		private_keep(worker);
	for (;;) {
		__cleanup_fd int pidfd = -1;

		if (worker->guest_told < 0 ||
		    packet_receive(worker->guest_told, &packet, &pidfd))
			return;
		told_take(worker, packet, pidfd);
		json_object_put(packet);
	}
}

/**
 * worker_guest_row() - is a row's guest the worker's, and which process is it?
 * @worker: who says so
 * @row: with a guest; receives its process, if it has one
 * @fail: says that it is not
 *
 * Return: 0, or -EACCES: its steward named another one, or none.
 */
int worker_guest_row(const struct worker *worker, struct journal_row *row, struct fail *fail)
{
	if (worker->native) {
		/* It parses nothing of another straddled's, and has all rights. */
		if (row->guest_pid > 1)
			proc_identity((pid_t)row->guest_pid, row->process, sizeof(row->process));
		return 0;
	}
	if (!*row->guest || strcmp(row->guest, worker->told.guest))
		return fail_set(fail, -EACCES, "guest '%s' is not the one of this worker",
				row->guest);
	row->guest_pid = worker->told.pid;
	memcpy(row->process, worker->told.process, sizeof(row->process));
	return 0;
}
