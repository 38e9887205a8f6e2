/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_process.c - start a straddle-vmm that outlives its starter. */
#include "tools/guests/vmm_process.h"

#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/orphan.h"

#define READY_FD	3
#define DEFINITION_FD	4
#define OUT_OF_WAY	16	/* above both */

/* Beside this program (a build), or in the bin to its sbin (installed). */
static const char *const places[] = { "straddle-vmm", "../bin/straddle-vmm" };

struct start {
	const char *path;
	const char *const *argv;
	int ready_fd, definition_fd;	/* -1: no definition */
};

/**
 * vmm_program() - where straddle-vmm is
 * @path: receives $STRADDLE_VMM, or one of the places next to this program
 * @size: bytes of @path
 *
 * Return: 0, or -errno when there is no program that could be started.
 */
int vmm_program(char *path, size_t size)
{
	const char *named = getenv("STRADDLE_VMM");
	char self[PATH_MAX];
	ssize_t length;
	char *slash;
	int ret = -ENOENT;

	if (named) {
		snprintf(path, size, "%s", named);
		return sys_ret(access(path, X_OK));
	}
	length = sys_ret(readlink("/proc/self/exe", self, sizeof(self) - 1));
	if (length < 0)
		return (int)length;
	self[length] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (snprintf(path, size, "%s/%s", self, places[i]) >= (int)size)
			return -ENAMETOOLONG;
		ret = sys_ret(access(path, X_OK));
		if (!ret)
			break;
	}
	return ret;
}

/* Between fork and exec of a threaded process: system calls only. */
static void become_vmm(const void *what)
{
	const struct start *start = what;
	pid_t pid = getpid();
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	dup2(start->ready_fd, READY_FD);
	if (start->definition_fd >= 0)
		dup2(start->definition_fd, DEFINITION_FD);
	close_range(start->definition_fd >= 0 ?
		    DEFINITION_FD + 1 : READY_FD + 1, ~0u, 0);
	if (!sys_write_all(READY_FD, &pid, sizeof(pid)))
		execv(start->path, (char *const *)(uintptr_t)start->argv);
	_exit(127);
}

/* All that the new VMM says until it closes the pipe or a line is whole. */
static int read_verdict(int fd, char *text, size_t size, uint64_t end_ns)
{
	size_t used = 0;

	while (used < size - 1 && (!used || text[used - 1] != '\n')) {
		uint64_t now = now_ns();
		ssize_t got;
		int ret = sys_wait_fd(fd, POLLIN, now < end_ns ?
				      (int)((end_ns - now) / 1000000) : 0);

		if (ret)
			return ret;
		got = sys_retry(read(fd, text + used, size - 1 - used));
		if (got < 0)
			return (int)got;
		if (!got)
			break;
		used += (size_t)got;
	}
	while (used && text[used - 1] == '\n')
		used--;
	text[used] = '\0';
	return 0;
}

static int wait_ready(int fd, int timeout_ms, struct fail *fail)
{
	uint64_t end = now_ns() + (uint64_t)timeout_ms * 1000000;
	char text[600];
	pid_t pid = 0;
	int ret = sys_wait_fd(fd, POLLIN, timeout_ms);

	if (!ret)
		ret = sys_read_all(fd, &pid, sizeof(pid));
	if (!ret)
		ret = read_verdict(fd, text, sizeof(text), end);
	if (!ret && !strcmp(text, "ready"))
		return 0;
	if (ret && pid > 0)
		kill(pid, SIGKILL);
	if (ret)
		return fail_set(fail, ret, "straddle-vmm did not start: %s",
				strerror(-ret));
	return fail_set(fail, -EIO, "straddle-vmm did not start: %s",
			text[0] ? text : "it ended without a word");
}

/**
 * vmm_start() - start a VMM and wait until it is up
 * @argv: its arguments, argv[0] first, NULL last; with "--ready-fd", "3"
 * @definition_fd: becomes its descriptor 4; -1: none
 * @timeout_ms: how long it may take
 * @fail: says what it said
 *
 * It has a session of its own, no terminal, and no parent but init.
 *
 * Return: 0 or -errno; then nothing runs.
 */
int vmm_start(const char *const argv[], int definition_fd, int timeout_ms,
	      struct fail *fail)
{
	__cleanup_fd int ours = -1;
	__cleanup_fd int theirs = -1;
	__cleanup_fd int definition = -1;
	char path[PATH_MAX];
	struct start start;
	int ends[2];
	int ret = vmm_program(path, sizeof(path));

	if (ret)
		return fail_set(fail, ret,
				"cannot start straddle-vmm (%s): %s; install it next to this "
				"program or set STRADDLE_VMM",
				path, strerror(-ret));
	ret = sys_ret(pipe2(ends, O_CLOEXEC));
	if (ret)
		return fail_set(fail, ret, "cannot start straddle-vmm: %s",
				strerror(-ret));
	ours = ends[0];
	theirs = sys_ret(fcntl(ends[1], F_DUPFD_CLOEXEC, OUT_OF_WAY));
	close(ends[1]);
	if (definition_fd >= 0)
		definition = sys_ret(fcntl(definition_fd, F_DUPFD_CLOEXEC,
					   OUT_OF_WAY));
	start = (struct start){ path, argv, theirs, definition };
	ret = theirs < 0 ? theirs : definition_fd >= 0 && definition < 0 ?
	      definition : orphan_fork(become_vmm, &start);
	if (ret)
		return fail_set(fail, ret, "cannot start straddle-vmm: %s",
				strerror(-ret));
	close(take_fd(&theirs));
	return wait_ready(ours, timeout_ms, fail);
}
