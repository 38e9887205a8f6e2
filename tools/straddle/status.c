/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - straddle status: migrations that have not ended. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"
#include "members.h"
#include "plain.h"
#include "table.h"

static const char *const heads[] = {
	"GUEST", "SIDE", "PEER", "PHASE", "STATE", "ROUND", "DONE", "RATE", "MISSING", "LINK",
	NULL
};

static void link_words(struct json_object *link, char *text, size_t size)
{
	uint64_t speed = member_number(link, "speed_mbit");

	if (!link)
		snprintf(text, size, "-");
	else if (!member_bool(link, "up"))
		snprintf(text, size, "%.16s down", json_text(link, "name"));
	else if (speed)
		snprintf(text, size, "%.16s %" PRIu64 " Mbit/s", json_text(link, "name"), speed);
	else
		snprintf(text, size, "%.16s", json_text(link, "name"));
}

static void number_cell(struct table *table, struct json_object *object, const char *key)
{
	char number[32];

	snprintf(number, sizeof(number), "%" PRIu64, member_number(object, key));
	table_add(table, member(object, key) ? number : NULL);
}

static void percent_cell(struct table *table, struct json_object *progress)
{
	uint64_t memory = member_number(progress, "memory_bytes");
	bool counts = member_number(progress, "round") || member_bool(progress, "postcopy");
	char text[32];

	snprintf(text, sizeof(text), "%.0f %%",
		 memory ? 100.0 * (double)member_number(progress, "done_bytes") /
			  (double)memory : 0.0);
	table_add(table, memory && counts ? text : NULL);
}

static void rate_cell(struct table *table, struct json_object *progress)
{
	char words[QUANTITY_MAX], text[QUANTITY_MAX + 4];

	snprintf(text, sizeof(text), "%s/s",
		 bytes_words(member_number(progress, "rate"), words));
	table_add(table, progress ? text : NULL);
}

static void migration_row(struct table *table, struct json_object *migration)
{
	struct json_object *progress = member(migration, "progress");
	char link[64];

	table_add(table, json_text(migration, "guest"));
	table_add(table, json_text(migration, "side"));
	table_add(table, json_text(migration, "peer"));
	table_add(table, progress ? json_text(progress, "phase") : NULL);
	table_add(table, json_text(migration, "state"));
	number_cell(table, progress, "round");
	percent_cell(table, progress);
	rate_cell(table, progress);
	number_cell(table, progress, "missing_pages");
	link_words(member(migration, "link"), link, sizeof(link));
	table_add(table, link);
}

static void migration_print(struct json_object *migration)
{
	fputs("migration ", stdout);
	plain_put(stdout, json_text(migration, "id"));
	fputs(" of guest '", stdout);
	plain_put(stdout, json_text(migration, "guest"));
	fputs("': ", stdout);
}

static void problem_print(struct json_object *migration)
{
	const char *problem = json_text(migration, "problem");

	if (!problem)
		return;
	migration_print(migration);
	plain_put(stdout, problem);
	putchar('\n');
}

/* The whole seconds between now and a time of day; 0: it is past. */
static uint64_t seconds_until(uint64_t when_ns, uint64_t now_ns)
{
	return when_ns > now_ns ? (when_ns - now_ns + 999999999) / 1000000000 : 0;
}

/* What is broken since when, who waits, when it is tried again. */
static void broken_print(struct json_object *migration)
{
	struct json_object *progress = member(migration, "progress");
	uint64_t since = member_number(progress, "broken_ns");
	uint64_t next = member_number(progress, "next_try_ns");
	uint64_t waiting = member_number(progress, "waiting_pages");
	const char *broken = progress ? json_text(progress, "broken") : NULL;
	struct timespec now;

	if (!broken || !*broken)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	next = seconds_until(next, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	migration_print(migration);
	if (since)
		printf("for %" PRIu64 " s: ", (uint64_t)now.tv_sec > since / 1000000000 ?
		       (uint64_t)now.tv_sec - since / 1000000000 : 0);
	plain_put(stdout, broken);
	if (waiting)
		printf("; the guest waits for %" PRIu64 " pages", waiting);
	if (next)
		printf("; next try in %" PRIu64 " s", next);
	if (member_bool(progress, "recover_due")) {
		fputs("; not tried any more, --recover-timeout has passed: 'straddle recover ",
		      stdout);
		plain_put(stdout, json_text(migration, "guest"));
		fputs("' tries again", stdout);
	}
	putchar('\n');
}

/* Not for long enough that it was given up. */
static void silent_print(struct json_object *migration)
{
	struct json_object *progress = member(migration, "progress");
	uint64_t since = progress ? member_number(progress, "silent_ns") : 0;
	struct timespec now;

	if (!since)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	migration_print(migration);
	printf("for %" PRIu64 " s: nothing comes from the other host\n",
	       (uint64_t)now.tv_sec > since / 1000000000 ?
	       (uint64_t)now.tv_sec - since / 1000000000 : 0);
}

static void status_print(struct json_object *migrations)
{
	struct table table;
	size_t i, count = member_count(migrations);

	if (!count) {
		puts("no migration is under way on this host");
		return;
	}
	table_init(&table, heads);
	for (i = 0; i < count; i++)
		migration_row(&table, json_object_array_get_idx(migrations, i));
	table_print(&table);
	table_fini(&table);
	for (i = 0; i < count; i++) {
		problem_print(json_object_array_get_idx(migrations, i));
		broken_print(json_object_array_get_idx(migrations, i));
		silent_print(json_object_array_get_idx(migrations, i));
	}
}

/* Nobody is to wonder why things break. */
static void faults_print(struct json_object *inject)
{
	struct json_object *faults = member(inject, "faults");
	size_t i;

	for (i = 0; i < member_count(faults); i++) {
		struct json_object *fault = json_object_array_get_idx(faults, i);

		fputs("fault injected here (straddled --inject): ", stdout);
		plain_put(stdout, json_text(fault, "spec"));
		printf(", struck %" PRIu64 " times\n", member_number(fault, "struck"));
	}
}

/**
 * command_status() - straddle status [GUEST]
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_status(const struct context *context, int argc, char **argv)
{
	struct json_object *request, *answer;
	struct fail fail = { 0 };

	if (usage_count(argc, argv, 0, 1, "[GUEST]"))
		return EXIT_USAGE;
	request = agent_request("status");
	if (argc > 1)
		json_object_object_add(request, "guest", json_object_new_string(argv[1]));
	if (agent_ask(context, request, &answer, &fail))
		return failure(context, &fail);
	if (context->json)
		json_print(answer);
	else
		status_print(member(answer, "migrations"));
	if (!context->json && member(answer, "inject"))
		faults_print(member(answer, "inject"));
	json_object_put(answer);
	return EXIT_SUCCESS;
}
