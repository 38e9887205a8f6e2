/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.c - find a program of this build, run it, read what it says. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "program.h"
#include "sys.h"

/**
 * build_path() - the path of something in the build's output
 * @path: receives it
 * @size: of @path
 * @relative: "straddle-vmm", "selftests/harness/victim", "" for the top
 *
 * A test program stands in O/selftests/TARGET/, and finds O from there. An
 * absolute @relative is the answer as it is.
 */
void build_path(char *path, size_t size, const char *relative)
{
	char top[512];
	ssize_t len = readlink("/proc/self/exe", top, sizeof(top) - 1);
	int level;

	top[len > 0 ? len : 0] = '\0';
	for (level = 0; level < 3; level++) {
		char *slash = strrchr(top, '/');

		if (slash)
			*slash = '\0';
	}
	if (*relative == '/')
		snprintf(path, size, "%s", relative);
	else
		snprintf(path, size, "%s/%s", top, relative);
}

/* What fits of the pipe's bytes, up to its end; the rest is dropped. */
static int read_text(int fd, char *text, size_t size)
{
	char spill[4096];
	size_t used = 0;
	ssize_t got;

	do {
		size_t room = size - 1 - used;

		if (room) {
			got = sys_retry(read(fd, text + used, room));
			used += got > 0 ? (size_t)got : 0;
		} else {
			got = sys_retry(read(fd, spill, sizeof(spill)));
		}
	} while (got > 0);
	text[used] = '\0';
	return (int)got;
}

/**
 * program_output() - run a program of this build to its end
 * @argv: its arguments; the first is its path for build_path()
 * @text: receives what it wrote to stdout and stderr, as a string
 * @size: of @text
 *
 * Return: its exit code, 128 + the signal that ended it, or -errno.
 */
int program_output(const char *const argv[], char *text, size_t size)
{
	char path[512];
	int status, ret, pipe_fds[2];
	pid_t pid;

	build_path(path, sizeof(path), argv[0]);
	ret = sys_ret(pipe2(pipe_fds, O_CLOEXEC));
	if (ret)
		return ret;
	pid = sys_ret(fork());
	if (!pid) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		dup2(pipe_fds[1], STDERR_FILENO);
		execv(path, (char *const *)argv);
		dprintf(STDERR_FILENO, "%s cannot be run\n", path);
		_exit(127);
	}
	close(pipe_fds[1]);
	ret = pid < 0 ? pid : read_text(pipe_fds[0], text, size);
	close(pipe_fds[0]);
	if (pid > 0)
		sys_retry(waitpid(pid, &status, 0));
	if (ret)
		return ret;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}
