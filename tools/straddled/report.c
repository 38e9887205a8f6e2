/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report.c - how a migration ended: to the command that waits, and to the log. */
#include <errno.h>
#include <json-c/json.h>

#include "log.h"
#include "workers.h"

static struct json_object *result_new(const struct worker *worker,
				      const struct journal_row *row)
{
	struct json_object *result = json_object_new_object();
	bool ok = worker->begun && (row->state == STATE_TORN_DOWN || row->state == STATE_DONE ||
				    row->state == STATE_MOVED);

	if (worker->dry_run)
		ok = !*worker->error;
	json_object_object_add(result, "type", json_object_new_string("result"));
	json_object_object_add(result, "ok", json_object_new_boolean(ok));
	json_object_object_add(result, "id", json_object_new_string(worker->id));
	json_object_object_add(result, "guest", json_object_new_string(worker->guest));
	json_object_object_add(result, "state", worker->begun ? json_object_new_string(
				owner_state_name(row->state)) : NULL);
	json_object_object_add(result, "error", *worker->error ?
			       json_object_new_string(worker->error) : NULL);
	json_object_object_add(result, "summary", json_object_get(worker->summary));
	return result;
}

static double summary_seconds(const struct worker *worker, const char *key)
{
	struct json_object *ns;

	if (!json_object_object_get_ex(worker->summary, key, &ns))
		return 0;
	return (double)json_object_get_int64(ns) / 1e9;
}

static void success_log(const struct worker *worker)
{
	double downtime = summary_seconds(worker, "downtime_ns");
	char text[64] = "";

	if (downtime > 0)
		snprintf(text, sizeof(text), ", downtime %.1f ms", downtime * 1000);
	log_notice("guest '%s' %s %s: migration %s, total %.1f s%s", worker->guest,
		   worker->side == SIDE_SOURCE ? "went to" : "came from", worker->peer,
		   worker->id, summary_seconds(worker, "total_ns"), text);
}

/* Who called may be anybody, and come again at once. */
static void error_log(const struct worker *worker)
{
	const char *way = worker->side == SIDE_SOURCE ? "to" : "from";
	const char *guest = worker_about(worker);
	bool asked = worker->kind == WORKER_ANSWER;
	char whose[GUEST_NAME_MAX + 16] = "";

	if (*guest)
		snprintf(whose, sizeof(whose), " of guest '%s'", guest);
	if (asked || (!*guest && worker->kind != WORKER_SOURCE))
		log_refusal(worker->proven ? REFUSED_PEER : REFUSED_STRANGER,
			    "migration %s%s %s %s: %s%s", worker->id, whose, way, worker->peer,
			    asked ? "a question about it: " : "", worker->error);
	else
		log_notice("migration %s%s %s %s: %s", worker->id, whose, way, worker->peer,
			   worker->error);
}

static void end_log(const struct worker *worker, bool ok)
{
	/* How the migration ended was logged before, and what these did as well. */
	if (worker->dry_run || worker->herald || worker->tends)
		return;
	if (*worker->error)
		error_log(worker);
	else if (!ok)
		log_info("worker %d of migration %s ended", (int)worker->pid, worker->id);
	if (ok)
		success_log(worker);
}

/**
 * worker_report() - say how a migration ended, to who watches and in the log
 * @worker: that has ended
 * @row: what the journal says of it now
 */
void worker_report(struct worker *worker, const struct journal_row *row)
{
	struct json_object *result = result_new(worker, row), *ok = NULL;

	worker_news(worker, result, true);
	json_object_object_get_ex(result, "ok", &ok);
	end_log(worker, json_object_get_boolean(ok));
	json_object_put(result);
}

/**
 * worker_report_list() - hand the list of guests to who asked for it
 * @worker: of WORKER_LIST, that has ended
 */
void worker_report_list(struct worker *worker)
{
	struct json_object *answer = json_object_new_object();
	bool ok = !*worker->error && !worker->status;

	json_object_object_add(answer, "type", json_object_new_string(ok ? "list" : "error"));
	json_object_object_add(answer, "ok", json_object_new_boolean(ok));
	if (ok) {
		json_object_object_add(answer, "guests", json_object_get(worker->listed));
	} else {
		json_object_object_add(answer, "errno", json_object_new_int(EIO));
		json_object_object_add(answer, "error", json_object_new_string(
				*worker->error ? worker->error
					       : "the worker that lists guests died"));
	}
	worker_news(worker, answer, true);
	json_object_put(answer);
}
