/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verbs.c - what the control socket does, a row a verb. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "control.h"
#include "record.h"
#include "recover.h"
#include "resolve.h"
#include "status.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "workers.h"

#define HISTORY_DEFAULT	20
#define HISTORY_MAX	1000

#define KEYS_MAX	6

struct verb {
	const char *name;
	int (*run)(struct client *client, struct json_object *request, struct fail *fail);
	const char *keys[KEYS_MAX];	/* that a request may have beside "do" */
};

static int verb_list(struct client *client, struct json_object *request, struct fail *fail)
{
	struct worker *worker;
	int ret;

	(void)request;
	if (client_lists(client))
		return fail_set(fail, -EBUSY, "guests are being listed already");
	ret = worker_list(client_agent(client), &worker, fail);
	if (!ret)
		client_list(client, worker);
	return ret;
}

struct open_row {
	const char *guest;
	char text[200];		/* "" until one is found */
};

static int row_of_guest(const struct journal_row *row, void *arg)
{
	struct open_row *find = arg;

	if (row->side != SIDE_SOURCE || strcmp(row->guest, find->guest))
		return 0;
	snprintf(find->text, sizeof(find->text), "%s to %.80s, state %s, without a worker",
		 row->id, row->peer, owner_state_name(row->state));
	return 0;
}

/* All of it is here: its worker only waits for the source to hear so. */
static bool has_arrived(struct agent *agent, const struct worker *worker)
{
	struct fail ignored = { 0 };
	struct journal_row row;
	bool arrived;

	if (worker->side != SIDE_DEST ||
	    journal_get(agent->journal, worker->id, worker->side, &row, &ignored))
		return false;
	arrived = row.state == STATE_COMPLETE || row.state == STATE_DONE;
	journal_row_fini(&row);
	return arrived;
}

/* One migration of a guest at a time, also one that waits for recovery. */
static int guest_is_free(struct agent *agent, const char *guest, struct fail *fail)
{
	struct worker *worker = worker_of_guest(agent, guest);
	struct open_row find = { .guest = guest };
	int ret;

	if (worker && !has_arrived(agent, worker))
		return fail_set(fail, -EBUSY, "guest '%s' is being migrated already: %s %s %s; "
				"'straddle status %s' shows how far it is", guest, worker->id,
				worker->side == SIDE_SOURCE ? "to" : "from", worker->peer, guest);
	ret = journal_each_open(agent->journal, row_of_guest, &find, fail);
	if (!ret && *find.text)
		return fail_set(fail, -EBUSY, "guest '%s' has a migration that has not ended: "
				"%s; 'straddle status %s' shows it", guest, find.text, guest);
	return ret;
}

static int verb_migrate(struct client *client, struct json_object *request,
			struct fail *fail)
{
	struct agent *agent = client_agent(client);
	struct migration_options options;
	struct json_object *told, *answer;
	struct address address;
	struct worker *worker;
	int ret;

	if (!json_object_object_get_ex(request, "options", &told) ||
	    !json_object_is_type(told, json_type_object))
		return fail_set(fail, -EINVAL, "'migrate' without an object of options");
	ret = migration_options_known(told, fail);
	if (!ret)
		ret = migration_options_from_json(told, &options, fail);
	if (!ret)
		ret = migration_options_check(&options, fail);
	if (!ret)
		ret = address_parse(options.host, &address, fail);
	if (!ret)
		ret = guest_is_free(agent, options.guest, fail);
	if (!ret)
		ret = worker_migrate(agent, &options, &worker, fail);
	if (ret)
		return ret;
	answer = answer_new("started");
	json_object_object_add(answer, "id", json_object_new_string(worker->id));
	client_watch(client, worker);
	client_say(client, answer);
	return 0;
}

/* What libvirt moves runs there from its switch on. */
static bool has_switched(const struct worker *worker)
{
	return json_object_get_boolean(worker_progress_member(worker, "postcopy"));
}

/* Who runs the guest was decided: whatever is said now, it runs there. */
static int abort_check(struct agent *agent, const struct worker *worker, struct fail *fail)
{
	bool source = worker->side == SIDE_SOURCE;
	struct fail ignored = { 0 };
	enum owner_state state;
	struct journal_row row;

	if (!worker->begun ||
	    journal_get(agent->journal, worker->id, worker->side, &row, &ignored))
		return 0;
	state = row.state;
	journal_row_fini(&row);
	if (state == STATE_DELEGATED && !has_switched(worker))
		return 0;
	switch (state) {
	case STATE_DELEGATED:
	case STATE_MOVED:
	case STATE_HELD:
	case STATE_TEARING_DOWN:
	case STATE_TORN_DOWN:
	case STATE_CORRUPT:
	case STATE_DIED_THERE:
	case STATE_TAKING_BACK:
	case STATE_SUPERSEDED:
	case STATE_GO:
	case STATE_RUNNING:
	case STATE_COMPLETE:
	case STATE_DONE:
		return fail_set(fail, -EALREADY, "guest '%s' runs on %s%s already (migration %s, "
				"state %s): since the switch it cannot be aborted any more; "
				"'straddle status %s' shows what is still to come",
				worker->guest, source ? "" : "this host, not on ",
				worker->peer, worker->id, owner_state_name(state),
				worker->guest);
	default:
		return 0;
	}
}

/* Pass a word on to the worker of a guest. */
static int tell_guest(struct client *client, struct json_object *request,
		      struct json_object *packet, struct fail *fail)
{
	const char *guest = json_text(request, "guest"), *verb = json_text(request, "do");
	struct worker *worker = guest ? worker_of_guest(client_agent(client), guest) : NULL;
	struct json_object *answer;
	int ret;

	if (!worker) {
		json_object_put(packet);
		return fail_set(fail, -ENOENT, "guest '%s' has no migration under way on this "
				"host: 'straddle status' lists those that are",
				guest ? guest : "");
	}
	json_object_object_add(packet, "do", json_object_new_string(verb));
	ret = worker_tell(worker, packet, -1);
	if (ret)
		return fail_set(fail, ret, "the worker of migration %s cannot be told: %s",
				worker->id, strerror(-ret));
	answer = answer_new(verb);
	json_object_object_add(answer, "id", json_object_new_string(worker->id));
	client_say(client, answer);
	return 0;
}

static int verb_abort(struct client *client, struct json_object *request, struct fail *fail)
{
	const char *guest = json_text(request, "guest");
	struct agent *agent = client_agent(client);
	struct worker *worker = guest ? worker_of_guest(agent, guest) : NULL;
	int ret = worker ? abort_check(agent, worker, fail) : 0;

	return ret ? ret : tell_guest(client, request, json_object_new_object(), fail);
}

static int verb_tell(struct client *client, struct json_object *request, struct fail *fail)
{
	return tell_guest(client, request, json_object_new_object(), fail);
}

static int verb_bandwidth(struct client *client, struct json_object *request,
			  struct fail *fail)
{
	struct json_object *bytes, *packet;

	if (!json_object_object_get_ex(request, "bytes", &bytes) ||
	    !json_object_is_type(bytes, json_type_int) || json_object_get_int64(bytes) < 0)
		return fail_set(fail, -EINVAL,
				"'bandwidth' needs 'bytes' a second, 0 for no limit");
	packet = json_object_new_object();
	json_object_object_add(packet, "bytes", json_object_get(bytes));
	return tell_guest(client, request, packet, fail);
}

static int row_history(const struct journal_row *row, void *arg)
{
	json_object_array_add(arg, record_to_json(row));
	return 0;
}

static int verb_history(struct client *client, struct json_object *request,
			struct fail *fail)
{
	struct json_object *answer, *rows, *count;
	int64_t limit = HISTORY_DEFAULT;
	int ret;

	if (json_object_object_get_ex(request, "count", &count)) {
		limit = json_object_get_int64(count);
		if (!json_object_is_type(count, json_type_int) || limit < 1 ||
		    limit > HISTORY_MAX)
			return fail_set(fail, -EINVAL,
					"'count' of 'history' is to be a number from 1 to %d",
					HISTORY_MAX);
	}
	rows = json_object_new_array();
	ret = journal_history(client_agent(client)->journal, (unsigned int)limit, row_history,
			      rows, fail);
	if (ret) {
		json_object_put(rows);
		return ret;
	}
	answer = answer_new("history");
	json_object_object_add(answer, "migrations", rows);
	client_say(client, answer);
	return 0;
}

static const struct verb verbs[] = {
	{ "list", verb_list, { NULL } },
	{ "migrate", verb_migrate, { "options" } },
	{ "status", verb_status, { "guest" } },
	{ "abort", verb_abort, { "guest" } },
	{ "postcopy", verb_tell, { "guest" } },
	{ "bandwidth", verb_bandwidth, { "guest", "bytes" } },
	{ "history", verb_history, { "count" } },
	{ "recover", verb_recover, { "guest", "to" } },
	{ "resolve", verb_resolve, { "guest", "resolution", "fenced", "named", "file" } },
};

static bool has_key(const struct verb *verb, const char *key)
{
	size_t i;

	for (i = 0; i < KEYS_MAX && verb->keys[i]; i++)
		if (!strcmp(verb->keys[i], key))
			return true;
	return !strcmp(key, "do");
}

/* What is misspelt would else be what was never said: status of all guests, say. */
static int keys_check(const struct verb *verb, struct json_object *request, struct fail *fail)
{
	json_object_object_foreach(request, key, value) {
		(void)value;
		if (!has_key(verb, key))
			return fail_set(fail, -EINVAL, "'%s' takes no '%.40s': is it misspelt, or "
					"this agent older than who asks?", verb->name, key);
	}
	return 0;
}

/**
 * verb_run() - do what a client asks for, and answer it
 * @client: who asks
 * @request: what came
 */
void verb_run(struct client *client, struct json_object *request)
{
	const char *name = json_text(request, "do");
	struct fail fail = { 0 };
	int ret = -EINVAL;
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (name && !strcmp(verbs[i].name, name))
			break;
	if (i < sizeof(verbs) / sizeof(verbs[0]))
		ret = keys_check(&verbs[i], request, &fail);
	else
		fail_set(&fail, ret, "no such verb '%.40s': there are list, migrate, status, "
			 "abort, postcopy, bandwidth, history, recover and resolve", name ? name : "");
	if (!ret)
		ret = verbs[i].run(client, request, &fail);
	if (ret)
		client_say_error(client, ret, fail.err ? fail.text : NULL);
}
