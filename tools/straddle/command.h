/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.h - the subcommands; each is a file of its name. */
#ifndef STRADDLE_COMMAND_H
#define STRADDLE_COMMAND_H

#include <stdbool.h>

#include "fail.h"

#define EXIT_USAGE	2

/* What stands before, or anywhere around, the subcommand. */
struct context {
	const char *agent;		/* path of the agent's control socket */
	bool json;
};

struct subcommand {
	const char *name;
	const char *arguments;
	const char *purpose;		/* one line */
	/* @argv[0] is the command's name; returns the exit status. */
	int (*run)(const struct context *context, int argc, char **argv);
};

int command_list(const struct context *context, int argc, char **argv);
int command_migrate(const struct context *context, int argc, char **argv);
int command_status(const struct context *context, int argc, char **argv);
int command_abort(const struct context *context, int argc, char **argv);
int command_postcopy(const struct context *context, int argc, char **argv);
int command_bandwidth(const struct context *context, int argc, char **argv);
int command_recover(const struct context *context, int argc, char **argv);
int command_resolve(const struct context *context, int argc, char **argv);
int command_history(const struct context *context, int argc, char **argv);

/* usage.c */
__attribute__((format(printf, 1, 2)))
int usage_error(const char *fmt, ...);
int usage_count(int argc, char **argv, int least, int most, const char *arguments);
int failure(const struct context *context, const struct fail *fail);

#endif
