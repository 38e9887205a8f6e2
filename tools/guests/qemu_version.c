// SPDX-License-Identifier: LGPL-2.1-or-later
/* qemu_version.c - which version a QEMU is, asked of the program itself. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu.h"

#define ANSWER_MS	10000

static int version_run(const char *program, int *pipe_fd, pid_t *pid)
{
	char *argv[] = { (char *)(uintptr_t)program, (char *)"--version", NULL };
	char *environment[] = { NULL };
	posix_spawn_file_actions_t files;
	int fds[2], ret;

	ret = sys_ret(pipe2(fds, O_CLOEXEC));
	if (ret)
		return ret;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, fds[1], STDOUT_FILENO);
	ret = -posix_spawn(pid, program, &files, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	close(fds[1]);
	if (ret)
		close(fds[0]);
	else
		*pipe_fd = fds[0];
	return ret;
}

/**
 * qemu_version() - the version of a QEMU program
 * @program: path; "/proc/PID/exe" is the one that runs, whatever lies on disk
 * @text: receives "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"
 * @size: bytes of @text
 *
 * Return: 0; -EPROTO: it says something else; or -errno: it does not start.
 */
int qemu_version(const char *program, char *text, size_t size)
{
	static const char words[] = "version ";
	char line[512] = "", *version;
	__cleanup_fd int fd = -1;
	ssize_t got = 0;
	pid_t pid;
	int ret = version_run(program, &fd, &pid);

	if (ret)
		return ret;
	ret = sys_wait_fd(fd, POLLIN, ANSWER_MS);
	if (!ret)
		got = sys_retry(read(fd, line, sizeof(line) - 1));
	kill(pid, SIGKILL);	/* it has said enough, or nothing in time */
	sys_retry(waitpid(pid, NULL, 0));
	version = got > 0 ? strstr(line, words) : NULL;
	if (!version)
		return ret ? ret : -EPROTO;
	version += strlen(words);
	version[strcspn(version, "\n")] = '\0';
	snprintf(text, size, "%s", version);
	return 0;
}
