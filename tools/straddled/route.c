/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.c - find or start the worker that gets a connection.
 *
 * The preamble only routes. What it says is proven to the worker, by TLS and
 * by the token; until then a connection may do nothing but take its time.
 */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "log.h"
#include "record.h"
#include "route.h"
#include "tools/lib/migration_json.h"
#include "workers.h"

static struct json_object *connection_packet(const struct preamble *preamble,
					     const char *from)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("connection"));
	json_object_object_add(packet, "role", json_object_new_int(preamble->role));
	json_object_object_add(packet, "index", json_object_new_int(preamble->index));
	json_object_object_add(packet, "from", json_object_new_string(from));
	return packet;
}

/* A row without a worker is answered from; what is not known is new. */
static int dest_start(struct agent *agent, const char *id, struct worker **worker,
		      struct fail *fail)
{
	struct journal_row row;
	struct fail no_row = { 0 };
	int ret = journal_get(agent->journal, id, SIDE_DEST, &row, &no_row);

	if (ret == -ENOENT)
		return worker_accept(agent, WORKER_DEST, id, NULL, worker, fail);
	if (ret)
		return fail_set(fail, ret, "%s", no_row.text);
	ret = worker_accept(agent, WORKER_ANSWER, id, record_for_answer(&row), worker, fail);
	journal_row_fini(&row);
	return ret;
}

static enum preamble_verdict verdict_of(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EROFS:
		return PREAMBLE_NO_ROOM;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return PREAMBLE_SCARCE;
	default:
		return PREAMBLE_BUSY;
	}
}

/**
 * route_connection() - hand a connection to the worker it is for
 * @agent: of this host
 * @fd: the connection, which the caller closes: the worker gets a duplicate
 * @from: its address, as it was when it came
 * @preamble: what it said, checked
 *
 * Who is for nobody, or comes when there is no room, is told so.
 */
void route_connection(struct agent *agent, int fd, const char *from,
		      const struct preamble *preamble)
{
	char id[MIGRATION_ID_TEXT];
	struct fail fail = { 0 };
	struct worker *worker;
	bool first = false;
	int ret = 0;

	migration_id_to_text(preamble->migration, id);
	worker = worker_for_peer(agent, id);
	if (!worker && preamble->role != ROLE_CONTROL) {
		log_refusal(REFUSED_STRANGER, "a lane from %s is refused: its migration %s is "
			    "not known here", from, id);
		preamble_refuse(fd, PREAMBLE_UNKNOWN);
		return;
	}
	if (!worker) {
		ret = dest_start(agent, id, &worker, &fail);
		first = true;
	}
	if (!ret)
		ret = worker_tell(worker, connection_packet(preamble, from), fd);
	if (ret) {
		log_refusal(REFUSED_STRANGER, "a connection from %s, of migration %s, is refused: "
			    "%s", from, id, fail.err ? fail.text : strerror(-ret));
		preamble_refuse(fd, verdict_of(ret));
		return;
	}
	/* Of any other the worker says so, once it has proven who it is. */
	if (first)
		worker_connected(worker, from, NULL);
}
