/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - the Unix socket that the command talks to.
 *
 * One JSON object a line, either way. A request says {"do": VERB, ...}; each
 * answer has a "type": what the request asked for, or
 *   {"type":"error","ok":false,"errno":N,"error":S}
 * The verbs are in verbs.c, with the keys that each may have; any other key,
 * and an option of "migrate" that is none, is refused by its name.
 */
#ifndef STRADDLE_CONTROL_H
#define STRADDLE_CONTROL_H

#include "agent.h"
#include "protocol/protocol.h"

#define CLIENTS_MAX		32		/* beside one for each worker */
#define CLIENT_LINE_MAX		65536		/* bytes of a request */
#define CLIENT_OUT_MAX		(1u << 20)	/* bytes that it has not read yet */

struct client;
struct json_object;
struct worker;

int control_create(struct agent *agent, struct fail *fail);
void control_destroy(struct agent *agent);

struct agent *client_agent(struct client *client);
struct json_object *answer_new(const char *type);
void client_say(struct client *client, struct json_object *answer);
void client_say_error(struct client *client, int err, const char *text);
void client_list(struct client *client, struct worker *worker);
bool client_lists(const struct client *client);
void client_watch(struct client *client, struct worker *worker);
void client_decide(struct client *client, struct worker *worker, enum resolution resolution);

/* verbs.c */
void verb_run(struct client *client, struct json_object *request);

#endif
