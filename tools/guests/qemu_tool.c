// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_tool.c - run qemu-img and qemu-nbd, as the user that has the images.
 *
 * They open what a definition names, in directories that QEMU's user may write
 * to. As that user they can do no more there than QEMU itself; and a program
 * that a definition names, which may be any, gains no rights by being run.
 */
#include "tools/guests/qemu_tool.h"

#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"
#include "uffd/sys.h"

#define LISTEN_FD	3	/* where sd_listen_fds(3) has the first one */
#define PATH_SIZE	512

static const char *const places[] = { "/usr/bin", "/usr/local/bin", "/bin" };

/**
 * qemu_tool_find() - where a program of QEMU's is
 * @name: "qemu-img", or its path
 * @path: receives its path
 * @size: bytes of @path
 *
 * Return: 0 or -ENOENT.
 */
int qemu_tool_find(const char *name, char *path, size_t size)
{
	size_t i;

	if (*name == '/' && (size_t)snprintf(path, size, "%s", name) < size)
		return sys_ret(access(path, X_OK)) ? -ENOENT : 0;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, size, "%s/%s", places[i], name);
		if (!sys_ret(access(path, X_OK)))
			return 0;
	}
	return -ENOENT;
}

/* What the new program is to have; made before the fork. */
struct tool {
	char path[PATH_SIZE];
	int program;		/* instead of the path; -1: none */
	const char *const *argv;
	const struct qemu_user *as;
	int output;		/* -1: none */
	int listener;		/* -1: none */
	char listen_pid[32];
	char *environment[5];
};

static int tool_init(struct tool *tool, const char *const argv[],
		     const struct qemu_user *as)
{
	*tool = (struct tool){
		.argv = argv, .as = as, .program = -1, .output = -1, .listener = -1,
		.listen_pid = "LISTEN_PID=",
		.environment = { (char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C" },
	};
	return qemu_tool_find(argv[0], tool->path, sizeof(tool->path));
}

/* Between fork and exec of a threaded process: no snprintf(). */
static void number_put(char *to, unsigned int number)
{
	char digits[12], *at = digits;

	do {
		*at++ = (char)('0' + number % 10);
	} while (number /= 10);
	while (at > digits)
		*to++ = *--at;
	*to = '\0';
}

static int user_become(const struct qemu_user *as)
{
	if (!as->user && !as->group)
		return 0;
	if (syscall(SYS_setgroups, 0, NULL) ||
	    syscall(SYS_setresgid, as->group, as->group, as->group) ||
	    syscall(SYS_setresuid, as->user, as->user, as->user))
		return -EPERM;
	return 0;
}

static void program_become(const struct tool *tool)
{
	char *const *argv = (char *const *)(uintptr_t)tool->argv;

	if (tool->program < 0)
		execve(tool->path, argv, tool->environment);
	else
		syscall(SYS_execveat, LISTEN_FD, "", argv, tool->environment,
			AT_EMPTY_PATH);
}

static void become(struct tool *tool, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(tool->output >= 0 ? tool->output : null, STDOUT_FILENO);
	if (tool->output >= 0)
		dup2(tool->output, STDERR_FILENO);
	if (tool->listener >= 0)
		dup2(tool->listener, LISTEN_FD);
	else if (tool->program >= 0)
		dup2(tool->program, LISTEN_FD);
	close_range(LISTEN_FD + (tool->listener >= 0 || tool->program >= 0), ~0u, 0);
	setpgid(0, 0);
	number_put(tool->listen_pid + strlen(tool->listen_pid),
		   (unsigned int)getpid());
	/* After the user was changed, which takes it back. */
	if (!user_become(tool->as) && !prctl(PR_SET_PDEATHSIG, SIGKILL) &&
	    !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && getppid() == parent)
		program_become(tool);
	_exit(127);
}

static int tool_start(struct tool *tool, struct guest_server *started)
{
	pid_t parent = getpid(), pid = sys_ret(fork());
	int pidfd;

	if (pid < 0)
		return pid;
	if (!pid)
		become(tool, parent);
	pidfd = sys_pidfd_open(pid);
	if (pidfd < 0) {
		kill(pid, SIGKILL);
		sys_retry(waitpid(pid, NULL, 0));
		return pidfd;
	}
	started->pid = pid;
	started->pidfd = pidfd;
	return 0;
}

static int output_read(int fd, char *text, size_t size, uint64_t end_ns)
{
	size_t used = 0;

	for (;;) {
		uint64_t now = now_ns();
		char more[256];
		ssize_t got;
		int ret = sys_wait_fd(fd, POLLIN, now < end_ns ?
				      (int)((end_ns - now) / 1000000) : 0);

		if (ret)
			return ret;
		got = sys_retry(read(fd, more, sizeof(more)));
		if (got <= 0)
			return (int)got;
		if ((size_t)got > size - 1 - used)
			got = (ssize_t)(size - 1 - used);
		memcpy(text + used, more, (size_t)got);
		used += (size_t)got;
		text[used] = '\0';
	}
}

/* It has said all; but a program that a peer names may not end. */
static int tool_end(const struct guest_server *child, int ret, uint64_t end_ns)
{
	uint64_t now = now_ns();
	int status = 0;

	if (!ret)
		ret = sys_wait_fd(child->pidfd, POLLIN, now < end_ns ?
				  (int)((end_ns - now) / 1000000) : 0);
	if (ret) {
		kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);	/* it may have left its group */
	}
	sys_retry(waitpid(child->pid, &status, 0));
	close(child->pidfd);
	return ret ? ret : status ? -EIO : 0;
}

static int tool_run(struct tool *tool, int timeout_ms, char *text, size_t size)
{
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * 1000000;
	__cleanup_fd int ours = -1;
	struct guest_server child;
	int fds[2], ret = sys_ret(pipe2(fds, O_CLOEXEC));

	*text = '\0';
	if (ret)
		return ret;
	ours = fds[0];
	tool->output = fds[1];
	ret = tool_start(tool, &child);
	close(fds[1]);
	if (ret)
		return ret;
	ret = tool_end(&child, output_read(ours, text, size, end_ns), end_ns);
	if (*text != '{')	/* JSON has many lines, all else counts for one */
		text[strcspn(text, "\n")] = '\0';
	return ret;
}

/**
 * qemu_tool_run() - run a program of QEMU's to its end
 * @argv: its arguments; the first is its name
 * @as: who it is to be
 * @timeout_ms: how long it may take
 * @text: receives what it says, as much as fits
 * @size: of @text
 *
 * Return: 0, -EIO: it failed, and @text says why; -ENOENT: there is none;
 * -ETIMEDOUT or another -errno.
 */
int qemu_tool_run(const char *const argv[], const struct qemu_user *as,
		  int timeout_ms, char *text, size_t size)
{
	struct tool tool;
	int ret = tool_init(&tool, argv, as);

	*text = '\0';
	return ret ? ret : tool_run(&tool, timeout_ms, text, size);
}

/**
 * qemu_tool_run_open() - run a program that is open already
 * @program: descriptor; whoever runs it may not be able to find it by a path
 * @argv: its arguments
 * @as: who it is to be
 * @timeout_ms: how long it may take
 * @text: receives what it says, as much as fits
 * @size: of @text
 *
 * Return: as qemu_tool_run().
 */
int qemu_tool_run_open(int program, const char *const argv[],
		       const struct qemu_user *as, int timeout_ms, char *text,
		       size_t size)
{
	struct tool tool = {
		.program = program, .argv = argv, .as = as, .listener = -1,
		.environment = { (char *)"PATH=/usr/bin:/bin", (char *)"LC_ALL=C" },
	};

	return tool_run(&tool, timeout_ms, text, size);
}

/**
 * qemu_tool_serve() - start a program that serves a socket
 * @argv: its arguments; the first is its name
 * @as: who it is to be
 * @listener: handed over as systemd does, see sd_listen_fds(3)
 * @server: receives it, a child of this thread, with which it ends
 *
 * Return: 0, -ENOENT or another -errno.
 */
int qemu_tool_serve(const char *const argv[], const struct qemu_user *as,
		    int listener, struct guest_server *server)
{
	struct tool tool;
	int ret = tool_init(&tool, argv, as);

	if (ret)
		return ret;
	tool.listener = listener;
	tool.environment[2] = (char *)"LISTEN_FDS=1";
	tool.environment[3] = tool.listen_pid;
	return tool_start(&tool, server);
}
