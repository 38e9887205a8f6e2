// SPDX-License-Identifier: LGPL-2.1-or-later
/* resolve.c - straddle resolve: who owns a guest, and what can be decided. */
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "members.h"
#include "plain.h"
#include "sys.h"

struct decision {
	const char *guest;
	const char *resolution;		/* NULL: only explain */
	const char *fenced, *named;	/* what the operator typed, or NULL */
	char file[PATH_MAX];
};

enum { OPT_TAKE_BACK = 1, OPT_FENCED, OPT_GIVE_UP, OPT_POISON, OPT_RESCUE, OPT_HELP };

static const struct option options[] = {
	{ "take-back", no_argument, NULL, OPT_TAKE_BACK },
	{ "fenced", required_argument, NULL, OPT_FENCED },
	{ "give-up", required_argument, NULL, OPT_GIVE_UP },
	{ "poison", required_argument, NULL, OPT_POISON },
	{ "rescue", required_argument, NULL, OPT_RESCUE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void help_print(void)
{
	puts("Usage: straddle resolve GUEST [DECISION]\n"
	     "Say who owns a guest whose migration cannot go on by itself, and why; without a\n"
	     "decision, also which ones are safe to take now.\n\n"
	     "At the source:\n"
	     "  --take-back [--fenced DEST]  the guest goes on here as of the stop. Where it may\n"
	     "                               run at the dest, that host has to be off or cut off\n"
	     "                               for good, and you say so by typing its name\n"
	     "  --give-up GUEST              kill the held copy here\n"
	     "  --rescue FILE                write the pages that the dest may lack to FILE\n\n"
	     "At the dest:\n"
	     "  --poison GUEST               the source is gone for good: what touches a missing\n"
	     "                               page gets an error, never zeroes\n"
	     "  --rescue FILE                take missing pages from FILE\n"
	     "  --give-up GUEST              kill a copy that was taken back at its source");
}

static int path_take(struct decision *decision, const char *path)
{
	char here[PATH_MAX];

	if (*path == '/') {
		snprintf(decision->file, sizeof(decision->file), "%s", path);
		return 0;
	}
	if (!getcwd(here, sizeof(here)) ||
	    snprintf(decision->file, sizeof(decision->file), "%s/%s", here, path) >=
	    (int)sizeof(decision->file))
		return usage_error("resolve: the path of '%s' is too long", path);
	return 0;
}

static int one_decision(struct decision *decision, const char *resolution)
{
	if (decision->resolution)
		return usage_error("resolve: one decision at a time: --%s or --%s",
				   decision->resolution, resolution);
	decision->resolution = resolution;
	return 0;
}

static int option_take(struct decision *decision, int option)
{
	switch (option) {
	case OPT_TAKE_BACK:
		return one_decision(decision, "take-back");
	case OPT_FENCED:
		decision->fenced = optarg;
		return 0;
	case OPT_GIVE_UP:
		decision->named = optarg;
		return one_decision(decision, "give-up");
	case OPT_POISON:
		decision->named = optarg;
		return one_decision(decision, "poison");
	case OPT_RESCUE:
		return one_decision(decision, "rescue") || path_take(decision, optarg)
			? EXIT_USAGE : 0;
	case OPT_HELP:
		help_print();
		exit(EXIT_SUCCESS);
	case ':':
		return usage_error("resolve: an option lacks its value: 'straddle resolve --help' "
				   "lists them");
	default:
		return usage_error("resolve: unknown option: 'straddle resolve --help' lists "
				   "them");
	}
}

static int parse(struct decision *decision, int argc, char **argv)
{
	int option, ret = 0;

	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, ":", options, NULL)) != -1)
		ret = option_take(decision, option);
	if (ret)
		return ret;
	if (optind == argc)
		return usage_error("resolve: the guest is missing; usage: straddle resolve GUEST "
				   "[DECISION]");
	if (optind + 1 < argc)
		return usage_error("resolve: '%s' is too much; usage: straddle resolve GUEST "
				   "[DECISION]", argv[optind + 1]);
	decision->guest = argv[optind];
	if (decision->fenced && (!decision->resolution ||
				 strcmp(decision->resolution, "take-back")))
		return usage_error("resolve: --fenced says that --take-back is safe: give both");
	return 0;
}

static void text_line(const char *head, const char *text)
{
	printf("%s", head);
	plain_put(stdout, text ? text : "");
	putchar('\n');
}

static void choice_print(const struct json_object *answer, struct json_object *choice)
{
	const char *types = json_text(choice, "types");
	const char *resolution = json_text(choice, "resolution");

	(void)answer;
	printf("  --%s", resolution);
	if (!strcmp(resolution, "rescue"))
		printf(" FILE");
	else if (types && !strcmp(types, "--fenced"))
		printf(" --fenced DEST");
	else if (types)
		printf(" GUEST");
	text_line("\n      ", json_text(choice, "does"));
}

static void explanation_print(struct json_object *answer)
{
	struct json_object *choices = member(answer, "choices");
	size_t i, count = member_count(choices);
	const char *error = json_text(answer, "error"), *broken = json_text(answer, "broken");
	const char *recover = json_text(answer, "recover");
	const char *went_to = json_text(answer, "went_to");

	printf("guest '");
	plain_put(stdout, json_text(answer, "guest"));
	printf("', migration %s %s ", json_text(answer, "id"),
	       !strcmp(json_text(answer, "side"), "source") ? "to" : "from");
	plain_put(stdout, json_text(answer, "peer"));
	printf(", state %s\n", json_text(answer, "state"));
	text_line("  ", json_text(answer, "words"));
	if (went_to)
		text_line("  what the dest was called when the guest left for it, and what "
			  "--fenced has to name: ", went_to);
	if (recover)
		text_line("  ", recover);
	if (error && *error)
		text_line("  what was noticed first: ", error);
	if (broken && *broken)
		text_line("  what is in the way now: ", broken);
	if (!count) {
		puts("there is nothing to decide now");
		return;
	}
	puts("what can be decided:");
	for (i = 0; i < count; i++)
		choice_print(answer, json_object_array_get_idx(choices, i));
}

static struct json_object *request_make(const struct decision *decision)
{
	struct json_object *request = agent_request("resolve");

	json_object_object_add(request, "guest", json_object_new_string(decision->guest));
	if (decision->resolution)
		json_object_object_add(request, "resolution",
				       json_object_new_string(decision->resolution));
	if (decision->fenced)
		json_object_object_add(request, "fenced", json_object_new_string(decision->fenced));
	if (decision->named)
		json_object_object_add(request, "named", json_object_new_string(decision->named));
	if (*decision->file)
		json_object_object_add(request, "file", json_object_new_string(decision->file));
	return request;
}

/*
 * How a decision ends that was carried out, and what is said when it cannot be.
 * A migration may end by itself meanwhile; then it was not.
 */
struct ending {
	const char *resolution;
	const char *states[3];
	const char *refused;		/* part of a note */
};

static const struct ending endings[] = {
	{ "take-back", { "TAKEN_BACK" }, "cannot be taken back" },
	{ "give-up", { "TORN_DOWN", "DIED" }, "cannot be given up" },
	{ "poison", { "POISONED" }, "cannot be poisoned" },
	{ "rescue", { "COMPLETE", "DONE", "TORN_DOWN" }, "nothing was rescued" },
};

static const struct ending *ending_of(const struct decision *decision)
{
	size_t i;

	for (i = 0; strcmp(endings[i].resolution, decision->resolution); i++)
		;
	return &endings[i];
}

static bool is_done(const char *state, const struct decision *decision)
{
	const struct ending *ending = ending_of(decision);
	size_t i;

	for (i = 0; state && i < 3 && ending->states[i]; i++)
		if (!strcmp(state, ending->states[i]))
			return true;
	return false;
}

/* Return: whether a worker's word is about this decision. */
static bool note_is_outcome(const char *note, const struct decision *decision, int *status)
{
	bool rescue = !strcmp(decision->resolution, "rescue");

	*status = rescue && !strncmp(note, "rescued", 7) ? EXIT_SUCCESS : EXIT_FAILURE;
	return !*status || strstr(note, ending_of(decision)->refused) ||
	       (rescue && !strncmp(note, "the file ", 9));
}

/* What a decision came to: the worker's end, or its word that it is done. */
static bool outcome(struct json_object *answer, const struct decision *decision, int *status)
{
	const char *type = json_text(answer, "type"), *note = json_text(answer, "note");
	const char *state = json_text(answer, "state"), *error = json_text(answer, "error");

	if (type && !strcmp(type, "result")) {
		*status = is_done(state, decision) ? EXIT_SUCCESS : EXIT_FAILURE;
		text_line("", error ? error :
			  *status ? "the migration ended before" : "it is done");
		return true;
	}
	if (!type || strcmp(type, "progress") || !note ||
	    !note_is_outcome(note, decision, status))
		return false;
	text_line("", note);
	return true;
}

static int follow(const struct context *context, const struct decision *decision,
		  struct agent_link *link)
{
	struct fail fail = { 0 };
	bool over = false;
	int status = EXIT_FAILURE;

	while (!over) {
		struct json_object *answer;
		int ret = agent_receive(link, &answer, &fail);

		if (!ret)
			ret = agent_error(answer, &fail);
		if (ret)
			return failure(context, &fail);
		if (context->json)
			json_print(answer);
		over = outcome(answer, decision, &status);
		json_object_put(answer);
	}
	return status;
}

/**
 * command_resolve() - straddle resolve GUEST [DECISION]
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_resolve(const struct context *context, int argc, char **argv)
{
	struct decision decision = { .file = "" };
	struct json_object *request, *answer;
	struct agent_link link;
	struct fail fail = { 0 };
	int ret = parse(&decision, argc, argv);

	if (ret)
		return ret;
	request = request_make(&decision);
	ret = agent_connect(&link, context->agent, &fail);
	if (!ret)
		ret = jsonline_write(link.fd, request);
	json_object_put(request);
	if (!ret)
		ret = agent_receive(&link, &answer, &fail);
	if (!ret)
		ret = agent_error(answer, &fail);
	if (ret)
		return failure(context, &fail);
	if (context->json)
		json_print(answer);
	else if (!decision.resolution)
		explanation_print(answer);
	if (decision.resolution)
		ret = follow(context, &decision, &link);
	json_object_put(answer);
	agent_close(&link);
	return ret;
}
