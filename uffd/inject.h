/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.h - run system calls inside another process (uffd/ only).
 *
 * One thread of the process is stopped, made to call, and put back as it
 * was; the others run on.
 */
#ifndef STRADDLE_UFFD_INJECT_H
#define STRADDLE_UFFD_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#define THREADS_MAX	64	/* candidates to be stopped */

/* A thread that is stopped, or about to be. */
struct inject {
	pid_t pid;
	pid_t tid;
	uint64_t gate;			/* a syscall instruction of its */
	uint64_t deadline_ns;		/* CLOCK_MONOTONIC */
	bool at_trap;			/* stands where signals are handled:
					 * the one place to leave it from */
	int broken;			/* -errno: no further call is made */
	uint64_t signal_mask;		/* of the thread */
	struct user_regs_struct saved;	/* of the thread */
};

/*
 * Runs in a process of its own that shares our memory and descriptors while
 * the calling thread waits: system calls only, no locks, no allocation.
 */
typedef int inject_fn(struct inject *inject, void *arg);

struct inject_args {
	uint64_t value[6];
};

#define INJECT_ARGS(...) (struct inject_args){ { __VA_ARGS__ } }

int inject_run(pid_t pid, inject_fn *fn, void *arg);
int64_t inject_call(struct inject *inject, long number,
		    struct inject_args args);
int inject_scratch(struct inject *inject, size_t size, uint64_t *addr);
void inject_scratch_free(struct inject *inject, size_t size, uint64_t addr);

/* ---- threads.c: whom to stop, and where it can call -------------------- */

int threads_choose(pid_t pid, pid_t *tids, size_t max);
bool threads_ended(pid_t pid, pid_t tid);
bool threads_filtered(pid_t tid);
int threads_find_gate(pid_t pid, uint64_t *gate);

#endif
