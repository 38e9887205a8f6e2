/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.c - straddle list: the guests of this host. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "members.h"
#include "plain.h"
#include "table.h"

static const char *const heads[] = {
	"NAME", "STATE", "VCPUS", "MEMORY", "DEFINITION", "PID", "MIGRATION", NULL
};

static void guest_row(struct table *table, struct json_object *guest)
{
	char number[32], memory[QUANTITY_MAX];

	table_add(table, json_text(guest, "name"));
	if (json_text(guest, "error")) {
		table_add(table, "unknown");
		table_add(table, NULL);
		table_add(table, NULL);
		table_add(table, NULL);
		table_add(table, NULL);
		table_add(table, json_text(guest, "error"));
		return;
	}
	table_add(table, json_text(guest, "state"));
	snprintf(number, sizeof(number), "%llu",
		 (unsigned long long)member_number(guest, "vcpus"));
	table_add(table, number);
	table_add(table, bytes_words(member_number(guest, "memory_bytes"), memory));
	table_add(table, member_bool(guest, "persistent") ? "persistent" : "transient");
	snprintf(number, sizeof(number), "%llu",
		 (unsigned long long)member_number(guest, "pid"));
	table_add(table, number);
	table_add(table, json_text(guest, "migration"));
}

static void list_print(struct json_object *guests)
{
	struct table table;
	size_t i;

	if (!member_count(guests)) {
		puts("no guest runs on this host");
		return;
	}
	table_init(&table, heads);
	for (i = 0; i < member_count(guests); i++)
		guest_row(&table, json_object_array_get_idx(guests, i));
	table_print(&table);
	table_fini(&table);
}

/**
 * command_list() - straddle list
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_list(const struct context *context, int argc, char **argv)
{
	struct fail fail = { 0 };
	struct json_object *answer;

	if (usage_count(argc, argv, 0, 0, ""))
		return EXIT_USAGE;
	if (agent_ask(context, agent_request("list"), &answer, &fail))
		return failure(context, &fail);
	if (context->json)
		json_print(answer);
	else
		list_print(member(answer, "guests"));
	json_object_put(answer);
	return EXIT_SUCCESS;
}
