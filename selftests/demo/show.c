// SPDX-License-Identifier: LGPL-2.1-or-later
/* show.c - say things, hear of an interrupt, leave nothing behind. */
#include "show.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "selftests/lib/descendants.h"

static volatile sig_atomic_t interrupted;

/**
 * say() - print something at once
 * @fmt: the text, with its newlines
 */
void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fflush(stdout);
}

/**
 * show_interrupted() - does somebody want the program to end?
 *
 * Return: true after SIGINT or SIGTERM; whatever waits should look at it.
 */
bool show_interrupted(void)
{
	return interrupted;
}

static void interrupt(int sig)
{
	(void)sig;
	interrupted = true;
}

/**
 * show_main() - the main() of a program that shows something
 * @show: the program
 *
 * Return: its exit code: 0, or 1 after a last line that says why.
 */
int show_main(const struct show *show)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct fail fail = { 0 };
	int ret;

	/* What we started dies of an interrupt; the clean-up comes all the same. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ret = show->run(&fail);
	if (interrupted && !ret)
		ret = -EINTR;
	show->clean();
	descendants_kill();
	if (ret < 0)
		say("%s: FAILED %s\n", show->name, interrupted ? "interrupted" :
		    fail.text[0] ? fail.text : strerror(-ret));
	return ret < 0;
}
