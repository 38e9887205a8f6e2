/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle_later.c - rows that wait for the agent: of an earlier one, at its start,
 * and what could not be done yet, which is tried again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "predecessor.h"
#include "settle.h"
#include "sys.h"
#include "workers.h"

#define ROOM_FIRST	64	/* rows; doubled as there are more */
#define START_US	3000000	/* for what can be ended at once, at a start */
/* A steward that was killed; one that has not ended after that is in a call. */
#define STEWARD_US	10000
#define STEWARD_MAX_US	400000

static const char restarted[] = "the agent was restarted in the middle of it";

static int settle_again(sd_event_source *source, uint64_t usec, void *arg);

/* A table of @count entries, with room for one more; NULL: as it was. */
static void *room_for_one(void *table, size_t *room, size_t count, size_t size)
{
	size_t more = *room ? 2 * *room : ROOM_FIRST;

	if (count < *room)
		return table;
	table = reallocarray(table, more, size);
	if (table)
		*room = more;
	return table;
}

static struct due *due_find(const struct agent *agent, const char *id, enum side side)
{
	size_t i;

	for (i = 0; i < agent->due_count; i++)
		if (agent->due[i].side == side && !strcmp(agent->due[i].id, id))
			return &agent->due[i];
	return NULL;
}

static struct due *due_new(struct agent *agent, const char *id, enum side side)
{
	struct due *due = room_for_one(agent->due, &agent->due_room, agent->due_count,
				       sizeof(*due));

	if (!due) {
		log_error("migration %s waits for the next agent: no memory", id);
		return NULL;
	}
	agent->due = due;
	due += agent->due_count++;
	*due = (struct due){ .side = side };
	snprintf(due->id, sizeof(due->id), "%s", id);
	return due;
}

/* One timer for all: it is for who is tried first. */
static void later_start(struct agent *agent, uint64_t at_us)
{
	uint64_t timer_us;

	if (!agent->later)
		(void)sd_event_add_time(agent->event, &agent->later, CLOCK_MONOTONIC, at_us,
					STEWARD_US / 10, settle_again, agent);
	else if (sd_event_source_get_time(agent->later, &timer_us) >= 0 && at_us < timer_us)
		(void)sd_event_source_set_time(agent->later, at_us);
}

/* Once, with the last reason that says something. */
static void due_add(struct agent *agent, const char *id, enum side side, uint64_t us,
		    const char *why)
{
	uint64_t at_us = now_ns() / 1000 + us;
	struct due *due = due_find(agent, id, side);

	if (!due)
		due = due_new(agent, id, side);
	if (!due)
		return;
	due->at_us = at_us;
	due->wait_us = us;
	if (*why)
		snprintf(due->why, sizeof(due->why), "%s", why);
	later_start(agent, at_us);
}

/**
 * settle_why() - why nobody goes on with a migration yet
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Return: in words, the agent's until its loop goes on; NULL: nothing is known.
 */
const char *settle_why(const struct agent *agent, const char *id, enum side side)
{
	const struct due *due = due_find(agent, id, side);

	return due && *due->why ? due->why : NULL;
}

static void row_later(struct agent *agent, const struct journal_row *row, uint64_t us,
		      int error, const struct fail *fail)
{
	due_add(agent, row->id, row->side, us, error == -EAGAIN ? "" :
		fail->err ? fail->text : strerror(-error));
}

/**
 * settle_later() - what cannot be done with a row is tried again
 * @agent: of this host
 * @row: of the migration
 * @us: when; sooner where a steward is about to end
 * @error: why it cannot; that one has just waited for another is no reason
 * @fail: of @error
 */
void settle_later(struct agent *agent, const struct journal_row *row, uint64_t us, int error,
		  const struct fail *fail)
{
	row_later(agent, row, error == -EBUSY ? STEWARD_US : us, error, fail);
}

/**
 * settle_unread() - nobody knows what a row says: it is looked at again
 * @agent: of this host
 * @id: of the migration, which has no worker; what that left stays
 * @side: this host's
 */
void settle_unread(struct agent *agent, const char *id, enum side side)
{
	due_add(agent, id, side, SETTLE_LATER_US, "");
}

/* The journal is another one, or was lost: the peer and the guest may still need it. */
static void unknown_tell(struct agent *agent, const char *id, enum side side)
{
	pid_t pid = predecessor_lives(agent, id, side);

	if (pid > 0)
		log_warning("process %d is the worker of migration %s, which the journal does not "
			    "know: was --state-dir lost, or replaced? It goes on moving pages, and "
			    "nobody records how that ends: put the journal back and restart "
			    "straddled, or decide at the other host ('straddle resolve')",
			    (int)pid, id);
	else if (!pid && predecessor_has_will(agent, id, side))
		log_warning("migration %s, which the journal does not know, has no worker any "
			    "more, and its guest may wait for one: was --state-dir lost, or "
			    "replaced? Put the journal back and restart straddled, or decide at the "
			    "other host ('straddle resolve')", id);
	else if (!pid)
		predecessor_forget(agent, id, side);
}

static int left_settle(const char *id, enum side side, void *arg)
{
	struct agent *agent = arg;
	struct fail fail = { 0 };
	struct journal_row row;
	int ret = journal_get(agent->journal, id, side, &row, &fail);

	if (ret == -ENOENT)
		unknown_tell(agent, id, side);
	else if (ret)
		settle_unread(agent, id, side);
	if (ret)
		return 0;
	if (settle_is_over(&row))
		ret = settle_tend(agent, &row, NULL, &fail);
	if (ret && ret != -EBUSY)
		settle_tend_failed(&row, ret, &fail);
	if (ret)
		settle_later(agent, &row, SETTLE_LATER_US, ret, &fail);
	journal_row_fini(&row);
	return 0;
}

struct rows {
	struct agent *agent;
	struct journal_row *table;
	size_t count, room;
};

/* The journal is locked while it is walked: rows are settled afterwards. */
static int row_keep(const struct journal_row *row, void *arg)
{
	struct rows *rows = arg;
	struct journal_row *table;

	if (worker_find(rows->agent, row->id, row->side))
		return 0;
	table = room_for_one(rows->table, &rows->room, rows->count, sizeof(*table));
	if (!table)
		return -ENOMEM;
	rows->table = table;
	rows->table[rows->count] = *row;
	rows->table[rows->count].summary = NULL;
	rows->table[rows->count].proof = NULL;
	rows->count++;
	return 0;
}

static int rows_read(struct rows *rows, struct agent *agent, struct fail *fail)
{
	int ret;

	*rows = (struct rows){ .agent = agent };
	ret = journal_each_open(agent->journal, row_keep, rows, fail);
	return ret ? ret : journal_each_unheard(agent->journal, row_keep, rows, fail);
}

/* Of all that have no worker. Those that cannot be read are read again later. */
static void rows_settle(struct agent *agent)
{
	struct fail fail = { 0 };
	struct rows rows;
	size_t i;
	int ret = rows_read(&rows, agent, &fail);

	if (ret && !agent->unread)
		log_error("not all migrations of the journal are seen to yet: %s",
			  fail.err ? fail.text : strerror(-ret));
	agent->unread = ret;
	if (ret)
		later_start(agent, now_ns() / 1000 + SETTLE_LATER_US);
	for (i = 0; i < rows.count; i++)
		settle_row(agent, &rows.table[i], restarted, NULL);
	free(rows.table);
}

/**
 * settle_idle_row() - the row of a migration that no worker has in its hands
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 * @row: receives it; journal_row_fini() frees it
 *
 * One that cannot be read is looked at again later.
 *
 * Return: true with @row; else there is nothing to do now.
 */
bool settle_idle_row(struct agent *agent, const char *id, enum side side,
		     struct journal_row *row)
{
	struct fail ignored = { 0 };
	int ret;

	if (worker_find(agent, id, side))
		return false;
	ret = journal_get(agent->journal, id, side, row, &ignored);
	if (ret && ret != -ENOENT)
		settle_unread(agent, id, side);
	return !ret;
}

/* After twice as long as before. */
static uint64_t wait_longer(uint64_t us)
{
	return us < SETTLE_LATER_US / 2 ? 2 * us : SETTLE_LATER_US;
}

/* In silence: what is in the way was told. */
static void due_settle(struct agent *agent, const struct due *due)
{
	struct fail fail = { 0 };
	struct journal_row row;
	int ret;

	if (!settle_idle_row(agent, due->id, due->side, &row))
		return;
	ret = settle_try(agent, &row, restarted, NULL, &fail);
	if (ret)
		row_later(agent, &row, wait_longer(due->wait_us), ret, &fail);
	journal_row_fini(&row);
}

/* It is not its turn, unless it was added anew. */
static void due_keep(struct agent *agent, const struct due *before)
{
	struct due *due = due_find(agent, before->id, before->side);

	if (due)
		return;
	due = due_new(agent, before->id, before->side);
	if (!due)
		return;
	*due = *before;
	later_start(agent, due->at_us);
}

static int settle_again(sd_event_source *source, uint64_t usec, void *arg)
{
	uint64_t now_us = now_ns() / 1000;
	struct agent *agent = arg;
	struct due *due = agent->due;
	size_t count = agent->due_count, i;

	(void)source;
	(void)usec;
	agent->later = sd_event_source_disable_unref(agent->later);
	agent->due = NULL;
	agent->due_count = agent->due_room = 0;
	if (agent->unread)
		rows_settle(agent);
	for (i = 0; i < count; i++)
		if (due[i].at_us <= now_us)
			due_settle(agent, &due[i]);
		else
			due_keep(agent, &due[i]);
	free(due);
	return 0;
}

static bool is_settling(const struct agent *agent)
{
	const struct worker *worker;

	for (worker = agent->workers; worker; worker = worker->next)
		if (worker->kind == WORKER_SETTLE)
			return true;
	return false;
}

static bool steward_is_ending(const struct agent *agent)
{
	size_t i;

	for (i = 0; i < agent->due_count; i++)
		if (agent->due[i].wait_us <= STEWARD_MAX_US)
			return true;
	return false;
}

/* Who asks finds it done, unless a guest does not answer, or a steward does not end. */
static void settle_wait(struct agent *agent)
{
	uint64_t now = now_ns() / 1000, end = now + START_US;

	for (; now < end && (is_settling(agent) || steward_is_ending(agent));
	     now = now_ns() / 1000)
		if (sd_event_run(agent->event, end - now) < 0)
			return;
}

/**
 * settle_rows() - take up the migrations that an earlier agent left
 * @agent: of this host, before it hears anybody
 *
 * What needs a worker gets one. What cannot be ended, or not at once, stays open,
 * is told by status, and tried again.
 */
void settle_rows(struct agent *agent)
{
	rows_settle(agent);
	predecessor_each(agent, left_settle, agent);
	settle_wait(agent);
}
