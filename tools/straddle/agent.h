/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent.h - a connection to the agent of this host. */
#ifndef STRADDLE_COMMAND_AGENT_H
#define STRADDLE_COMMAND_AGENT_H

#include "command.h"
#include "tools/lib/jsonline.h"

struct json_object;

struct agent_link {
	int fd;
	struct jsonline in;
};

int agent_connect(struct agent_link *link, const char *path, struct fail *fail);
void agent_close(struct agent_link *link);
int agent_receive(struct agent_link *link, struct json_object **answer,
		  struct fail *fail);
int agent_error(struct json_object *answer, struct fail *fail);
int agent_ask(const struct context *context, struct json_object *request,
	      struct json_object **answer, struct fail *fail);
struct json_object *agent_request(const char *verb);
void json_print(struct json_object *object);

#endif
