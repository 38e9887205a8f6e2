/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parallel.c - several processes that share a program's tests.
 *
 * What a process says of a test is kept until its result is there, and then
 * printed as a whole, with the next number.
 */
#include "parallel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "sys.h"

#define READ_SIZE	65536

struct job {
	pid_t pid;
	int fd;				/* what it says; -1: it ended */
	char *text;			/* of the test that it runs */
	size_t used, size;
};

static struct job all[PARALLEL_MAX];
static unsigned int all_count;
static volatile int *told_signal;

/* Each ends what it runs, and then itself. */
static void forward(int signal)
{
	unsigned int i;

	*told_signal = signal;
	for (i = 0; i < all_count; i++)
		if (all[i].pid > 0)
			kill(all[i].pid, signal);
}

static int job_start(struct job *job, parallel_fn *work, void *arg)
{
	int ends[2], ret = sys_ret(pipe2(ends, O_CLOEXEC));

	if (ret)
		return ret;
	fflush(stdout);
	job->pid = fork();
	if (!job->pid) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		dup2(ends[1], STDOUT_FILENO);
		setvbuf(stdout, NULL, _IOLBF, 0);
		work(arg);
		exit(0);
	}
	close(ends[1]);
	job->fd = ends[0];
	return job->pid < 0 ? -EAGAIN : 0;
}

/* A result line of KTAP. Return: its text after the number, or NULL. */
static const char *result_of(const char *line, bool *ok)
{
	const char *number = !strncmp(line, "ok ", 3) ? line + 3 :
			     !strncmp(line, "not ok ", 7) ? line + 7 : NULL;

	*ok = *line == 'o';
	return number ? strchr(number, ' ') : NULL;
}

static void result_print(const char *rest, bool ok, struct totals *totals)
{
	unsigned int *which = !ok ? &totals->failed :
			      strstr(rest, " # SKIP") ? &totals->skipped : &totals->passed;

	(*which)++;
	printf("%sok %u%s\n", ok ? "" : "not ",
	       totals->passed + totals->failed + totals->skipped, rest);
	fflush(stdout);
}

/* Return: whether there was a test with its result to print. */
static bool test_print(struct job *job, struct totals *totals)
{
	char *line = job->text, *end;
	const char *rest;
	bool ok;

	while ((end = memchr(line, '\n', job->used - (size_t)(line - job->text)))) {
		*end = '\0';
		rest = result_of(line, &ok);
		if (rest) {
			fwrite(job->text, 1, (size_t)(line - job->text), stdout);
			result_print(rest, ok, totals);
			job->used -= (size_t)(end + 1 - job->text);
			memmove(job->text, end + 1, job->used);
			return true;
		}
		*end = '\n';
		line = end + 1;
	}
	return false;
}

static int job_read(struct job *job, struct totals *totals)
{
	ssize_t got;

	if (job->size - job->used < READ_SIZE) {
		char *larger = realloc(job->text, job->size + 2 * READ_SIZE);

		if (!larger)
			return -ENOMEM;
		job->text = larger;
		job->size += 2 * READ_SIZE;
	}
	got = sys_retry(read(job->fd, job->text + job->used, READ_SIZE));
	if (got > 0) {
		job->used += (size_t)got;
		while (test_print(job, totals))
			;
		return 0;
	}
	/* What it said of a test without a result is all there is of it. */
	fwrite(job->text, 1, job->used, stdout);
	close(job->fd);
	job->fd = -1;
	return 0;
}

static bool any_runs(void)
{
	unsigned int i;

	for (i = 0; i < all_count; i++)
		if (all[i].fd >= 0)
			return true;
	return false;
}

static int jobs_read(struct totals *totals)
{
	struct pollfd fds[PARALLEL_MAX];
	unsigned int i;
	int ret = 0;

	while (!ret && any_runs()) {
		for (i = 0; i < all_count; i++)
			fds[i] = (struct pollfd){ .fd = all[i].fd, .events = POLLIN };
		if (poll(fds, all_count, -1) < 0)
			continue;	/* a signal, which was forwarded */
		for (i = 0; i < all_count && !ret; i++)
			if (fds[i].revents)
				ret = job_read(&all[i], totals);
	}
	return ret;
}

/**
 * parallel_run() - have several processes run a program's tests
 * @jobs: how many, at most PARALLEL_MAX
 * @work: what each does; they share out the tests among them
 * @arg: of @work
 * @totals: receives how their tests ended
 * @ended_by: receives the signal that ended it, if one did
 *
 * Return: 0 or -errno.
 */
int parallel_run(unsigned int jobs, parallel_fn *work, void *arg, struct totals *totals,
		 volatile int *ended_by)
{
	unsigned int i;
	int ret = 0;

	told_signal = ended_by;
	signal(SIGINT, forward);
	signal(SIGTERM, forward);
	for (i = 0; i < jobs && i < PARALLEL_MAX && !ret; i++) {
		ret = job_start(&all[i], work, arg);
		all_count += !ret;
	}
	if (!ret)
		ret = jobs_read(totals);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	for (i = 0; i < all_count; i++) {
		if (ret)
			kill(all[i].pid, SIGTERM);
		sys_retry(waitpid(all[i].pid, NULL, 0));
		free(all[i].text);
	}
	return ret;
}
