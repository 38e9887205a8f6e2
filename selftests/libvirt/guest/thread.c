// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * thread.c - threads that run as long as the guest does.
 */
#include <limits.h>
#include <pthread.h>

#include "guest.h"

#define STACK_SIZE	(128u << 10)

/**
 * thread_start() - start a detached thread; a failure is reported
 * @name: at most 15 characters
 */
void thread_start(const char *name, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	if (error)
		report_error(-error, "thread %s", name);
	else
		pthread_setname_np(thread, name);
}
