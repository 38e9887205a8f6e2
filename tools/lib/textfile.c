// SPDX-License-Identifier: LGPL-2.1-or-later
/* textfile.c - read bounded, write by rename, synced to the disk. */
#include "tools/lib/textfile.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

static int cannot(struct fail *fail, int err, const char *what,
		  const char *path)
{
	return fail_set(fail, err, "cannot %s %s: %s", what, path,
			strerror(-err));
}

/*
 * A pipe that nobody writes to would not let go of us; who has a file under a
 * lease (fcntl(2), F_SETLEASE) lets go of it, and -EAGAIN means just that.
 */
static int open_unless_pipe(const char *path)
{
	int fd = sys_retry(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));

	return fd == -EAGAIN ? sys_retry(open(path, O_RDONLY | O_CLOEXEC)) : fd;
}

/**
 * textfile_read() - read a small file
 * @path: the file
 * @max: bytes it may have
 * @text: receives its text, owned by the caller; NULL when there is no file
 * @fail: says what failed
 *
 * Return: 0, -EFBIG, -EINVAL (a NUL in it) or -errno.
 */
int textfile_read(const char *path, size_t max, char **text,
		  struct fail *fail)
{
	__cleanup_fd int fd = open_unless_pipe(path);
	__cleanup_free char *got = NULL;
	struct stat st;
	int ret;

	if (fd == -ENOENT) {
		*text = NULL;
		return 0;
	}
	ret = fd < 0 ? fd : sys_ret(fstat(fd, &st));
	if (ret)
		return cannot(fail, ret, "read", path);
	if (!S_ISREG(st.st_mode))
		return cannot(fail, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL, "read", path);
	if ((uint64_t)st.st_size > max)
		return cannot(fail, -EFBIG, "read", path);
	got = calloc(1, (size_t)st.st_size + 1);
	ret = got ? sys_read_all(fd, got, (size_t)st.st_size) : -ENOMEM;
	if (!ret && memchr(got, '\0', (size_t)st.st_size))
		ret = -EINVAL;
	if (ret)
		return cannot(fail, ret, "read", path);
	*text = take_ptr(got);
	return 0;
}

static int sync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, ret;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	fd = sys_ret(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	ret = sys_ret(fsync(fd));
	close(fd);
	return ret;
}

static int write_synced(const char *path, const char *text)
{
	int fd = sys_ret(mkostemp((char *)path, O_CLOEXEC));
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_write_all(fd, text, strlen(text));
	if (!ret)
		ret = sys_ret(fsync(fd));
	close(fd);
	if (ret)
		unlink(path);
	return ret;
}

/**
 * textfile_write() - replace a file, or create it, mode 0600
 * @path: the file
 * @text: its new text
 * @fail: says what failed; then the old file is as it was
 *
 * Return: 0, once it is on the disk, or -errno.
 */
int textfile_write(const char *path, const char *text, struct fail *fail)
{
	char temporary[PATH_MAX];
	int ret;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >=
	    (int)sizeof(temporary))
		return cannot(fail, -ENAMETOOLONG, "write", path);
	ret = write_synced(temporary, text);
	if (ret)
		return cannot(fail, ret, "write", path);
	ret = sys_ret(rename(temporary, path));
	if (ret)
		unlink(temporary);
	else
		ret = sync_dir_of(path);
	return ret ? cannot(fail, ret, "write", path) : 0;
}

/**
 * textfile_remove() - remove a file; fine when there is none
 * @path: the file
 * @fail: says what failed
 *
 * Return: 0, once that is on the disk, or -errno.
 */
int textfile_remove(const char *path, struct fail *fail)
{
	int ret = sys_ret(unlink(path));

	if (!ret)
		ret = sync_dir_of(path);
	return ret && ret != -ENOENT ? cannot(fail, ret, "remove", path) : 0;
}
