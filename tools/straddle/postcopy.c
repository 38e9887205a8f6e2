/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* postcopy.c - straddle postcopy: switch a migration to post-copy now. */
#include "agent.h"
#include "word.h"

/**
 * command_postcopy() - straddle postcopy GUEST
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_postcopy(const struct context *context, int argc, char **argv)
{
	if (usage_count(argc, argv, 1, 1, "GUEST"))
		return EXIT_USAGE;
	return word_tell(context, agent_request("postcopy"), argv[1],
			 "asked to switch to post-copy now");
}
