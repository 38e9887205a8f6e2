/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle.c - end what a worker that died, or an earlier agent, left in the
 * middle.
 *
 * What is safe from this host's journal alone is ended: the source before its
 * question (ASKED), the dest before its decision (GO). From there on another
 * worker takes the place of the one that died, until the peer or an operator
 * ends it (CORRUPT: an operator). A worker that outlived its agent is ended
 * first; it could not move its row any more, either.
 *
 * Guests may take their time to answer, or all of it, and the agent does not
 * wait: a worker does what is to be done (worker_settle.c).
 *
 * What cannot be done, because a libvirtd is away, say, is tried again
 * (settle_later.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "predecessor.h"
#include "port.h"
#include "protocol/storage.h"
#include "settle.h"
#include "sys.h"
#include "worker_settle.h"
#include "workers.h"

/* States in which somebody has to go on, whoever has died. */
static bool needs_worker(enum owner_state state)
{
	return state == STATE_ASKED || state == STATE_HELD ||
	       state == STATE_TEARING_DOWN || state == STATE_TAKING_BACK ||
	       state == STATE_GO || state == STATE_RUNNING ||
	       state == STATE_SUPERSEDED || owner_is_heralded(state);
}

/* Done by a worker; how it went is seen when that ends. */
static int row_end(struct agent *agent, const struct journal_row *row,
		   const char *reason, struct worker *dead, struct fail *fail)
{
	struct remote_fds left;
	struct worker *heir;
	int ret;

	if (dead && dead->kind == WORKER_SETTLE)
		return fail_set(fail, -EAGAIN, "it is tried again");
	ret = predecessor_end(agent, row->id, row->side, &left, fail);
	if (!ret)
		ret = journal_note(agent->journal, row->id, row->side, reason, NULL, NULL,
				   fail);
	if (!ret)
		ret = worker_settle(agent, row, &left, dead, &heir, fail);
	if (!ret && dead)
		snprintf(heir->error, sizeof(heir->error), "%s", reason);
	if (!ret)
		worker_hand_on(dead, heir);
	return ret;
}

/**
 * settle_is_over() - has nobody to do with a row any more?
 * @row: of the journal; STATE_NONE: there is none
 *
 * Return: true if nobody has: what its workers left may go.
 */
bool settle_is_over(const struct journal_row *row)
{
	const struct owner_rule *rule = owner_rule(row->state);

	if (owner_is_heralded(row->state))
		return row->acknowledged;	/* the dest has to hear of it */
	return !rule || rule->ended;
}

/**
 * settle_is_left() - did the source's workers leave what a settler removes?
 * @agent: of this host
 * @id: of the migration
 * @left: userfaultfds that they left in the guest's process, if it is here
 *
 * Return: true if they did.
 */
bool settle_is_left(const struct agent *agent, const char *id, const struct remote_fds *left)
{
	return left->count || storage_left(agent->options->run_dir, id);
}

/*
 * A dest may not hear for long how it ended, and a guest that was taken back waits
 * for what was left in it: that is first seen to. However that ends the dest is told.
 */
static bool is_to_tend(const struct agent *agent, const struct journal_row *row,
		       const struct worker *dead, struct remote_fds *left)
{
	if (!owner_is_heralded(row->state))
		return false;
	if (!dead || dead->kind != WORKER_SETTLE)
		return settle_is_left(agent, row->id, left);
	if (!dead->status)
		left->count = 0;	/* it was */
	return false;
}

/* One that follows a successor waits a little: the reason may last. */
static int row_succeed(struct agent *agent, const struct journal_row *row,
		       struct worker *dead, struct fail *fail)
{
	struct remote_fds left;
	struct worker *heir;
	int ret;

	if (dead && dead->successor)
		return fail_set(fail, -EAGAIN, "two workers have ended, one after the other: the "
				"next one waits a moment");
	ret = predecessor_end(agent, row->id, row->side, &left, fail);
	if (!ret && is_to_tend(agent, row, dead, &left))
		return worker_settle(agent, row, &left, dead, &heir, fail);
	if (!ret)
		ret = worker_succeed(agent, row, &left, NULL, &heir, fail);
	if (ret)
		return ret;
	if (!heir->herald)
		worker_hand_on(dead, heir);
	log_notice("migration %s of guest '%s', state %s: worker %d goes on with it", row->id,
		   row->guest, owner_state_name(row->state), (int)heir->pid);
	return 0;
}

/**
 * settle_resolve() - have a worker carry out an operator's decision
 * @agent: of this host
 * @row: of the migration, open, without a worker
 * @decision: what is to be done
 * @worker: receives the worker
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int settle_resolve(struct agent *agent, const struct journal_row *row,
		   const struct decision *decision, struct worker **worker, struct fail *fail)
{
	struct remote_fds left;
	int ret = predecessor_end(agent, row->id, row->side, &left, fail);

	return ret ? ret : worker_succeed(agent, row, &left, decision, worker, fail);
}

/**
 * settle_tend() - have what a worker has left seen to; the row stays as it is
 * @agent: of this host
 * @row: over (settle_is_over())
 * @dead: its worker, killed perhaps in the middle of it; NULL: of an earlier agent
 * @fail: says why not
 *
 * Return: 0; or -errno: what it left stays, and it is to be tried again.
 */
int settle_tend(struct agent *agent, const struct journal_row *row,
		const struct worker *dead, struct fail *fail)
{
	struct remote_fds left;
	struct worker *worker;
	int ret = predecessor_end(agent, row->id, row->side, &left, fail);

	if (!ret)
		ret = worker_settle(agent, row, &left, dead, &worker, fail);
	return ret;
}

/**
 * settle_tend_failed() - say that what a worker has left stays for now
 * @row: over
 * @error: of settle_tend()
 * @fail: likewise
 */
void settle_tend_failed(const struct journal_row *row, int error, const struct fail *fail)
{
	log_error("migration %s of guest '%s', state %s: what it left cannot be seen to yet: %s",
		  row->id, row->guest, owner_state_name(row->state),
		  fail->err ? fail->text : strerror(-error));
}

/* Only an operator can go on: it was told what there is to know. */
static bool is_for_operator(const struct journal_row *row, const struct worker *dead)
{
	return (!is_settled(row->state) && !needs_worker(row->state)) ||
	       (dead && dead->kind != WORKER_SETTLE && dead->status == WORKER_OPERATOR);
}

/**
 * settle_try() - what can be done with a migration that has no worker is begun
 * @agent: of this host
 * @row: its row
 * @reason: why it is to end, unless its row says so already
 * @dead: its worker, which has ended; NULL: of an earlier agent
 * @fail: says why not
 *
 * Return: 0: a worker goes on, or only an operator can; or -errno: try again.
 */
int settle_try(struct agent *agent, const struct journal_row *row, const char *reason,
	       struct worker *dead, struct fail *fail)
{
	if (settle_is_over(row))
		return settle_tend(agent, row, dead, fail);
	if (is_for_operator(row, dead))
		return 0;
	return is_settled(row->state) ? row_end(agent, row, reason, dead, fail)
				      : row_succeed(agent, row, dead, fail);
}

/**
 * settle_row() - what is to become of a migration whose worker is gone
 * @agent: of this host
 * @row: its row, open
 * @reason: why it is to end, unless its row says so already
 * @dead: its worker, which has ended; NULL: of an earlier agent
 *
 * Return: true if it ended, or another worker goes on; else it stays open, and
 * status tells. What only failed is tried again later.
 */
bool settle_row(struct agent *agent, const struct journal_row *row, const char *reason,
		struct worker *dead)
{
	struct fail fail = { 0 };
	int ret;

	if (is_for_operator(row, dead)) {
		if (dead && dead->kind == WORKER_SETTLE)
			return false;		/* it was told before */
		log_warning("migration %s of guest '%s' stays in state %s until an operator "
			    "decides: 'straddle resolve %s'", row->id, row->guest,
			    owner_state_name(row->state), row->guest);
		return false;
	}
	ret = settle_try(agent, row, reason, dead, &fail);
	if (!ret)
		return true;
	if (ret == -EBUSY || ret == -EAGAIN)
		log_info("migration %s: %s", row->id, fail.text);
	else
		log_error("migration %s of guest '%s', state %s, cannot be settled yet: %s",
			  row->id, row->guest, owner_state_name(row->state),
			  fail.err ? fail.text : strerror(-ret));
	settle_later(agent, row, needs_worker(row->state) ? SETTLE_SOON_US : SETTLE_LATER_US,
		     ret, &fail);
	return false;
}
