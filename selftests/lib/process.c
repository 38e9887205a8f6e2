/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.c - wait for a child; stop it; kill all there is in a namespace. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "process.h"
#include "sys.h"

#define STOP_TIMEOUT_MS	10000
#define FREEZE_TRIES	1000	/* 10 ms apart */
#define FREEZE_MS	10

static int pidfd_of(pid_t pid)
{
	return (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
}

/**
 * process_wait() - wait for a child to end, and reap it
 * @pid: the child
 * @timeout_ms: how long at most; -1: as long as it takes
 *
 * Return: its exit code, 128 + the signal that ended it, -ETIMEDOUT when it
 * runs on, or another -errno.
 */
int process_wait(pid_t pid, int timeout_ms)
{
	__cleanup_fd int fd = pidfd_of(pid);
	int ret, status;

	if (fd < 0)
		return fd;
	ret = sys_wait_fd(fd, POLLIN, timeout_ms);
	if (ret)
		return ret;
	ret = sys_retry(waitpid(pid, &status, 0));
	if (ret < 0)
		return ret;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/**
 * process_stop() - ask a child to end, make it end if it does not; reap it
 * @pid: the child
 *
 * Return: as process_wait(); 128 + SIGKILL when it had to be killed.
 */
int process_stop(pid_t pid)
{
	int ret;

	kill(pid, SIGTERM);
	ret = process_wait(pid, STOP_TIMEOUT_MS);
	if (ret != -ETIMEDOUT)
		return ret;
	kill(pid, SIGKILL);
	return process_wait(pid, -1);
}

static bool thread_is_stopped(pid_t pid, const char *thread)
{
	char path[300], line[512], *name_end;
	__cleanup_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", (int)pid, thread);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return true;		/* it has ended */
	name_end = strrchr(line, ')');
	return name_end && !strncmp(name_end, ") T", 3);
}

static bool threads_are_stopped(pid_t pid)
{
	bool stopped = true;
	struct dirent *entry;
	char path[48];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)))
		if (*entry->d_name != '.')
			stopped &= thread_is_stopped(pid, entry->d_name);
	if (tasks)
		closedir(tasks);
	return tasks && stopped;
}

/**
 * process_freeze() - stop a process (SIGSTOP), and wait until it stands still
 * @pid: of any process
 *
 * The signal goes to one thread, which has the others stop when it runs next:
 * on a busy host they run on until then.
 *
 * Return: 0, -ETIMEDOUT or another -errno.
 */
int process_freeze(pid_t pid)
{
	int i, ret = sys_ret(kill(pid, SIGSTOP));

	for (i = 0; i < FREEZE_TRIES && !ret; i++) {
		if (threads_are_stopped(pid))
			return 0;
		poll(NULL, 0, FREEZE_MS);
	}
	return ret ? ret : -ETIMEDOUT;
}

static bool is_in_netns(int pid, const struct stat *netns)
{
	char path[48];
	struct stat own;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return !stat(path, &own) && own.st_dev == netns->st_dev &&
	       own.st_ino == netns->st_ino;
}

/* The descriptor keeps the pid's meaning between the look and the kill. */
static bool kill_if_in_netns(int pid, const struct stat *netns)
{
	__cleanup_fd int fd = -1;

	if (pid <= 0 || pid == getpid() || !is_in_netns(pid, netns))
		return false;
	fd = pidfd_of(pid);
	if (fd < 0 || !is_in_netns(pid, netns))
		return false;
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	sys_wait_fd(fd, POLLIN, -1);
	sys_retry(waitpid(pid, NULL, WNOHANG));	/* where it is our child */
	return true;
}

/**
 * process_kill_netns() - kill every process in a network namespace
 * @netns: the namespace
 *
 * Also those that lost their parent, or whose parent was to outlive them.
 * When it returns, they have ended.
 */
void process_kill_netns(int netns)
{
	struct stat wanted;
	bool found;

	if (sys_ret(fstat(netns, &wanted)))
		return;
	do {
		struct dirent *entry;
		DIR *proc = opendir("/proc");

		found = false;
		while (proc && (entry = readdir(proc)))
			found |= kill_if_in_netns(atoi(entry->d_name), &wanted);
		if (proc)
			closedir(proc);
	} while (found);
}
