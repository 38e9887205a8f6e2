/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - the Unix socket that the command talks to.
 *
 * One JSON object a line, either way. A request says {"do": VERB, ...}; each
 * answer has a "type": what the request asked for, or
 *   {"type":"error","ok":false,"errno":N,"error":S}
 * The verbs are in verbs.c.
 */
#ifndef STRADDLE_CONTROL_H
#define STRADDLE_CONTROL_H

#include "agent.h"

#define CLIENTS_MAX		32
#define CLIENT_LINE_MAX		65536		/* bytes of a request */
#define CLIENT_OUT_MAX		(1u << 20)	/* bytes that it has not read yet */

struct client;
struct json_object;
struct worker;

int control_create(struct agent *agent, struct fail *fail);
void control_destroy(struct agent *agent);

struct agent *client_agent(struct client *client);
void client_say(struct client *client, struct json_object *answer);
void client_say_error(struct client *client, int err, const char *text);
void client_watch(struct client *client, struct worker *worker);

/* verbs.c */
void verb_run(struct client *client, struct json_object *request);

#endif
