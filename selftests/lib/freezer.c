// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * freezer.c - a process that does not end, whatever is sent to it.
 *
 * As one that waits in the kernel for a disk or a server: it has been killed,
 * and its system call is under way. Only the freezer of cgroup v1 does that to
 * order; v2 lets go of who is killed.
 */
#include "selftests/lib/freezer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "sys.h"

#define FREEZER		"/sys/fs/cgroup/freezer"
#define TRIES		1000	/* 10 ms apart */
#define TRY_MS		10

static void group_path(const char *file, char *path, size_t size)
{
	snprintf(path, size, FREEZER "/straddle-test.%d%s%s", (int)getpid(),
		 *file ? "/" : "", file);
}

static int group_write(const char *file, const char *text)
{
	__cleanup_fd int fd = -1;
	char path[128];

	group_path(file, path, sizeof(path));
	fd = sys_ret(open(path, O_WRONLY | O_CLOEXEC));
	return fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
}

static bool is_frozen(void)
{
	char path[128], text[16] = "";
	__cleanup_file FILE *file = NULL;

	group_path("freezer.state", path, sizeof(path));
	file = fopen(path, "re");
	return file && fgets(text, sizeof(text), file) && !strcmp(text, "FROZEN\n");
}

/**
 * freezer_close() - have a process stand still, even when it is killed
 * @pid: of the process. Once a test
 *
 * Return: 0, -EOPNOTSUPP: there is no such cgroup here, or another -errno.
 */
int freezer_close(pid_t pid)
{
	char path[128], number[16];
	int i, ret;

	group_path("", path, sizeof(path));
	if (sys_ret(access(FREEZER "/release_agent", F_OK)) || sys_ret(mkdir(path, 0700)))
		return -EOPNOTSUPP;
	snprintf(number, sizeof(number), "%d", (int)pid);
	ret = group_write("cgroup.procs", number);
	if (!ret)
		ret = group_write("freezer.state", "FROZEN");
	for (i = 0; i < TRIES && !ret && !is_frozen(); i++)
		poll(NULL, 0, TRY_MS);
	return ret ? ret : i < TRIES ? 0 : -ETIMEDOUT;
}

/**
 * freezer_open() - let go of whatever is in it
 *
 * Twice is once.
 */
void freezer_open(void)
{
	char path[128];
	int i;

	(void)group_write("freezer.state", "THAWED");
	group_path("", path, sizeof(path));
	for (i = 0; i < TRIES && sys_ret(rmdir(path)) == -EBUSY; i++)
		poll(NULL, 0, TRY_MS);
}
