/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc.h - which process is it? A number alone is given to others, later. */
#ifndef STRADDLE_PROC_H
#define STRADDLE_PROC_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "sys.h"

#define PROC_START_FIELD 20	/* of /proc/PID/stat, counted from its state, 1 */

/**
 * proc_start() - when a process started
 * @pid: of the process
 * @started: receives ticks since boot
 *
 * Return: 0; -ESRCH: there is no such process; or -errno: it cannot be found out.
 */
static inline int proc_start(pid_t pid, uint64_t *started)
{
	char path[64], text[1024], *at;
	ssize_t got;
	int field, fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	got = sys_retry(read(fd, text, sizeof(text) - 1));
	close(fd);
	if (got <= 0)
		return got ? (int)got : -ESRCH;
	text[got] = '\0';
	/* The name, in brackets, may hold anything. */
	at = strrchr(text, ')');
	for (field = 0; at && field < PROC_START_FIELD; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EUCLEAN;
	*started = strtoull(at, NULL, 10);
	return 0;
}

/**
 * proc_started() - when a process started, if that is known
 * @pid: of the process
 *
 * Return: ticks since boot; 0: there is no such process, or nobody knows.
 */
static inline uint64_t proc_started(pid_t pid)
{
	uint64_t started = 0;

	(void)proc_start(pid, &started);
	return started;
}

/**
 * proc_lives() - does that very process run?
 * @pid: of the process
 * @started: what proc_started() said of it
 *
 * One that has ended and is not waited for does not. What cannot be found out
 * is taken for alive: nobody is to be declared dead for want of a descriptor.
 *
 * Return: false: it has ended, for certain.
 */
static inline bool proc_lives(pid_t pid, uint64_t started)
{
	int pidfd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	uint64_t now;
	bool lives;

	if (pidfd < 0)
		return pidfd != -ESRCH;
	now = proc_started(pid);
	lives = (!now || now == started) &&
		sys_wait_fd(pidfd, POLLIN, 0) == -ETIMEDOUT;
	close(pidfd);
	return lives;
}

/**
 * proc_of_pidfd() - which process a pidfd is of
 * @pidfd: of a process
 *
 * Return: its pid; -ESRCH: it is gone; or -errno: it cannot be found out.
 */
static inline pid_t proc_of_pidfd(int pidfd)
{
	char path[64], text[512], *at;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	got = sys_retry(read(fd, text, sizeof(text) - 1));
	close(fd);
	if (got <= 0)
		return got ? (pid_t)got : -ESRCH;
	text[got] = '\0';
	at = strstr(text, "\nPid:");
	return at && atoi(at + 5) > 0 ? (pid_t)atoi(at + 5) : -ESRCH;
}

/* The kernel's own name for this boot, or "". */
static inline void proc_boot(char *text, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(text, (int)size, file))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (file)
		fclose(file);
}

/**
 * proc_identity() - a process, as nobody else is ever called
 * @pid: of the process
 * @text: receives pid, start and boot
 * @size: bytes of it
 */
static inline void proc_identity(pid_t pid, char *text, size_t size)
{
	char boot[64];

	proc_boot(boot, sizeof(boot));
	snprintf(text, size, "%d %llu %s", (int)pid,
		 (unsigned long long)proc_started(pid), boot);
}

/**
 * proc_identified() - the process of an identity, if it lives
 * @text: as proc_identity() gave it
 *
 * Return: its pid; 0: it is gone; -ESRCH: the text says nothing of any; -EAGAIN:
 * nobody knows whether the host was started anew.
 */
static inline pid_t proc_identified(const char *text)
{
	char boot[64], said[64];
	unsigned long long start;
	int pid;

	if (sscanf(text, "%d %llu %63s", &pid, &start, said) != 3 || pid <= 1 || !start)
		return -ESRCH;
	proc_boot(boot, sizeof(boot));
	if (!*boot)
		return -EAGAIN;
	return !strcmp(boot, said) && proc_lives(pid, start) ? pid : 0;
}

#endif
