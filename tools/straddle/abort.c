/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abort.c - straddle abort: end a migration, the guest stays where it runs. */
#include "agent.h"
#include "word.h"

/**
 * command_abort() - straddle abort GUEST
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_abort(const struct context *context, int argc, char **argv)
{
	if (usage_count(argc, argv, 1, 1, "GUEST"))
		return EXIT_USAGE;
	return word_tell(context, agent_request("abort"), argv[1],
			 "asked to abort; 'straddle history' tells how it ended");
}
