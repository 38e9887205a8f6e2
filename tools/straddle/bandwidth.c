/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bandwidth.c - straddle bandwidth: limit a migration that runs. */
#include <json-c/json.h>

#include "agent.h"
#include "number.h"
#include "word.h"

#define MIB_MAX	(UINT64_C(1) << 40)	/* a second */

/**
 * command_bandwidth() - straddle bandwidth GUEST MIB
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_bandwidth(const struct context *context, int argc, char **argv)
{
	struct json_object *request;
	uint64_t mib;

	if (usage_count(argc, argv, 2, 2, "GUEST MIB"))
		return EXIT_USAGE;
	if (number_parse(argv[2], MIB_MAX, &mib))
		return usage_error("bandwidth: '%s' is no whole number of MiB a second (0: no "
				   "limit)", argv[2]);
	request = agent_request("bandwidth");
	json_object_object_add(request, "bytes", json_object_new_uint64(mib << 20));
	return word_tell(context, request, argv[1],
			 mib ? "bandwidth limited" : "bandwidth not limited any more");
}
