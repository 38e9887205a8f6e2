/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.h - other programs that a measurement starts, and talks to. */
#ifndef STRADDLE_BENCH_PROGRAM_H
#define STRADDLE_BENCH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"

/* Where a program runs. */
struct host {
	int netns;
	bool source;
	bool apart;		/* on processors that the other host does not use */
};

pid_t program_start(const struct host *host, const char *const argv[], const char *output,
		    struct fail *fail);
int program_ended(pid_t pid, int *status);
void program_end(pid_t pid);
uint64_t program_cpu_ns(pid_t pid);
int program_beside(const char *name, char *path, size_t size, struct fail *fail);
int socket_meet(const char *path);

#endif
