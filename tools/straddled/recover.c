// SPDX-License-Identifier: LGPL-2.1-or-later
/* recover.c - a link that was cut is tried again now, perhaps elsewhere. */
#include "recover.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "protocol/address.h"
#include "tools/lib/jsonline.h"
#include "workers.h"

struct find {
	const char *guest;
	struct journal_row row;
	bool found;
};

/* Where the guest comes home both sides may be here: it is the source that connects. */
static int row_find(const struct journal_row *row, void *arg)
{
	struct find *find = arg;

	if (strcmp(row->guest, find->guest) ||
	    (find->found && row->side != SIDE_SOURCE))
		return 0;
	find->row = *row;
	find->row.summary = find->row.proof = NULL;
	find->found = true;
	return row->side == SIDE_SOURCE;
}

/* One that is over may have a dest that does not know so, wherever that is. */
static int row_search(struct agent *agent, struct find *find, struct fail *fail)
{
	int ret = journal_each_open(agent->journal, row_find, find, fail);

	if (ret >= 0 && !(find->found && find->row.side == SIDE_SOURCE))
		ret = journal_each_unheard(agent->journal, row_find, find, fail);
	if (ret < 0)
		return ret;
	return find->found ? 0 : fail_set(fail, -ENOENT, "guest '%s' has no migration on this "
					  "host that has not ended: there is nothing to recover",
					  find->guest);
}

/**
 * recover_is_due() - does a migration wait for this word?
 * @worker: of its source; NULL is fine
 *
 * Return: true when it has been tried for as long as --recover-timeout says.
 */
bool recover_is_due(const struct worker *worker)
{
	return json_object_get_boolean(worker_progress_member(worker, "recover_due"));
}

static int row_check(const struct journal_row *row, struct fail *fail)
{
	if (row->side == SIDE_DEST)
		return fail_set(fail, -EPERM, "guest '%s' comes here from %s, which is the host "
				"that connects: ask there", row->guest, row->peer);
	if (row->state != STATE_ASKED && row->state != STATE_HELD &&
	    !owner_is_heralded(row->state))
		return fail_set(fail, -EPERM, "guest '%s' is not held here (migration %s, state "
				"%s): there is nothing to recover", row->guest, row->id,
				owner_state_name(row->state));
	return 0;
}

static int worker_check(const struct worker *worker, const struct journal_row *row,
			struct fail *fail)
{
	if (!worker)
		return fail_set(fail, -EAGAIN, "the worker of migration %s has died, and another "
				"one is about to take its place: try again", row->id);
	if (!owner_is_heralded(row->state) &&
	    !json_object_get_uint64(worker_progress_member(worker, "broken_ns")))
		return fail_set(fail, -EALREADY, "guest '%s' is held here and its link to %s is "
				"not cut: there is nothing to recover; 'straddle status %s' shows "
				"what is still to come", row->guest, row->peer, row->guest);
	return 0;
}

static int to_check(const char *to, struct fail *fail)
{
	struct address address;

	if (to && strlen(to) >= sizeof(((struct journal_row *)NULL)->peer))
		return fail_set(fail, -EINVAL, "the host to go on at is too long");
	return to ? address_parse(to, &address, fail) : 0;
}

static struct json_object *packet_new(void)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("recover"));
	return packet;
}

/* A worker calls the hosts of its job only: elsewhere is for another worker. */
static int try_again(struct agent *agent, struct worker *worker,
		     const struct journal_row *row, const char *to, struct fail *fail)
{
	char why[sizeof(row->peer) + 64] = "an operator has the dest told at once";
	bool elsewhere = to && strcmp(to, row->peer);
	int ret = 0;

	if (elsewhere) {
		ret = journal_peer(agent->journal, row->id, row->side, to, fail);
		snprintf(why, sizeof(why), "an operator says that the dest is %s now", to);
	} else if (!owner_is_heralded(row->state)) {
		ret = worker_tell(worker, packet_new(), -1);
		return ret ? fail_set(fail, ret, "the worker of migration %s cannot be told: %s",
				      row->id, strerror(-ret)) : 0;
	}
	if (ret)
		return ret;
	worker_replace(worker, why);
	return 0;
}

/**
 * verb_recover() - try again what was cut, whatever was tried before
 * @client: who asks
 * @request: "guest"; "to" if the dest has another address now
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno.
 */
int verb_recover(struct client *client, struct json_object *request, struct fail *fail)
{
	const char *guest = json_text(request, "guest"), *to = json_text(request, "to");
	struct agent *agent = client_agent(client);
	struct find find = { .guest = guest ? guest : "" };
	struct json_object *answer;
	struct worker *worker;
	int ret = to_check(to, fail);

	if (!ret)
		ret = row_search(agent, &find, fail);
	if (ret)
		return ret;
	worker = worker_find(agent, find.row.id, SIDE_SOURCE);
	ret = row_check(&find.row, fail);
	if (!ret)
		ret = worker_check(worker, &find.row, fail);
	if (!ret)
		ret = try_again(agent, worker, &find.row, to, fail);
	if (ret)
		return ret;
	answer = answer_new("recover");
	json_object_object_add(answer, "id", json_object_new_string(find.row.id));
	client_say(client, answer);
	return 0;
}
