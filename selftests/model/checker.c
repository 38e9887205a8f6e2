/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checker.c - run spin over the model, and read what it says.
 *
 * spin writes a C program, pan, that looks at every state.
 */
#include "checker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "lib/program.h"

/* -E: processes wait for ever in their loops; the model's own outcome looks. */
static const struct {
	const char *compile;
	const char *run;
} kinds[] = {
	[CHECK_ASSERTIONS] = { "-O1 -DSAFETY", "-E" },
	[CHECK_CYCLES] = { "-O1 -DNP -DNOFAIR", "-E -l" },
	[CHECK_QUICKLY] = { "-O0 -DSAFETY", "-E" },
};

static int shell(const char *command, char *text, size_t size)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };

	return program_output(argv, text, size);
}

/**
 * checker_there() - can models be checked on this machine?
 * @why: receives what is missing
 * @size: of @why
 *
 * Return: true if they can.
 */
bool checker_there(char *why, size_t size)
{
	char text[64];

	if (shell("command -v spin", text, sizeof(text)))
		snprintf(why, size, "there is no spin (Debian: spin)");
	else if (shell("command -v cc", text, sizeof(text)))
		snprintf(why, size, "there is no cc");
	else
		return true;
	return false;
}

/* What stands between @before and the end of its line, or @after. */
static void cut_out(const char *text, const char *before, const char *after,
		    char *out, size_t size)
{
	const char *at = strstr(text, before);

	out[0] = '\0';
	if (!at)
		return;
	at += strlen(before);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
	at = after ? strstr(out, after) : NULL;
	if (at)
		out[at - out] = '\0';
}

/* "  201487 states, stored (...)": the number stands before. */
static void states_take(struct checker_result *result)
{
	const char *at = strstr(result->text, " states, stored");
	const char *from = at;

	result->states[0] = '\0';
	while (from && from > result->text && from[-1] >= '0' && from[-1] <= '9')
		from--;
	if (at)
		snprintf(result->states, sizeof(result->states), "%.*s", (int)(at - from),
			 from);
}

static void result_take(struct checker_result *result)
{
	cut_out(result->text, "pan:1: ", "(at depth", result->violated,
		sizeof(result->violated));
	cut_out(result->text, "pan: elapsed time ", " seconds", result->seconds,
		sizeof(result->seconds));
	states_take(result);
	result->complete = strstr(result->text, "errors: 0") &&
			   !strstr(result->text, "Search not completed") &&
			   !strstr(result->text, "max search depth");
}

/**
 * checker_run() - look at every state of the model
 * @flags: -D..., as model.pml takes them
 * @kind: what to look for
 * @result: receives what was found
 *
 * All in the test's own directory; at most 1.9 GB of memory are used.
 *
 * Return: 0 when it ran, or -EIO: spin, the compiler or pan failed, and it was
 * logged how.
 */
int checker_run(const char *flags, enum checker_kind kind, struct checker_result *result)
{
	char command[2048];
	int ret;

	snprintf(command, sizeof(command),
		 "cd '%s' && spin -a %s '%s/model.pml' && "
		 "cc -w %s -DCOLLAPSE -DMEMLIM=1900 -o pan pan.c && ./pan -m1000000 %s",
		 test_dir(), flags, MODEL_DIR, kinds[kind].compile, kinds[kind].run);
	ret = shell(command, result->text, sizeof(result->text));
	result_take(result);
	if (ret == 0 && *result->states)
		return 0;
	TH_LOG("%s\nended with %d:\n%s", command, ret, result->text);
	return -EIO;
}
