/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main.c - straddled: the agent, or one of its workers. */
#include <stdlib.h>

#include "agent.h"
#include "port.h"
#include "protocol/inject.h"

int main(int argc, char **argv)
{
	struct agent_options options;
	int status;

	if (!options_parse(&options, argc, argv, &status))
		status = options.worker ? worker_main() : agent_main(&options);
	inject_destroy(options.inject);
	return status;
}
