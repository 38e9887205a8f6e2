/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.c - directories of the agent, and the files that lock them. */
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "cleanup.h"
#include "lock.h"
#include "sys.h"

static int directory_make_one(const char *path)
{
	int ret = sys_ret(mkdir(path, 0700));

	return ret == -EEXIST ? 0 : ret;
}

static int directory_check(const char *path, const char *option, struct fail *fail)
{
	struct stat st;
	int ret = sys_ret(stat(path, &st));

	if (!ret && !S_ISDIR(st.st_mode))
		ret = -ENOTDIR;
	if (ret)
		return fail_set(fail, ret, "%s %s: %s; give a directory, which is made where "
				"there is none", option, path, strerror(-ret));
	return 0;
}

/**
 * directory_make() - make a directory and what leads to it, for us alone
 * @path: what is there already stays as it is
 * @option: that it was named by, for messages
 * @fail: says what cannot be made
 *
 * Return: 0 or -errno.
 */
int directory_make(const char *path, const char *option, struct fail *fail)
{
	char part[512];
	size_t i;
	int ret = 0;

	if (strlen(path) >= sizeof(part))
		return fail_set(fail, -ENAMETOOLONG, "%s %.100s...: the path is too long",
				option, path);
	for (i = 1; !ret && i <= strlen(path); i++) {
		if (path[i] && path[i] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		ret = directory_make_one(part);
	}
	if (ret)
		return fail_set(fail, ret, "%s %s: cannot make that directory: %s; give one that "
				"can be made", option, path, strerror(-ret));
	return directory_check(path, option, fail);
}

/**
 * lock_take() - make sure that no other agent uses a path
 * @path: what to lock
 * @suffix: added to it, gives the file that carries the lock
 * @fd: receives what lock_release() closes
 * @fail: says who has it
 *
 * The lock ends with the process, however that ends; the file stays.
 *
 * Return: 0, -EBUSY (another agent has it) or -errno.
 */
int lock_take(const char *path, const char *suffix, int *fd, struct fail *fail)
{
	__cleanup_fd int lock = -1;
	char file[512];
	int ret;

	snprintf(file, sizeof(file), "%s%s", path, suffix);
	lock = sys_ret(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (lock < 0)
		return fail_set(fail, lock, "cannot open %s: %s", file, strerror(-lock));
	ret = sys_ret(flock(lock, LOCK_EX | LOCK_NB));
	if (ret == -EWOULDBLOCK)
		return fail_set(fail, -EBUSY, "another straddled uses %s: stop it, or give this "
				"one directories of its own (--state-dir, --run-dir)", path);
	if (ret)
		return fail_set(fail, ret, "cannot lock %s: %s", file, strerror(-ret));
	*fd = take_fd(&lock);
	return 0;
}

/**
 * lock_release() - let another agent have it
 * @fd: of lock_take(), or -1
 */
void lock_release(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
