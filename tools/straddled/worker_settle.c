/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_settle.c - end what a worker that died, or an earlier agent, left in
 * the middle.
 *
 * A process of its own, since it asks guests, which may not answer. What it may
 * do says the row's state; nothing of it depends on the peer. It is done again,
 * from the beginning, if this process dies.
 */
#include "worker_settle.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "proc.h"
#include "protocol/storage.h"
#include "record.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/straddled/definition.h"
#include "tools/straddled/engine.h"
#include "tools/straddled/settling.h"
#include "tools/straddled/worker_port.h"

static int row_move(enum owner_state to, struct fail *fail)
{
	enum owner_state now;

	return worker_port_ops.move(NULL, to, &now, fail);
}

/*
 * BEGUN, PERFORMING: the guest never stopped, but for a moment at each look at
 * what it wrote, if its devices bypass page tables.
 */
static int settle_running(struct settling *self, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret = 0;

	if (self->row.state == STATE_PERFORMING || self->left.count)
		ret = settling_guest(self, &found, &why);
	if (found.guest && !ret) {
		settling_release(self, found.description.pid);
		/* A suspend may be under way yet: a resume waits behind it. */
		if (found.description.drain && !self->row.paused)
			ret = found.driver->resume(found.guest, fail);
		found_close(&found);
	} else if (ret == -ENOENT) {
		ret = 0;		/* it is gone, and needs nothing */
	} else if (ret) {
		fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	}
	return ret ? ret : row_move(STATE_RESUMED, fail);
}

/* STOPPING, STOPPED, RESUMING: it is to go on here, as its owner had it last. */
static int settle_stopped(struct settling *self, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret = 0;

	if (self->row.state != STATE_RESUMING)
		ret = row_move(STATE_RESUMING, fail);
	if (ret)
		return ret;
	settling_thaw(&self->row);
	ret = settling_guest(self, &found, &why);
	if (ret && ret != -ENOENT)
		return fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	if (ret) {
		log_warning("guest '%s' of migration %s is gone: there is nothing to resume",
			    self->row.guest, self->row.id);
		return row_move(STATE_RESUMED, fail);
	}
	settling_release(self, found.description.pid);
	if (!self->row.paused)
		ret = found.driver->resume(found.guest, fail);
	else if (found.driver->hold)
		found.driver->hold(found.guest, false, &why);
	found_close(&found);
	return ret ? ret : row_move(STATE_RESUMED, fail);
}

/* The states of its pages, which a worker removes that ends by itself. */
static void states_remove(const struct settling *self)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/pages-%s", self->host.run_dir, self->row.id);
	(void)sys_ret(unlink(path));
}

/* Mirrors, their sockets, images that were made: see protocol/storage.c. */
static void disks_release(const struct settling *self)
{
	struct found found = { .driver = NULL };
	int ret;

	if (!storage_left(self->host.run_dir, self->row.id))
		return;
	ret = settling_guest(self, &found, NULL);
	storage_settle_left(self->host.run_dir, self->row.id, found.driver,
			    ret ? NULL : found.guest);
	if (!ret)
		found_close(&found);
}

/*
 * PREPARED, LOADED: the promise first, then nothing is left of it. But for the
 * definition, and for being able to find it: a row that has ended is not looked
 * at again.
 */
static int settle_incoming(struct settling *self, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret;

	/* One that is just ending, without its worker, needs nothing. */
	ret = settling_incoming(self, &found, &why);
	if (ret && ret != -ENOENT && ret != -ESRCH)
		return fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	definition_settle(&self->host, self->row.guest, false);
	ret = row_move(STATE_DISCARDED, fail);
	if (!ret) {
		states_remove(self);
		if (found.guest && found_is_to_end(self, &found))
			ret = found_end(&found, fail);
		disks_release(self);
	}
	if (found.guest)
		found_close(&found);
	return ret;
}

/* COMPLETE: nothing is missing; the row goes on answering for it. */
static int settle_complete(struct settling *self, struct fail *fail)
{
	states_remove(self);
	definition_settle(&self->host, self->row.guest, true);
	return row_move(STATE_DONE, fail);
}

/* DELEGATED: it was libvirt's; the row says what became of it. */
static int settle_delegated(struct settling *self, struct fail *fail)
{
	enum owner_state to;
	int ret = native_settle(&self->row, &to, fail);

	return ret ? ret : row_move(to, fail);
}

/* DISCARDED: what it has promised, if its worker did not come to it. */
static int settle_discarded(struct settling *self, struct fail *fail)
{
	int ret;

	definition_settle(&self->host, self->row.guest, false);
	disks_release(self);
	ret = settling_process_end(&self->row);
	states_remove(self);
	return ret ? fail_set(fail, ret, "the process of guest '%s', killed, does not end",
			      self->row.guest) : 0;
}

/*
 * Any other that is over: the guest, if it is here, is an ordinary one from then
 * on. Else it waits where it touches a page that is here and not mapped.
 */
static int settle_over(struct settling *self, struct fail *fail)
{
	pid_t pid = proc_identified(self->row.process);

	if (pid == -EAGAIN)
		return fail_set(fail, pid, "whether guest '%s' is here cannot be found out",
				self->row.guest);
	if (pid > 0)
		settling_release(self, pid);
	if (self->row.side == SIDE_DEST)
		states_remove(self);
	return 0;
}

typedef int settle_fn(struct settling *self, struct fail *fail);

/* What is ended from this host's journal alone. */
static const struct {
	enum owner_state state;
	settle_fn *run;
} settle_table[] = {
	{ STATE_BEGUN, settle_running },
	{ STATE_PERFORMING, settle_running },
	{ STATE_STOPPING, settle_stopped },
	{ STATE_STOPPED, settle_stopped },
	{ STATE_RESUMING, settle_stopped },
	{ STATE_DELEGATED, settle_delegated },
	{ STATE_PREPARED, settle_incoming },
	{ STATE_LOADED, settle_incoming },
	{ STATE_COMPLETE, settle_complete },
};

/* Return: NULL: a row of this state is not for us to end. */
static settle_fn *ending_of(enum owner_state state)
{
	size_t i;

	for (i = 0; i < sizeof(settle_table) / sizeof(settle_table[0]); i++)
		if (settle_table[i].state == state)
			return settle_table[i].run;
	return NULL;
}

/* And of those that it does not end. */
static settle_fn *action_of(enum owner_state state)
{
	const struct owner_rule *rule = owner_rule(state);
	settle_fn *ending = ending_of(state);

	if (ending)
		return ending;
	if (state == STATE_DISCARDED)
		return settle_discarded;
	return rule && rule->ended ? settle_over : NULL;
}

/**
 * is_settled() - is a row of this state ended from this host's journal alone?
 * @state: of an open row, or STATE_NONE
 *
 * Return: true if it is.
 */
bool is_settled(enum owner_state state)
{
	return ending_of(state);
}

/**
 * settle_job_fill() - say what is to be settled
 * @job: of a worker
 * @row: of the migration
 * @left: userfaultfds that the dead worker left in the guest's process
 * @again: it was tried before
 */
void settle_job_fill(struct json_object *job, const struct journal_row *row,
		     const struct remote_fds *left, bool again)
{
	struct json_object *fds = json_object_new_array();
	unsigned int i;

	for (i = 0; i < left->count; i++)
		json_object_array_add(fds, json_object_new_int(left->fd[i]));
	json_object_object_add(job, "row", record_for_answer(row));
	json_object_object_add(job, "row_side", json_object_new_string(side_name(row->side)));
	json_object_object_add(job, "process", json_object_new_string(row->process));
	json_object_object_add(job, "left", fds);
	json_object_object_add(job, "again", json_object_new_boolean(again));
}

static int job_read(struct json_object *job, struct settling *self, struct fail *fail)
{
	struct json_object *row = NULL, *fds = NULL, *value = NULL;
	const char *side = json_text(job, "row_side"), *id = json_text(job, "id"), *state;
	const char *process = json_text(job, "process");
	size_t i;
	int ret;

	json_object_object_get_ex(job, "row", &row);
	json_object_object_get_ex(job, "left", &fds);
	state = row ? json_text(row, "state") : NULL;
	self->host.run_dir = json_text(job, "run_dir");
	self->host.definitions_dir = json_text(job, "definitions_dir");
	if (!state || !side || !id || !self->host.run_dir || !self->host.definitions_dir)
		return fail_set(fail, -EPROTO, "the agent gave no row to settle");
	if (json_object_object_get_ex(job, "allow_qmp", &value))
		self->host.allow_qmp = json_object_get_boolean(value);
	if (json_object_object_get_ex(job, "again", &value))
		self->again = json_object_get_boolean(value);
	ret = record_from_json(row, &self->row, fail);
	if (ret)
		return ret;
	snprintf(self->row.id, sizeof(self->row.id), "%s", id);
	self->row.side = strcmp(side, "source") ? SIDE_DEST : SIDE_SOURCE;
	snprintf(self->row.process, sizeof(self->row.process), "%s", process ? process : "");
	self->row.state = owner_state_named(state);
	for (i = 0; fds && i < json_object_array_length(fds) && i < REMOTE_FDS_MAX; i++)
		self->left.fd[self->left.count++] =
			json_object_get_int(json_object_array_get_idx(fds, i));
	return 0;
}

static void trouble_log(const struct settling *self, int error, const struct fail *fail)
{
	if (error == -EBUSY || error == -EAGAIN || self->again)
		log_info("migration %s: %s", self->row.id,
			 fail->err ? fail->text : strerror(-error));
	else
		log_error("migration %s of guest '%s', state %s, cannot be settled yet: %s",
			  self->row.id, self->row.guest, owner_state_name(self->row.state),
			  fail->err ? fail->text : strerror(-error));
}

/**
 * worker_settle_run() - do what settle_job_fill() said
 * @job: the job
 *
 * Return: 0: the row has ended; or -errno: it stays open.
 */
int worker_settle_run(struct json_object *job)
{
	struct settling self = { .left.count = 0 };
	struct fail fail = { 0 };
	int ret = job_read(job, &self, &fail);
	settle_fn *action = action_of(self.row.state);

	if (!ret && !action)
		ret = fail_set(&fail, -EPROTO, "a row of state %s is not for us to settle",
			       owner_state_name(self.row.state));
	if (!ret && self.row.side == SIDE_SOURCE)
		disks_release(&self);
	if (!ret)
		ret = action(&self, &fail);
	if (ret)
		trouble_log(&self, ret, &fail);
	else if (is_settled(self.row.state))
		log_notice("migration %s of guest '%s' was left in state %s: ended",
			   self.row.id, self.row.guest, owner_state_name(self.row.state));
	return ret;
}
