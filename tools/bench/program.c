// SPDX-License-Identifier: LGPL-2.1-or-later
/* program.c - start a program on a host, see what it used, end it. */
#include "tools/bench/program.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/site.h"

#define END_MS		5000

static void child_run(const struct host *host, const char *const argv[], int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if ((host->apart && party_apart(host->source)) ||
	    setns(host->netns, CLONE_NEWNET) || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/**
 * program_start() - start a program that ends with us
 * @host: where
 * @argv: path and arguments, NULL at the end
 * @output: file for all it prints
 * @fail: says why not
 *
 * Return: its pid or -errno. That it could not be run shows in its status.
 */
pid_t program_start(const struct host *host, const char *const argv[], const char *output,
		    struct fail *fail)
{
	__cleanup_fd int fd = sys_ret(open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	pid_t pid;

	if (fd < 0)
		return fail_set(fail, fd, "cannot write %s: %s", output, strerror(-fd));
	fflush(NULL);
	pid = sys_ret(fork());
	if (!pid)
		child_run(host, argv, fd);
	return pid < 0 ? fail_set(fail, pid, "cannot start %s: %s", argv[0], strerror(-pid)) : pid;
}

/**
 * program_ended() - has it ended?
 * @pid: from program_start(); it is nobody's once this said yes
 * @status: receives its exit status; 128 and more: a signal's
 *
 * Return: 1: yes; 0: no; or -errno.
 */
int program_ended(pid_t pid, int *status)
{
	int raw, ret = sys_retry(waitpid(pid, &raw, WNOHANG));

	if (ret > 0)
		*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	return ret > 0 ? 1 : ret;
}

/**
 * program_end() - end it, in good ways first
 * @pid: from program_start(); 0 and less: nothing is done
 */
void program_end(pid_t pid)
{
	uint64_t end = now_ns() + END_MS * 1000000ull;
	int status;

	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	while (!program_ended(pid, &status) && now_ns() < end)
		poll(NULL, 0, 5);
	kill(pid, SIGKILL);
	sys_retry(waitpid(pid, NULL, 0));
}

/**
 * program_cpu_ns() - what a process has used, and those of its children that ended
 * @pid: any
 *
 * Return: nanoseconds, in steps of a clock tick; 0 if there is no such process.
 */
uint64_t program_cpu_ns(pid_t pid)
{
	unsigned long user, system;
	long children_user, children_system;
	__cleanup_file FILE *file = NULL;
	char path[64], text[1024], *after;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[size] = '\0';
	/* proc(5): the name may hold anything; fields 14 to 17 are counted from it. */
	after = strrchr(text, ')');
	if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld",
			     &user, &system, &children_user, &children_system) != 4)
		return 0;
	return (user + system + (unsigned long)children_user + (unsigned long)children_system) *
	       (1000000000ull / (unsigned long)sysconf(_SC_CLK_TCK));
}

/**
 * program_beside() - a program that was built or installed with this one
 * @name: of it
 * @path: receives where it is
 * @size: of @path
 * @fail: says where it is not
 *
 * Return: 0 or -ENOENT.
 */
int program_beside(const char *name, char *path, size_t size, struct fail *fail)
{
	char self[256];
	ssize_t got = sys_ret(readlink("/proc/self/exe", self, sizeof(self) - 1));
	char *slash;

	if (got < 0)
		return (int)got;
	self[got] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	snprintf(path, size, "%s/%s", self, name);
	if (access(path, X_OK))
		snprintf(path, size, "%s/../sbin/%s", self, name);
	return access(path, X_OK) ? fail_set(fail, -ENOENT, "there is no %s in %s or %s/../sbin",
					     name, self, self)
				  : 0;
}

/**
 * socket_meet() - connect to a socket that somebody is about to listen at
 * @path: of it
 *
 * Return: the connection; -EAGAIN: nobody listens yet; or -errno.
 */
int socket_meet(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret = fd;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0)
		ret = sys_retry(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		return -EAGAIN;
	return ret ?: take_fd(&fd);
}
