/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.h - start threads that have names.
 *
 * pthread_setname_np() of another thread writes a file in /proc, which a worker
 * in its filter may not open; so each thread names itself.
 */
#ifndef STRADDLE_THREAD_H
#define STRADDLE_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

struct thread_start {
	void *(*run)(void *arg);
	void *arg;
	char name[16];
};

static inline void *thread_main(void *what)
{
	struct thread_start start = *(struct thread_start *)what;

	free(what);
	prctl(PR_SET_NAME, start.name);
	return start.run(start.arg);
}

/**
 * thread_create() - pthread_create() with a name
 * @thread: receives it
 * @name: "copy-push/3", 15 bytes at most
 * @run: its function
 * @arg: for @run
 *
 * Return: 0 or -errno.
 */
static inline int thread_create(pthread_t *thread, const char *name,
				void *(*run)(void *arg), void *arg)
{
	struct thread_start *start = malloc(sizeof(*start));
	int ret;

	if (!start)
		return -ENOMEM;
	start->run = run;
	start->arg = arg;
	snprintf(start->name, sizeof(start->name), "%s", name);
	ret = -pthread_create(thread, NULL, thread_main, start);
	if (ret)
		free(start);
	return ret;
}

#endif
