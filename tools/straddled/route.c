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

static struct json_object *connection_packet(const struct preamble *preamble)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("connection"));
	json_object_object_add(packet, "role", json_object_new_int(preamble->role));
	json_object_object_add(packet, "index", json_object_new_int(preamble->index));
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

static void connection_from(struct worker *worker, int fd)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(address);

	address_of_peer(fd, worker->peer, sizeof(worker->peer));
	if (!worker->uplink.index &&
	    !getpeername(fd, (struct sockaddr *)&address, &length))
		uplink_to_address(&worker->uplink, worker->agent, (struct sockaddr *)&address);
}

/**
 * route_connection() - hand a connection to the worker it is for
 * @agent: of this host
 * @fd: the connection, which the caller closes: the worker gets a duplicate
 * @preamble: what it said, checked
 *
 * Who is for nobody, or comes when there is no room, is told so.
 */
void route_connection(struct agent *agent, int fd, const struct preamble *preamble)
{
	char id[MIGRATION_ID_TEXT];
	struct fail fail = { 0 };
	struct worker *worker;
	int ret = 0;

	migration_id_to_text(preamble->migration, id);
	worker = worker_find(agent, id, SIDE_DEST);
	if (!worker && preamble->role != ROLE_CONTROL) {
		log_info("a lane of migration %s, which is not known here", id);
		preamble_refuse(fd, PREAMBLE_UNKNOWN);
		return;
	}
	if (!worker)
		ret = dest_start(agent, id, &worker, &fail);
	if (!ret)
		ret = worker_tell(worker, connection_packet(preamble), fd);
	if (ret) {
		log_notice("a connection of migration %s is turned away: %s", id,
			   fail.err ? fail.text : strerror(-ret));
		preamble_refuse(fd, PREAMBLE_BUSY);
		return;
	}
	if (preamble->role == ROLE_CONTROL)
		connection_from(worker, fd);
}
