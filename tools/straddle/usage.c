/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage.c - what is wrong with a command line, or with what it asked for. */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "plain.h"

/**
 * usage_error() - say what is wrong with the command line
 * @fmt: one sentence: what, and what to do
 *
 * Return: EXIT_USAGE.
 */
int usage_error(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fputs("straddle: ", stderr);
	plain_put(stderr, text);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

/* Which argument is the first that is missing, by its word in the usage. */
static const char *missing_words(const char *arguments, int given)
{
	while (given-- > 0 && strchr(arguments, ' '))
		arguments = strchr(arguments, ' ') + 1;
	return strncmp(arguments, "GUEST", 5) ? "the number of MiB" : "the guest";
}

/* "-1" is a number that is out of range, not an option. */
static bool is_option(const char *argument)
{
	return argument[0] == '-' && argument[1] && (argument[1] < '0' || argument[1] > '9');
}

/**
 * usage_count() - are there as many arguments as there have to be?
 * @argc: with the command's name
 * @argv: [0] is the command's name; none of the others may be an option
 * @least: arguments at least
 * @most: and at most
 * @arguments: what they are, for the message
 *
 * Return: 0 or EXIT_USAGE.
 */
int usage_count(int argc, char **argv, int least, int most, const char *arguments)
{
	int i;

	for (i = 1; i < argc; i++)
		if (is_option(argv[i]))
			return usage_error("%s: unknown option '%s'; usage: straddle %s%s%s",
					   argv[0], argv[i], argv[0], *arguments ? " " : "",
					   arguments);
	if (argc - 1 < least)
		return usage_error("%s: %s is missing; usage: straddle %s %s", argv[0],
				   missing_words(arguments, argc - 1), argv[0], arguments);
	if (argc - 1 > most)
		return usage_error("%s: '%s' is too much; usage: straddle %s%s%s", argv[0],
				   argv[most + 1], argv[0], *arguments ? " " : "", arguments);
	return 0;
}

/**
 * failure() - say why what was asked for could not be done
 * @context: decides how
 * @fail: the reason
 *
 * Return: EXIT_FAILURE.
 */
int failure(const struct context *context, const struct fail *fail)
{
	struct json_object *object;

	if (!context->json) {
		fputs("straddle: ", stderr);
		plain_put(stderr, fail->text);
		fputc('\n', stderr);
		return EXIT_FAILURE;
	}
	object = json_object_new_object();
	json_object_object_add(object, "type", json_object_new_string("error"));
	json_object_object_add(object, "ok", json_object_new_boolean(false));
	json_object_object_add(object, "errno", json_object_new_int(-fail->err));
	json_object_object_add(object, "error", json_object_new_string(fail->text));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
	return EXIT_FAILURE;
}
