/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* port_begin.c - may a migration begin? Then it gets its row. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "log.h"
#include "record.h"
#include "workers.h"

#define BEGUN_EXPIRE	1000	/* migrations: then old ones are forgotten */

struct clash {
	const struct journal_row *row;	/* that is to begin */
	struct fail *fail;
};

static int row_clash(const struct journal_row *open, void *arg)
{
	struct clash *clash = arg;
	const struct journal_row *row = clash->row;

	if (!strcmp(open->id, row->id) && open->side == row->side)
		return 0;
	if (!strcmp(open->id, row->id))
		return fail_set(clash->fail, -ELOOP, "guest '%s' runs on this very host: "
				"name another one to migrate it to", open->guest);
	/* Nothing is missing there; it only waits for its source to hear so. */
	if (open->state == STATE_COMPLETE)
		return 0;
	if (strcmp(open->uuid, row->uuid) &&
	    (row->side == SIDE_SOURCE || strcmp(open->guest, row->guest)))
		return 0;
	return fail_set(clash->fail, -EEXIST, "guest '%s' has another migration on this host "
			"already: %s %s %s, state %s; it has to end first ('straddle status' "
			"there)", open->guest, open->id,
			open->side == SIDE_SOURCE ? "to" : "from", open->peer,
			owner_state_name(open->state));
}

/* Of one that has ended, too: a settler may yet remove what it left. */
static int settler_clash(const struct agent *agent, const struct journal_row *row,
			 struct fail *fail)
{
	const struct worker *worker;

	for (worker = agent->workers; worker; worker = worker->next)
		if (worker->kind == WORKER_SETTLE && !strcmp(worker->guest, row->guest))
			return fail_set(fail, -EBUSY, "what an earlier migration of guest '%s' "
					"left is being removed: try again", row->guest);
	return 0;
}

/* Its operator says that the source is gone for good: that stays so. */
static int unconfirmed_forget(const struct worker *worker, const struct journal_row *row,
			      struct fail *fail)
{
	struct journal_row came;
	int ret = 0;

	while (!ret) {
		ret = journal_unconfirmed(worker->agent->journal, row->uuid, &came, fail);
		if (ret)
			break;
		ret = journal_acknowledge(worker->agent->journal, came.id, came.side, fail);
		journal_row_fini(&came);
	}
	return ret == -ENOENT ? 0 : ret;
}

/*
 * Who takes it back at the host that it came from fences this one, and knows of no
 * other. Until that host has heard that the guest is here, it does not go on.
 */
static int unconfirmed_clash(const struct worker *worker, const struct journal_row *row,
			     struct fail *fail)
{
	struct journal_row came;
	bool soon;
	int ret;

	if (row->side != SIDE_SOURCE)
		return 0;
	if (worker->unsafe)
		return unconfirmed_forget(worker, row, fail);
	ret = journal_unconfirmed(worker->agent->journal, row->uuid, &came, fail);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	soon = came.state == STATE_COMPLETE || worker_for_peer(worker->agent, came.id);
	ret = fail_set(fail, soon ? -EAGAIN : -EPERM, "guest '%s' came here from %.100s, which "
		       "has not confirmed yet that it is here (migration %s): it could be taken "
		       "back there, and then run on two hosts. Its straddled has to reach this "
		       "host first; or, if that host is gone for good, say --unsafe", row->guest,
		       came.peer, came.id);
	journal_row_fini(&came);
	return ret;
}

/* The address it came from, and who it proved to be; the same everywhere. */
static void peer_name(struct worker *worker, struct journal_row *row)
{
	char proven[sizeof(row->peer)];

	if (row->side == SIDE_SOURCE || !*worker->peer || !strcmp(worker->peer, row->peer))
		return;
	strcpy(proven, row->peer);
	snprintf(row->peer, sizeof(row->peer), "%.60s (%.180s)", worker->peer, proven);
	strcpy(worker->peer, row->peer);
}

/* An agent may live for years, and a peer begin what fails again and again. */
static void begun_count(struct agent *agent)
{
	struct fail fail = { 0 };

	if (++agent->begun % BEGUN_EXPIRE == 0 &&
	    journal_expire(agent->journal, JOURNAL_DAYS, &fail))
		log_warning("%s", fail.text);
}

/**
 * port_begin() - a worker asks for its migration's row
 * @worker: which; has none yet
 * @request: "row"
 * @answer: receives "epoch"
 * @fail: says what is in the way
 *
 * Return: 0; -EEXIST, -EBUSY or -EAGAIN: of another migration; or -errno.
 */
int port_begin(struct worker *worker, struct json_object *request, struct json_object *answer,
	       struct fail *fail)
{
	struct journal *journal = worker->agent->journal;
	struct journal_row row = {
		.side = worker->side,
		.state = worker->side == SIDE_SOURCE ? STATE_BEGUN : STATE_PREPARED,
	};
	struct clash clash = { .row = &row, .fail = fail };
	struct json_object *told;
	int ret;

	if (worker->begun || worker->kind == WORKER_ANSWER)
		return fail_set(fail, -EINVAL, "migration %s has begun already", worker->id);
	if (!json_object_object_get_ex(request, "row", &told))
		return fail_set(fail, -EINVAL, "'begin' without a row");
	ret = record_from_json(told, &row, fail);
	if (ret)
		return ret;
	memcpy(row.id, worker->id, sizeof(row.id));
	peer_name(worker, &row);
	ret = journal_each_open(journal, row_clash, &clash, fail);
	if (!ret)
		ret = settler_clash(worker->agent, &row, fail);
	if (!ret)
		ret = unconfirmed_clash(worker, &row, fail);
	if (!ret)
		ret = worker_guest_row(worker, &row, fail);
	if (!ret && row.side == SIDE_SOURCE)
		ret = journal_epoch(journal, row.uuid, &row.epoch, fail);
	if (!ret)
		ret = journal_begin(journal, &row, fail);
	if (ret)
		return ret;
	json_object_object_add(answer, "epoch", json_object_new_uint64(row.epoch));
	worker->begun = true;
	begun_count(worker->agent);
	if (worker->kind != WORKER_SOURCE)
		worker->agent->unproven_count--;
	snprintf(worker->guest, sizeof(worker->guest), "%s", row.guest);
	log_info("migration %s of guest '%s' %s %s begins", worker->id, row.guest,
		 row.side == SIDE_SOURCE ? "to" : "from", row.peer);
	return 0;
}
