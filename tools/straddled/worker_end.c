/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_end.c - see a worker end, and to what it leaves. */
#include <json-c/json.h>
#include <string.h>
#include <sys/wait.h>

#include "log.h"
#include "predecessor.h"
#include "settle.h"
#include "sys.h"
#include "workers.h"

static void death_describe(const siginfo_t *info, char *text, size_t size)
{
	if (info->si_code == CLD_EXITED)
		snprintf(text, size, "worker ended with exit code %d before the migration did",
			 info->si_status);
	else
		snprintf(text, size, "worker died: signal %d%s", info->si_status,
			 info->si_status == SIGSYS ? " (SIGSYS): a call that its filter forbids; "
			 "the kernel's log says which" : "");
}

/* A row that its worker left open: ended, where that is safe, or gone on with. */
static void row_leave(struct worker *worker, const siginfo_t *info, struct journal_row *row)
{
	struct journal *journal = worker->agent->journal;
	/* Then that the dest is told so by another one is no news of it. */
	bool over = owner_is_heralded(row->state);
	struct fail ignored = { 0 };
	struct journal_row now;
	char death[128];

	death_describe(info, death, sizeof(death));
	if (worker->kind != WORKER_SETTLE && (!over || worker->herald))
		log_notice("migration %s of guest '%s': %s", worker->id, worker_about(worker),
			   *worker->error ? worker->error : death);
	if (settle_row(worker->agent, row, *worker->error ? worker->error : death, worker) &&
	    worker_find(worker->agent, worker->id, worker->side)) {
		worker->succeeded = !over;
		return;
	}
	if (over)
		return;
	if (!*worker->error && !(worker->kind == WORKER_SETTLE && !worker->status))
		snprintf(worker->error, sizeof(worker->error), "%s", death);
	/* One that cannot be read any more stays as it was: open. */
	if (journal_get(journal, worker->id, worker->side, &now, &ignored))
		return;
	journal_row_fini(row);
	*row = now;
}

/* Of a migration that is over: it died, perhaps in the middle of it, or was not to see to it. */
static bool leaves_work(const struct worker *worker)
{
	if (worker->kind == WORKER_ANSWER || (worker->kind == WORKER_SETTLE && worker->successor))
		return false;
	return worker->status < 0 || (worker->herald &&
	       settle_is_left(worker->agent, worker->id, &worker->attached));
}

/* Return: 0: what its row says at the end; or -errno: it has to be looked at again. */
static int row_close(struct worker *worker, const siginfo_t *info,
		     struct journal_row *row)
{
	struct fail fail = { 0 };
	int ret = journal_get(worker->agent->journal, worker->id, worker->side, row, &fail);

	if (ret) {
		log_error("migration %s of guest '%s', whose worker has ended: %s", worker->id,
			  worker_about(worker), fail.text);
		if (!*worker->error)
			snprintf(worker->error, sizeof(worker->error), "%s", fail.text);
	} else if (!settle_is_over(row) && worker->kind != WORKER_ANSWER) {
		row_leave(worker, info, row);
	} else if (leaves_work(worker)) {
		ret = settle_tend(worker->agent, row, worker, &fail);
		if (ret)
			settle_tend_failed(row, ret, &fail);
	}
	return ret;
}

/* It may have written that a copy was taken back: another one has to stop it. */
static void answer_close(const struct worker *worker)
{
	struct agent *agent = worker->agent;
	struct journal_row row;

	if (!settle_idle_row(agent, worker->id, worker->side, &row))
		return;
	if (row.state == STATE_SUPERSEDED)
		settle_row(agent, &row, "", NULL);
	journal_row_fini(&row);
}

/* How it ended, to who watches; who goes on with it tells that later. */
static void worker_conclude(struct worker *worker, const siginfo_t *info,
			    const struct journal_row *row)
{
	if (!worker->begun && worker->kind == WORKER_SOURCE && !*worker->error &&
	    !(worker->dry_run && info->si_code == CLD_EXITED && !info->si_status))
		death_describe(info, worker->error, sizeof(worker->error));
	if (!worker->succeeded)
		worker_report(worker, row);
}

/* Nobody needs what it left: no other worker, nor the next agent. */
static bool is_last(const struct worker *worker, const struct journal_row *row)
{
	if (worker->kind == WORKER_ANSWER || !settle_is_over(row) ||
	    worker_find(worker->agent, worker->id, worker->side))
		return false;
	return worker->kind != WORKER_SETTLE || !worker->status;
}

/**
 * worker_ended() - reap a worker, hear its last words, see to what it leaves
 * @worker: whose process has ended or is about to; freed
 */
void worker_ended(struct worker *worker)
{
	struct journal_row row = { .state = STATE_NONE };
	siginfo_t info = { .si_code = 0 };
	int ret = 0;

	sys_retry(waitid(P_PIDFD, (id_t)worker->pidfd, &info, WEXITED));
	if (info.si_code == CLD_EXITED)
		worker->status = info.si_status;
	worker_rpc_drain(worker);
	/* First: one that takes its place is to be found by its id. */
	worker_unlink(worker);
	if (worker->kind == WORKER_LIST) {
		worker_report_list(worker);
		worker_close(worker);
		return;
	}
	if (worker->kind == WORKER_ANSWER)
		answer_close(worker);
	if (worker->begun)
		ret = row_close(worker, &info, &row);
	if (ret)
		settle_unread(worker->agent, worker->id, worker->side);
	else if (is_last(worker, &row))
		predecessor_forget(worker->agent, worker->id, worker->side);
	worker_conclude(worker, &info, &row);
	journal_row_fini(&row);
	worker_close(worker);
}
