/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* word.c - tell the agent, and say that it was told. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "plain.h"
#include "word.h"

/**
 * word_tell() - ask the agent to tell the migration of a guest
 * @context: which agent, and how to print
 * @request: freed; the guest is added to it
 * @guest: its name
 * @done: what happens now, for people
 *
 * Return: the exit status.
 */
int word_tell(const struct context *context, struct json_object *request,
	      const char *guest, const char *done)
{
	struct fail fail = { 0 };
	struct json_object *answer;

	json_object_object_add(request, "guest", json_object_new_string(guest));
	if (agent_ask(context, request, &answer, &fail))
		return failure(context, &fail);
	if (context->json) {
		json_print(answer);
	} else {
		fputs("guest '", stdout);
		plain_put(stdout, guest);
		printf("': %s\n", done);
	}
	json_object_put(answer);
	return EXIT_SUCCESS;
}
