/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - straddle: one command, a table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "protocol/channel.h"

#define AGENT_DEFAULT	"/run/straddle/straddled.sock"

static const struct subcommand commands[] = {
	{ "list", "", "the guests of this host", command_list },
	{ "migrate", "GUEST HOST[:PORT] [OPTION]...", "move a guest to another host",
	  command_migrate },
	{ "status", "[GUEST]", "migrations that are under way", command_status },
	{ "abort", "GUEST", "end a migration; the guest stays", command_abort },
	{ "postcopy", "GUEST", "switch a migration to post-copy now", command_postcopy },
	{ "bandwidth", "GUEST MIB", "limit a migration, MiB a second (0: no limit)",
	  command_bandwidth },
	{ "recover", "GUEST [--to HOST[:PORT]]", "try a link that was cut again, now",
	  command_recover },
	{ "resolve", "GUEST [DECISION]", "who owns a guest, and what can be decided",
	  command_resolve },
	{ "history", "[N]", "the last migrations (20)", command_history },
};

static void help_print(void)
{
	size_t i;

	printf("Usage: straddle [--agent SOCKET] [--json] COMMAND [ARGUMENT]...\n"
	       "Migrate guests between hosts.\n\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char line[80];

		snprintf(line, sizeof(line), "%s %s", commands[i].name, commands[i].arguments);
		printf("  %-38s  %s\n", line, commands[i].purpose);
	}
	printf("\n  --agent SOCKET  the agent to ask (" AGENT_DEFAULT ")\n"
	       "  --json          print the agent's answers, one JSON object a line\n"
	       "  --help, --version\n\n"
	       "'straddle migrate --help' lists the options of migrate.\n");
}

/* Take the options of all commands out of @argv, wherever they stand. */
static int context_take(struct context *context, int *argc, char **argv)
{
	int from, to = 1, end = 0;

	for (from = 1; from < *argc; from++) {
		char *argument = argv[from];

		end |= !strcmp(argument, "--");
		if (!end && !strcmp(argument, "--json")) {
			context->json = true;
		} else if (!end && !strncmp(argument, "--agent=", 8)) {
			context->agent = argument + 8;
		} else if (!end && !strcmp(argument, "--agent")) {
			if (++from == *argc)
				return usage_error("--agent: give the path of the agent's "
						   "control socket");
			context->agent = argv[from];
		} else {
			argv[to++] = argument;
		}
	}
	argv[to] = NULL;
	*argc = to;
	return 0;
}

static int command_run(const struct context *context, int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, argv[0]))
			return commands[i].run(context, argc, argv);
	if (*argv[0] == '-')
		return usage_error("unknown option '%s': 'straddle --help' lists what there is",
				   argv[0]);
	return usage_error("unknown command '%s': 'straddle --help' lists what there is",
			   argv[0]);
}

int main(int argc, char **argv)
{
	struct context context = { .agent = AGENT_DEFAULT };
	int ret = context_take(&context, &argc, argv);

	signal(SIGPIPE, SIG_IGN);
	if (ret)
		return ret;
	if (argc < 2)
		return usage_error("no command: 'straddle --help' lists what there is");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		help_print();
		return EXIT_SUCCESS;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("straddle, protocol version %d\n", STRADDLE_VERSION);
		return EXIT_SUCCESS;
	}
	return command_run(&context, argc - 1, argv + 1);
}
