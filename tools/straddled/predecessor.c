/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * predecessor.c - one worker a migration and side, across agents.
 *
 * RUN-DIR/worker.ID.SIDE names a worker by its pid and the time that it
 * started, which together nobody else gets until the host restarts; and the
 * userfaultfds that it has in the guest's process.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "log.h"
#include "predecessor.h"
#include "sys.h"

#define END_MS		10000	/* for a process that was killed to be gone */
#define START_FIELD	20	/* of /proc/PID/stat, counted from its state, 1 */

static void record_path(const struct agent *agent, const char *id, enum side side,
			char *path, size_t size)
{
	snprintf(path, size, "%s/worker.%s.%s", agent->options->run_dir, id, side_name(side));
}

static int text_read(const char *path, char *text, size_t size)
{
	__cleanup_fd int fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t got;

	if (fd < 0)
		return fd;
	got = sys_retry(read(fd, text, size - 1));
	if (got < 0)
		return (int)got;
	text[got] = '\0';
	return 0;
}

/* When a process started, in ticks since boot; 0: there is no such process. */
static uint64_t started(pid_t pid)
{
	char path[64], text[1024], *at;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (text_read(path, text, sizeof(text)))
		return 0;
	/* The name, in brackets, may hold anything. */
	at = strrchr(text, ')');
	for (field = 0; at && field < START_FIELD; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

/**
 * predecessor_record() - write down which process is a migration's worker
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 * @pid: of the worker
 * @left: its userfaultfds in the guest's process
 *
 * Return: 0 or -errno.
 */
int predecessor_record(const struct agent *agent, const char *id, enum side side, pid_t pid,
		       const struct remote_fds *left)
{
	char path[320], text[96];
	unsigned int i;
	int used;
	__cleanup_fd int fd = -1;

	record_path(agent, id, side, path, sizeof(path));
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	used = snprintf(text, sizeof(text), "%d %" PRIu64, (int)pid, started(pid));
	for (i = 0; i < left->count; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %d", left->fd[i]);
	text[used] = '\n';
	text[used + 1] = '\0';
	return sys_write_all(fd, text, strlen(text));
}

/**
 * predecessor_forget() - the worker has ended
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 */
void predecessor_forget(const struct agent *agent, const char *id, enum side side)
{
	char path[320];

	record_path(agent, id, side, path, sizeof(path));
	(void)sys_ret(unlink(path));
}

/* A pidfd of the recorded process; -ESRCH: it is gone. */
static int recorded_open(const char *path, struct remote_fds *left)
{
	char text[96], *end;
	uint64_t start;
	pid_t pid;
	int fd;

	if (text_read(path, text, sizeof(text)))
		return -ESRCH;
	pid = (pid_t)strtol(text, &end, 10);
	start = strtoull(end, &end, 10);
	while (*end == ' ' && left->count < REMOTE_FDS_MAX)
		left->fd[left->count++] = (int)strtol(end, &end, 10);
	if (pid <= 1 || !start)
		return -ESRCH;
	fd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	if (fd >= 0 && started(pid) != start) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

/**
 * predecessor_end() - make sure that a migration has no worker any more
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 * @left: receives the userfaultfds that it left in the guest's process
 * @fail: says why not
 *
 * What is recorded stays so until predecessor_forget(): who has to try again
 * needs it again.
 *
 * Return: 0: there is none; or -errno: one may be left.
 */
int predecessor_end(const struct agent *agent, const char *id, enum side side,
		    struct remote_fds *left, struct fail *fail)
{
	__cleanup_fd int fd = -1;
	char path[320];
	int ret;

	left->count = 0;
	record_path(agent, id, side, path, sizeof(path));
	fd = recorded_open(path, left);
	if (fd == -ESRCH)
		return 0;
	ret = fd < 0 ? fd : (int)sys_ret(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	if (!ret)
		ret = sys_wait_fd(fd, POLLIN, END_MS);
	if (ret)
		return fail_set(fail, ret, "its worker, of an earlier agent, does not end: %s",
				strerror(-ret));
	log_notice("migration %s: ended the worker of an earlier agent", id);
	return 0;
}
