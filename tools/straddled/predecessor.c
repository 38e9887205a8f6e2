/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * predecessor.c - one worker a migration and side, across agents.
 *
 * RUN-DIR/worker.ID.SIDE names a worker by its pid and the time that it
 * started, which together nobody else gets until the host restarts; and the
 * userfaultfds that it has in the guest's process. RUN-DIR/job.ID.SIDE is what
 * it was to do; RUN-DIR/testament.ID.SIDE it writes itself. On
 * RUN-DIR/steward.ID.SIDE its steward has a lock for as long as it lives.
 */
#include <dirent.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "log.h"
#include "predecessor.h"
#include "proc.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/textfile.h"
#include "workers.h"

#define END_MS		10000	/* for a process that was killed to be gone */
#define JOB_MAX		(1u << 20)	/* bytes */

static void path_of(const struct agent *agent, const char *what, const char *id,
		    enum side side, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.%s.%s", agent->options->run_dir, what, id,
		 side_name(side));
}

static void record_path(const struct agent *agent, const char *id, enum side side,
			char *path, size_t size)
{
	path_of(agent, "worker", id, side, path, size);
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
	char path[320], made[330], text[96];
	uint64_t started = 0;
	unsigned int i;
	int used, ret = proc_start(pid, &started);
	__cleanup_fd int fd = -1;

	if (ret)
		return ret;
	record_path(agent, id, side, path, sizeof(path));
	/* Whole or not at all: an empty one would say that there is none. */
	snprintf(made, sizeof(made), "%s.new", path);
	fd = sys_ret(open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	used = snprintf(text, sizeof(text), "%d %" PRIu64, (int)pid, started);
	for (i = 0; i < left->count; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, " %d", left->fd[i]);
	text[used] = '\n';
	text[used + 1] = '\0';
	ret = sys_write_all(fd, text, strlen(text));
	return ret ? ret : sys_ret(rename(made, path));
}

/**
 * predecessor_job_store() - keep a worker's job, for whoever takes its place
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 * @job: as it was given; no secret is in it
 *
 * Return: 0 or -errno.
 */
int predecessor_job_store(const struct agent *agent, const char *id, enum side side,
			  struct json_object *job)
{
	const char *text = json_object_to_json_string_ext(job, JSON_C_TO_STRING_PLAIN);
	char path[320], made[330];
	__cleanup_fd int fd = -1;
	int ret;

	path_of(agent, "job", id, side, path, sizeof(path));
	snprintf(made, sizeof(made), "%s.new", path);
	fd = sys_ret(open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	ret = fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
	return ret ? ret : sys_ret(rename(made, path));
}

/**
 * predecessor_job() - what a worker was to do
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 * @job: receives a new object, the caller's; NULL: it is gone, with the host's
 *	last start
 * @fail: says why not
 *
 * Return: 0; or -errno: there may be one, and nobody knows what it says.
 */
int predecessor_job(const struct agent *agent, const char *id, enum side side,
		    struct json_object **job, struct fail *fail)
{
	__cleanup_free char *text = NULL;
	char path[320];
	int ret;

	path_of(agent, "job", id, side, path, sizeof(path));
	*job = NULL;
	ret = textfile_read(path, JOB_MAX, &text, fail);
	if (ret || !text)
		return ret;
	ret = json_parse(text, strlen(text), job);
	return ret ? fail_set(fail, ret, "cannot read %s: it is no job", path) : 0;
}

/**
 * predecessor_forget() - the migration has ended, or nobody goes on with it
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 */
void predecessor_forget(const struct agent *agent, const char *id, enum side side)
{
	/* The last one says to the next agent that there are others. */
	static const char *const left[] = { "testament", "job", "steward", "worker" };
	char path[320];
	size_t i;

	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		path_of(agent, left[i], id, side, path, sizeof(path));
		(void)sys_ret(unlink(path));
		/* Of one that was killed as it wrote it. */
		strncat(path, ".new", sizeof(path) - strlen(path) - 1);
		(void)sys_ret(unlink(path));
	}
}

/* Return: a pidfd of the recorded process; -ESRCH: it is gone; or -errno: nobody knows. */
static int recorded_open(const char *path, struct remote_fds *left)
{
	uint64_t start, now = 0;
	char text[96], *end;
	pid_t pid;
	int fd, ret = text_read(path, text, sizeof(text));

	if (ret)
		return ret == -ENOENT ? -ESRCH : ret;
	pid = (pid_t)strtol(text, &end, 10);
	start = strtoull(end, &end, 10);
	while (*end == ' ' && left->count < REMOTE_FDS_MAX)
		left->fd[left->count++] = (int)strtol(end, &end, 10);
	if (pid <= 1 || !start)
		return -ESRCH;
	fd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	if (fd < 0)
		return fd;
	ret = proc_start(pid, &now);
	if (!ret && now == start)
		return fd;
	close(fd);
	return ret ? ret : -ESRCH;
}

/**
 * predecessor_lives() - does a migration have a worker of an earlier agent?
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Return: its pid; 0: it is gone; or -errno: nobody knows.
 */
pid_t predecessor_lives(const struct agent *agent, const char *id, enum side side)
{
	struct remote_fds left = { .count = 0 };
	__cleanup_fd int fd = -1;
	char path[320];

	record_path(agent, id, side, path, sizeof(path));
	fd = recorded_open(path, &left);
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	/* One that has ended, and nobody has waited for, is gone. */
	return sys_wait_fd(fd, POLLIN, 0) ? proc_of_pidfd(fd) : 0;
}

/**
 * predecessor_has_will() - did a worker leave what only a guest past ASKED or GO has?
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Return: false: there is nothing that anybody could go on with.
 */
bool predecessor_has_will(const struct agent *agent, const char *id, enum side side)
{
	char path[320];

	path_of(agent, "testament", id, side, path, sizeof(path));
	return sys_ret(access(path, F_OK)) != -ENOENT;
}

/* Return: a process that has the lock; 0: there is none; or -errno: nobody knows. */
static pid_t lock_holder(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	__cleanup_fd int fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	int ret = fd < 0 ? fd : sys_ret(fcntl(fd, F_GETLK, &lock));

	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

/**
 * predecessor_steward() - does a worker's steward live?
 * @agent: of this host
 * @id: of the migration
 * @side: this host's
 *
 * Return: its pid; 0: it does not; or -errno: nobody knows.
 */
pid_t predecessor_steward(const struct agent *agent, const char *id, enum side side)
{
	char path[320];

	path_of(agent, "steward", id, side, path, sizeof(path));
	return lock_holder(path);
}

/*
 * A steward is killed with its worker, and has begun a call, maybe, that ends
 * first: one that writes to a disk, say. Nobody is to begin another beside it,
 * nor to be kept waiting for it.
 */
static int steward_gone(const struct agent *agent, const char *id, enum side side,
			struct fail *fail)
{
	pid_t pid = predecessor_steward(agent, id, side);

	if (pid < 0)
		return fail_set(fail, pid, "whether its worker's steward has ended cannot be "
				"found out: %s", strerror(-pid));
	return pid ? fail_set(fail, -EBUSY, "its worker's steward (process %d) was killed in a "
			      "call, and has not ended yet", (int)pid) : 0;
}

/* Return: 0: there is no such process any more; or -errno with @fail. */
static int worker_end(const char *id, int fd, struct fail *fail)
{
	int ret = (int)sys_ret(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));

	if (!ret)
		ret = sys_wait_fd(fd, POLLIN, END_MS);
	if (ret)
		return fail_set(fail, ret, "its worker, of an earlier agent, does not end: %s",
				strerror(-ret));
	log_notice("migration %s: ended the worker of an earlier agent", id);
	return 0;
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
 * Return: 0: there is none, nor a steward; -EBUSY: that one is about to end; or
 * -errno: one may be left.
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
	if (fd < 0 && fd != -ESRCH)
		return fail_set(fail, fd, "whether it has a worker, of an earlier agent, cannot be "
				"found out: %s: %s", path, strerror(-fd));
	ret = fd < 0 ? 0 : worker_end(id, fd, fail);
	return ret ? ret : steward_gone(agent, id, side, fail);
}

/* "worker.ID.dest": whose file it is; false: it is another kind of file. */
static bool name_parse(const char *name, char *id, enum side *side)
{
	const char *dot = strrchr(name, '.');

	if (strncmp(name, "worker.", 7) || !dot || dot - name != 7 + MIGRATION_ID_TEXT - 1)
		return false;
	memcpy(id, name + 7, MIGRATION_ID_TEXT - 1);
	id[MIGRATION_ID_TEXT - 1] = '\0';
	*side = strcmp(dot + 1, side_name(SIDE_DEST)) ? SIDE_SOURCE : SIDE_DEST;
	return true;
}

/**
 * predecessor_each() - every worker that left something behind
 * @agent: of this host
 * @each: called with each; non-zero ends it
 * @arg: for @each
 *
 * Return: 0, what @each returned, or -errno.
 */
int predecessor_each(const struct agent *agent, predecessor_fn *each, void *arg)
{
	char id[MIGRATION_ID_TEXT];
	struct dirent *entry;
	enum side side;
	int ret = 0;
	DIR *dir = opendir(agent->options->run_dir);

	if (!dir)
		return -ENOENT;
	while (!ret && (entry = readdir(dir)))
		if (name_parse(entry->d_name, id, &side) && !worker_find(agent, id, side))
			ret = each(id, side, arg);
	closedir(dir);
	return ret;
}
