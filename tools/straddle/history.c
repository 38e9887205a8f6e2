/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.c - straddle history: migrations from and to this host. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "members.h"
#include "number.h"
#include "plain.h"
#include "table.h"

#define HISTORY_MAX	1000

static const char *const heads[] = {
	"BEGAN", "GUEST", "SIDE", "PEER", "STATE", "TOTAL", "DOWNTIME", "ERROR", NULL
};

static void time_cell(struct table *table, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[32] = "";
	struct tm tm;

	if (ns && localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	table_add(table, text);
}

static void span_cell(struct table *table, uint64_t ns)
{
	char words[QUANTITY_MAX];

	table_add(table, ns ? time_words(ns, words) : NULL);
}

/*
 * Until the dest has heard that its copy was taken back, it may run that; until it
 * has heard that the source has torn down, that one may take it back.
 */
static void state_cell(struct table *table, struct json_object *migration)
{
	const char *state = json_text(migration, "state");
	bool unheard = state && (!strcmp(state, "TAKEN_BACK") || !strcmp(state, "TORN_DOWN") ||
				 !strcmp(state, "DONE") || !strcmp(state, "POISONED")) &&
		       !json_object_get_boolean(member(migration, "acknowledged"));
	char text[64];

	snprintf(text, sizeof(text), "%.32s, unheard", state ? state : "");
	table_add(table, unheard ? text : state);
}

static void migration_row(struct table *table, struct json_object *migration)
{
	struct json_object *summary = member(migration, "summary");

	time_cell(table, member_number(migration, "began_ns"));
	table_add(table, json_text(migration, "guest"));
	table_add(table, json_text(migration, "side"));
	table_add(table, json_text(migration, "peer"));
	state_cell(table, migration);
	span_cell(table, member_number(summary, "total_ns"));
	span_cell(table, member_number(summary, "downtime_ns"));
	table_add(table, json_text(migration, "error"));
}

static void history_print(struct json_object *migrations)
{
	struct table table;
	size_t i;

	if (!member_count(migrations)) {
		puts("no migration is in the journal of this host");
		return;
	}
	table_init(&table, heads);
	for (i = 0; i < member_count(migrations); i++)
		migration_row(&table, json_object_array_get_idx(migrations, i));
	table_print(&table);
	table_fini(&table);
}

/**
 * command_history() - straddle history [N]
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_history(const struct context *context, int argc, char **argv)
{
	struct json_object *request, *answer;
	struct fail fail = { 0 };
	uint64_t count = 20;

	if (usage_count(argc, argv, 0, 1, "[N]"))
		return EXIT_USAGE;
	if (argc > 1 && (number_parse(argv[1], HISTORY_MAX, &count) || !count))
		return usage_error("history: '%s' is no number of migrations: give one from 1 "
				   "to %d", argv[1], HISTORY_MAX);
	request = agent_request("history");
	json_object_object_add(request, "count", json_object_new_uint64(count));
	if (agent_ask(context, request, &answer, &fail))
		return failure(context, &fail);
	if (context->json)
		json_print(answer);
	else
		history_print(member(answer, "migrations"));
	json_object_put(answer);
	return EXIT_SUCCESS;
}
