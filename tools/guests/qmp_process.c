// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_process.c - start a QEMU that outlives its starter. */
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/orphan.h"
#include "tools/guests/qmp_command.h"

#define OUT_OF_WAY	16	/* above all that it is to have */

struct files {
	int state, log;
	int report;	/* takes its number, and why it did not become QEMU */
};

struct start {
	const struct qmp_command *command;
	const struct files *files;
};

static int user_become(const struct qmp_command *command)
{
	int ret;

	if (command->uid == geteuid() && command->gid == getegid())
		return 0;
	/* Not setgroups() and the like: they speak to all threads there were. */
	ret = (int)sys_ret(syscall(SYS_setgroups, command->group_count,
				   command->groups));
	if (!ret)
		ret = (int)sys_ret(syscall(SYS_setresgid, command->gid,
					   command->gid, command->gid));
	if (!ret)
		ret = (int)sys_ret(syscall(SYS_setresuid, command->uid,
					   command->uid, command->uid));
	return ret;
}

static int files_place(const struct files *files)
{
	int null = sys_ret(open("/dev/null", O_RDWR));
	int ret = null < 0 ? null : 0;

	if (!ret)
		ret = sys_ret(dup2(null, STDIN_FILENO));
	if (ret >= 0)
		ret = sys_ret(dup2(files->log, STDOUT_FILENO));
	if (ret >= 0)
		ret = sys_ret(dup2(files->log, STDERR_FILENO));
	if (ret >= 0)
		ret = sys_ret(dup2(files->state, QMP_STATE_FD));
	if (ret >= 0)
		ret = sys_ret(close_range(QMP_STATE_FD + 1, ~0u,
					  CLOSE_RANGE_CLOEXEC));
	return ret < 0 ? ret : 0;
}

/* Between fork and exec of a threaded process: system calls only. */
static void become_qemu(const void *what)
{
	const struct start *start = what;
	const struct qmp_command *command = start->command;
	const struct files *files = start->files;
	pid_t pid = getpid();
	sigset_t none;
	int ret;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	ret = sys_write_all(files->report, &pid, sizeof(pid));
	if (!ret)
		ret = files_place(files);
	if (!ret)
		ret = user_become(command);
	if (!ret)
		ret = sys_ret(chdir(command->cwd));
	if (!ret)
		ret = sys_ret(execve(command->program, command->argv,
				     command->environment));
	sys_write_all(files->report, &ret, sizeof(ret));
	_exit(127);
}

/* The report ends when the program runs, or tells why it does not. */
static int report_read(int fd, pid_t *pid)
{
	int error = 0;
	pid_t got;
	int ret = sys_read_all(fd, &got, sizeof(got));

	if (ret)
		return ret == -EPIPE ? -EAGAIN : ret;	/* no second fork */
	ret = sys_read_all(fd, &error, sizeof(error));
	if (!ret)
		return error;
	if (ret == -EPIPE)
		*pid = got;
	return ret == -EPIPE ? 0 : ret;
}

static int raise_fd(int fd)
{
	return sys_ret(fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_WAY));
}

/**
 * qmp_process_start() - start a QEMU
 * @command: what to start, and as whom
 * @state: becomes its QMP_STATE_FD; borrowed
 * @log: receives what it prints; borrowed
 * @pid: receives its number
 *
 * It has a session of its own, no terminal, and no parent but init.
 *
 * Return: 0: the program runs, or will end by itself; or -errno.
 */
int qmp_process_start(const struct qmp_command *command, int state, int log,
		      pid_t *pid)
{
	__cleanup_fd int report = -1, raised_state = -1, raised_log = -1;
	__cleanup_fd int raised_report = -1;
	struct files files;
	struct start start;
	int ends[2], ret = sys_ret(pipe2(ends, O_CLOEXEC));

	if (ret)
		return ret;
	report = ends[0];
	raised_report = raise_fd(ends[1]);
	close(ends[1]);
	raised_state = raise_fd(state);
	raised_log = raise_fd(log);
	if (raised_report < 0 || raised_state < 0 || raised_log < 0)
		return -EMFILE;
	files = (struct files){ raised_state, raised_log, raised_report };
	start = (struct start){ command, &files };
	ret = orphan_fork(become_qemu, &start);
	close(take_fd(&raised_report));
	return ret ? ret : report_read(report, pid);
}
