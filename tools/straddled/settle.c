/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle.c - end what a worker that died, or an earlier agent, left in the
 * middle.
 *
 * Only what is safe from this host's journal alone: the source before its
 * question (ASKED), the dest before its decision (GO). A worker that outlived
 * its agent is ended first; it could not move its row any more, either. All
 * other rows stay as they are, and so do their workers.
 *
 * What cannot be ended, because a libvirtd is away, say, is tried again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "broker.h"
#include "cleanup.h"
#include "engine.h"
#include "log.h"
#include "predecessor.h"
#include "protocol/storage.h"
#include "settle.h"
#include "sys.h"
#include "workers.h"

#define ROWS_MAX	1024	/* settled in one start */
#define LATER_US	5000000

static const char restarted[] = "the agent was restarted in the middle of it";

struct settle {
	enum owner_state state;
	/* @left: userfaultfds that are left in the guest's process */
	int (*run)(struct agent *agent, const struct journal_row *row,
		   const struct remote_fds *left,
		   struct fail *fail);
};

static int row_move(struct agent *agent, const struct journal_row *row, enum owner_state to,
		    struct fail *fail)
{
	return journal_move(agent->journal, row->id, row->side, to, NULL, fail);
}

/* The guest of a row. */
struct found {
	const struct guest_driver *driver;
	struct guest *guest;
	struct guest_description description;
};

/* The very guest of the row, not one that got its name since; or -ENOENT. */
static int row_guest(struct agent *agent, const struct journal_row *row,
		     struct found *found, struct fail *fail)
{
	int ret = guest_find(agent->drivers, &agent->host, row->guest, &found->driver,
			     &found->guest, fail);

	if (ret)
		return ret;
	ret = found->driver->describe(found->guest, &found->description, fail);
	if (!ret && strcmp(found->description.uuid, row->uuid)) {
		guest_description_fini(&found->description);
		ret = -ENOENT;
	}
	if (ret) {
		found->driver->close(found->guest);
		found->guest = NULL;
	}
	return ret;
}

static void found_close(struct found *found)
{
	guest_description_fini(&found->description);
	found->driver->close(found->guest);
}

/* Else the next migration of the guest could not track what it writes. */
static void userfaultfd_close(struct agent *agent, pid_t pid, int remote_fd)
{
	struct uffd_attachment attachment;
	struct fail fail = { 0 };
	int broker = -1, ret;

	ret = broker_connect(agent->broker_fd, &broker);
	if (!ret)
		ret = broker_adopt(broker, pid, remote_fd, &attachment, &fail);
	if (!ret) {
		ret = broker_detach(broker, &attachment, &fail);
		uffd_attachment_close(&attachment);
	}
	if (broker >= 0)
		close(broker);
	if (ret && ret != -EBADF)
		log_warning("a userfaultfd is left in process %d: %s", (int)pid,
			    fail.err ? fail.text : strerror(-ret));
}

static void guest_release(struct agent *agent, pid_t pid, const struct remote_fds *left)
{
	unsigned int i;

	for (i = 0; i < left->count; i++)
		userfaultfd_close(agent, pid, left->fd[i]);
}

/*
 * BEGUN, PERFORMING: the guest never stopped, but for a moment at each look at
 * what it wrote, if its devices bypass page tables.
 */
static int settle_running(struct agent *agent, const struct journal_row *row,
			  const struct remote_fds *left, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret = 0;

	if (row->state == STATE_PERFORMING || left->count)
		ret = row_guest(agent, row, &found, &why);
	if (found.guest && !ret) {
		guest_release(agent, found.description.pid, left);
		/* A suspend may be under way yet: a resume waits behind it. */
		if (found.description.drain && !row->paused)
			ret = found.driver->resume(found.guest, fail);
		found_close(&found);
	} else if (ret == -ENOENT) {
		ret = 0;		/* it is gone, and needs nothing */
	} else if (ret) {
		fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	}
	return ret ? ret : row_move(agent, row, STATE_RESUMED, fail);
}

/* A process that was stopped so that nobody could resume its guest. */
static void guest_thaw(pid_t pid)
{
	__cleanup_file FILE *file = NULL;
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'T')
		kill(pid, SIGCONT);
}

/* STOPPING, STOPPED, RESUMING: it is to go on here, as its owner had it last. */
static int settle_stopped(struct agent *agent, const struct journal_row *row,
			  const struct remote_fds *left, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret = 0;

	if (row->state != STATE_RESUMING)
		ret = row_move(agent, row, STATE_RESUMING, fail);
	if (ret)
		return ret;
	guest_thaw(row->guest_pid);
	ret = row_guest(agent, row, &found, &why);
	if (ret && ret != -ENOENT)
		return fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	if (ret) {
		log_warning("guest '%s' of migration %s is gone: there is nothing to resume",
			    row->guest, row->id);
		return row_move(agent, row, STATE_RESUMED, fail);
	}
	guest_release(agent, found.description.pid, left);
	if (!row->paused)
		ret = found.driver->resume(found.guest, fail);
	else if (found.driver->hold)
		found.driver->hold(found.guest, false, &why);
	found_close(&found);
	return ret ? ret : row_move(agent, row, STATE_RESUMED, fail);
}

/* The states of its pages, which a worker removes that ends by itself. */
static void states_remove(struct agent *agent, const struct journal_row *row)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/pages-%s", agent->options->run_dir, row->id);
	(void)sys_ret(unlink(path));
}

/* What the worker replaced it has dealt with itself, unless it was killed. */
static void definition_end(struct agent *agent, const struct journal_row *row, bool keep)
{
	size_t i;

	for (i = 0; agent->drivers[i]; i++) {
		struct fail why = { 0 };

		if (!guest_name_fits(agent->drivers[i], row->guest))
			continue;
		if (agent->drivers[i]->define_end(&agent->host, row->guest, keep, &why))
			log_error("the definition that migration %s replaced is not %s: %s",
				  row->id, keep ? "given up" : "restored", why.text);
	}
}

/* Mirrors, their sockets, images that were made: see protocol/storage.c. */
static void disks_release(struct agent *agent, const struct journal_row *row)
{
	struct found found = { .driver = NULL };
	int ret;

	if (!storage_left(agent->options->run_dir, row->id))
		return;
	ret = row_guest(agent, row, &found, NULL);
	storage_settle_left(agent->options->run_dir, row->id, found.driver,
			    ret ? NULL : found.guest);
	if (!ret)
		found_close(&found);
}

/* Is a userfaultfd of ours in it? Then no fault of a vCPU was ever answered. */
static bool is_attached(struct agent *agent, pid_t pid, const struct remote_fds *left)
{
	struct uffd_attachment attachment;
	bool attached = false;
	unsigned int i;
	int broker = -1;

	if (!left->count || broker_connect(agent->broker_fd, &broker))
		return false;
	for (i = 0; i < left->count && !attached; i++) {
		attached = !broker_adopt(broker, pid, left->fd[i], &attachment, NULL);
		if (attached)
			uffd_attachment_close(&attachment);
	}
	close(broker);
	return attached;
}

/* Killed first: a thread that waits in a fault hears no polite request. */
static int guest_end(struct found *found, struct fail *fail)
{
	(void)sys_ret(syscall(SYS_pidfd_send_signal, found->driver->pidfd(found->guest),
			      SIGKILL, NULL, 0));
	return found->driver->destroy(found->guest, fail);
}

/*
 * PREPARED, LOADED: the promise first, then nothing is left of it. But for the
 * definition, and for being able to find it: a row that has ended is not looked
 * at again.
 */
static int settle_incoming(struct agent *agent, const struct journal_row *row,
			   const struct remote_fds *left, struct fail *fail)
{
	struct found found = { .driver = NULL };
	struct fail why = { 0 };
	int ret;

	/* One that is just ending, without its worker, needs nothing. */
	ret = row_guest(agent, row, &found, &why);
	if (ret && ret != -ENOENT && ret != -ESRCH)
		return fail_set(fail, ret, "%s", why.err ? why.text : strerror(-ret));
	definition_end(agent, row, false);
	ret = row_move(agent, row, STATE_DISCARDED, fail);
	if (!ret) {
		states_remove(agent, row);
		if (found.guest && ((found.description.incoming &&
				     !found.description.running) ||
				    is_attached(agent, found.description.pid, left)))
			ret = guest_end(&found, fail);
		disks_release(agent, row);
	}
	if (found.guest)
		found_close(&found);
	return ret;
}

/* DELEGATED: it was libvirt's; the row says what became of it. */
static int settle_delegated(struct agent *agent, const struct journal_row *row,
			    const struct remote_fds *left, struct fail *fail)
{
	enum owner_state to;
	int ret = native_settle(row, &to, fail);

	(void)left;
	return ret ? ret : row_move(agent, row, to, fail);
}

static const struct settle settle_table[] = {
	{ STATE_BEGUN, settle_running },
	{ STATE_PERFORMING, settle_running },
	{ STATE_STOPPING, settle_stopped },
	{ STATE_STOPPED, settle_stopped },
	{ STATE_RESUMING, settle_stopped },
	{ STATE_DELEGATED, settle_delegated },
	{ STATE_PREPARED, settle_incoming },
	{ STATE_LOADED, settle_incoming },
};

/* Return: NULL: such a row stays open, whatever its worker did. */
static const struct settle *settle_of(enum owner_state state)
{
	size_t i;

	for (i = 0; i < sizeof(settle_table) / sizeof(settle_table[0]); i++)
		if (settle_table[i].state == state)
			return &settle_table[i];
	return NULL;
}

static int row_end(struct agent *agent, const struct journal_row *row,
		   const char *reason, struct fail *fail)
{
	struct remote_fds left;
	int ret = predecessor_end(agent, row->id, row->side, &left, fail);

	if (!ret && row->side == SIDE_SOURCE)
		disks_release(agent, row);
	if (!ret)
		ret = journal_note(agent->journal, row->id, row->side, reason, NULL, NULL,
				   fail);
	if (!ret)
		ret = settle_of(row->state)->run(agent, row, &left, fail);
	if (ret)
		return ret;
	predecessor_forget(agent, row->id, row->side);
	log_notice("migration %s of guest '%s' was left in state %s: ended", row->id,
		   row->guest, owner_state_name(row->state));
	return 0;
}

/**
 * settle_is_due() - is a row in that state ended without a worker?
 * @state: of an open row, or STATE_NONE
 *
 * Return: true if it is, now or later.
 */
bool settle_is_due(enum owner_state state)
{
	return settle_of(state);
}

static void settle_later(struct agent *agent);

/**
 * settle_row() - end a migration whose worker is gone, where that is safe
 * @agent: of this host
 * @row: its row, open
 * @reason: why it is to end, unless its row says so already
 *
 * Return: true if it ended; else it stays open, and status tells. What only
 * failed is tried again later.
 */
bool settle_row(struct agent *agent, const struct journal_row *row, const char *reason)
{
	struct fail fail = { 0 };
	int ret;

	if (!settle_of(row->state)) {
		if (row->side == SIDE_DEST)
			definition_end(agent, row, true);	/* past GO it stays */
		log_warning("migration %s of guest '%s' is open in state %s and has no worker",
			    row->id, row->guest, owner_state_name(row->state));
		return false;
	}
	ret = row_end(agent, row, reason, &fail);
	if (!ret)
		return true;
	if (ret == -EBUSY)
		log_info("migration %s: %s", row->id, fail.text);
	else
		log_error("migration %s of guest '%s' cannot be ended yet: %s", row->id,
			  row->guest, fail.err ? fail.text : strerror(-ret));
	settle_later(agent);
	return false;
}

struct rows {
	struct agent *agent;
	bool again;		/* workers run: only rows without one */
	struct journal_row *table;
	size_t count;
};

/* The journal is locked while it is walked: rows are settled afterwards. */
static int row_keep(const struct journal_row *row, void *arg)
{
	struct rows *rows = arg;

	if (rows->count == ROWS_MAX)
		return 0;
	if (rows->again && (!settle_of(row->state) ||
			    worker_find(rows->agent, row->id, row->side)))
		return 0;
	rows->table[rows->count] = *row;
	rows->table[rows->count].summary = NULL;
	rows->table[rows->count].proof = NULL;
	rows->count++;
	return 0;
}

/* What failed before is tried in silence. Return: whether all of it ended. */
static bool rows_settle(struct agent *agent, bool again)
{
	struct rows rows = {
		.agent = agent,
		.again = again,
		.table = calloc(ROWS_MAX, sizeof(struct journal_row)),
	};
	struct fail fail = { 0 };
	bool all;
	size_t i;

	if (!rows.table)
		return false;
	all = !journal_each_open(agent->journal, row_keep, &rows, &fail);
	if (!all)
		log_error("%s", fail.text);
	for (i = 0; i < rows.count; i++) {
		struct fail ignored = { 0 };

		if (again)
			all &= !row_end(agent, &rows.table[i], restarted, &ignored);
		else
			settle_row(agent, &rows.table[i], restarted);
	}
	free(rows.table);
	return all;
}

static int settle_again(sd_event_source *source, uint64_t usec, void *arg)
{
	struct agent *agent = arg;

	(void)source;
	(void)usec;
	agent->later = sd_event_source_disable_unref(agent->later);
	if (!rows_settle(agent, true))
		settle_later(agent);
	return 0;
}

static void settle_later(struct agent *agent)
{
	if (!agent->later)
		(void)sd_event_add_time_relative(agent->event, &agent->later,
						 CLOCK_MONOTONIC, LATER_US, 0,
						 settle_again, agent);
}

/**
 * settle_rows() - end the migrations that only this host has to do with
 * @agent: of this host, before it hears anybody
 *
 * What cannot be ended stays open, is told by status, and tried again.
 */
void settle_rows(struct agent *agent)
{
	rows_settle(agent, false);
}
