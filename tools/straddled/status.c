/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - what is under way on this host, and what is in its way. */
#include "status.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "inject.h"
#include "record.h"
#include "settle.h"
#include "tools/lib/jsonline.h"
#include "workers.h"

static struct json_object *migration_to_json(const struct worker *worker)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "id", json_object_new_string(worker->id));
	json_object_object_add(object, "guest", json_object_new_string(worker->guest));
	json_object_object_add(object, "side", json_object_new_string(side_name(worker->side)));
	json_object_object_add(object, "peer", json_object_new_string(worker->peer));
	json_object_object_add(object, "worker", json_object_new_int(worker->pid));
	json_object_object_add(object, "state", json_object_get(
				worker_progress_member(worker, "state")));
	json_object_object_add(object, "progress", json_object_get(worker->progress));
	json_object_object_add(object, "link", uplink_to_json(&worker->uplink));
	json_object_object_add(object, "problem", worker->uplink.index && !worker->uplink.up ?
			       json_object_new_string("the link has no carrier") : NULL);
	return object;
}

struct status {
	struct agent *agent;
	const char *guest;		/* or NULL: all */
	struct json_object *migrations;
};

static void row_add(struct status *status, const struct journal_row *row,
		    const struct worker *worker, const char *problem)
{
	struct json_object *object = record_to_json(row);

	json_object_object_add(object, "worker", worker ? json_object_new_int(worker->pid) : NULL);
	json_object_object_add(object, "problem", json_object_new_string(problem));
	/* Why it is not done yet, and when it is tried again. */
	json_object_object_add(object, "progress",
			       worker ? json_object_get(worker->progress) : NULL);
	json_object_array_add(status->migrations, object);
}

/* Nobody has it in his hands. */
static void row_left_add(struct status *status, const struct journal_row *row)
{
	const char *why = settle_why(status->agent, row->id, row->side);
	char problem[FAIL_TEXT_MAX];

	if (why)
		snprintf(problem, sizeof(problem), "it waits for a worker, which is tried again: "
			 "%.400s", why);
	else
		snprintf(problem, sizeof(problem), "%s",
			 *row->error ? row->error : "it has no worker of this agent");
	row_add(status, row, NULL, problem);
}

static int row_status(const struct journal_row *row, void *arg)
{
	struct status *status = arg;
	struct worker *worker;

	if (status->guest && strcmp(status->guest, row->guest))
		return 0;
	worker = worker_find(status->agent, row->id, row->side);
	if (!worker || worker->kind == WORKER_SETTLE)
		row_left_add(status, row);
	return 0;
}

static void unheard_words(const struct journal_row *row, const struct worker *herald,
			  char *text, size_t size)
{
	bool taken_back = row->state == STATE_TAKEN_BACK;

	if (herald && herald->heard)
		snprintf(text, size, "%s, and %.250s knows: that cannot be written down here "
			 "yet, and is tried again", taken_back ? "taken back by an operator" :
			 "ended here", journal_row_host(row));
	else
		snprintf(text, size, taken_back ?
			 "taken back by an operator, and %.250s has not heard so: it stays off or "
			 "cut off until it has, and is tried every minute" :
			 "ended here, and %.250s has not said that it knows: it keeps the guest "
			 "from migrating on until then, and is tried every minute",
			 journal_row_host(row));
}

/* The migration is over, and its dest has to hear so before all is as it should be. */
static int unheard_status(const struct journal_row *row, void *arg)
{
	struct status *status = arg;
	struct worker *worker = worker_find(status->agent, row->id, row->side);
	char problem[FAIL_TEXT_MAX];

	/* Not yet: it removes what is left here first. */
	if (worker && worker->kind == WORKER_SETTLE)
		worker = NULL;
	if ((status->guest && strcmp(status->guest, row->guest)) ||
	    (worker && !worker->herald))	/* it tells the dest itself, and is listed */
		return 0;
	unheard_words(row, worker, problem, sizeof(problem));
	row_add(status, row, worker, problem);
	return 0;
}

/**
 * verb_status() - all migrations that are not over, and those whose end is unheard
 * @client: who asks
 * @request: "guest", or all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int verb_status(struct client *client, struct json_object *request, struct fail *fail)
{
	struct agent *agent = client_agent(client);
	struct status status = {
		.agent = agent,
		.guest = json_text(request, "guest"),
		.migrations = json_object_new_array(),
	};
	struct json_object *answer;
	struct worker *worker;
	int ret, workers = 0;

	for (worker = agent->workers; worker; worker = worker->next, workers++)
		if (*worker->guest && worker->kind != WORKER_SETTLE &&
		    (!status.guest || !strcmp(status.guest, worker->guest)))
			json_object_array_add(status.migrations, migration_to_json(worker));
	ret = journal_each_open(agent->journal, row_status, &status, fail);
	if (!ret)
		ret = journal_each_unheard(agent->journal, unheard_status, &status, fail);
	if (!ret && status.guest && !json_object_array_length(status.migrations))
		ret = fail_set(fail, -ENOENT, "guest '%s' has no migration under way on this "
			       "host: 'straddle history' shows those that ended", status.guest);
	if (ret) {
		json_object_put(status.migrations);
		return ret;
	}
	answer = answer_new("status");
	json_object_object_add(answer, "security",
			       json_object_new_string(security_name(agent->choice.security)));
	json_object_object_add(answer, "workers", json_object_new_int(workers));
	json_object_object_add(answer, "migrations", status.migrations);
	if (agent->inject)
		json_object_object_add(answer, "inject", inject_to_json(agent->inject));
	client_say(client, answer);
	return 0;
}
