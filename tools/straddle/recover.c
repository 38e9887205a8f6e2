/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover.c - straddle recover: a guest is held, its link is tried again now. */
#include <getopt.h>
#include <json-c/json.h>

#include "agent.h"
#include "protocol/address.h"
#include "word.h"

#define ARGUMENTS	"GUEST [--to HOST[:PORT]]"

static const struct option options[] = {
	{ "to", required_argument, NULL, 't' },
	{ NULL, 0, NULL, 0 },
};

static int option_take(int option, char **argv, const char **to)
{
	struct address address;
	struct fail fail = { 0 };

	if (option == ':')
		return usage_error("recover: --to needs a value; usage: straddle recover "
				   ARGUMENTS);
	if (option == '?')
		return usage_error("recover: unknown option '%s'; usage: straddle recover "
				   ARGUMENTS, argv[optind - 1]);
	if (address_parse(optarg, &address, &fail))
		return usage_error("recover: --to: %s", fail.text);
	*to = optarg;
	return 0;
}

/**
 * command_recover() - straddle recover GUEST [--to HOST[:PORT]]
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command; reordered
 *
 * Return: the exit status.
 */
int command_recover(const struct context *context, int argc, char **argv)
{
	struct json_object *request;
	const char *to = NULL;
	int option, ret = 0;

	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, ":", options, NULL)) != -1)
		ret = option_take(option, argv, &to);
	if (ret)
		return ret;
	/* What is left stands behind the command's name again. */
	argv[optind - 1] = argv[0];
	if (usage_count(argc - optind + 1, argv + optind - 1, 1, 1, ARGUMENTS))
		return EXIT_USAGE;
	request = agent_request("recover");
	if (to)
		json_object_object_add(request, "to", json_object_new_string(to));
	return word_tell(context, request, argv[optind],
			 "asked to try again now; 'straddle status' shows what comes of it");
}
