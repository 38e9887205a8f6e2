/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.c - make a directory, remove it with all in it. */
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "directory.h"
#include "sys.h"

static int remove_entry(const char *path, const struct stat *stat, int type,
			struct FTW *place)
{
	(void)stat;
	(void)type;
	(void)place;
	return remove(path);
}

/**
 * directory_create() - make an empty directory, below TMPDIR or /tmp
 * @path: receives its path
 * @size: of @path
 *
 * Return: 0 or -errno.
 */
int directory_create(char *path, size_t size)
{
	const char *parent = getenv("TMPDIR");

	snprintf(path, size, "%s/straddle-test.XXXXXX",
		 parent ? parent : "/tmp");
	return mkdtemp(path) ? 0 : -EIO;
}

/**
 * directory_remove() - remove a directory and all in it
 * @path: the directory; what is mounted in it stays
 *
 * Return: 0 or -errno.
 */
int directory_remove(const char *path)
{
	return sys_ret(nftw(path, remove_entry, 16,
			    FTW_DEPTH | FTW_PHYS | FTW_MOUNT));
}

static void filler_path(const char *path, char *filler, size_t size)
{
	snprintf(filler, size, "%s/filler", path);
}

/**
 * directory_fill() - leave no room in a small file system
 * @path: a directory on it
 *
 * Return: 0: it is full; or -errno.
 */
int directory_fill(const char *path)
{
	static const char block[4096];
	char filler[256];
	ssize_t ret;
	int fd;

	filler_path(path, filler, sizeof(filler));
	fd = sys_ret(open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	do {
		ret = sys_ret(write(fd, block, sizeof(block)));
	} while (ret > 0);
	close(fd);
	return ret == -ENOSPC ? 0 : (int)ret;
}

/**
 * directory_make_room() - undo directory_fill()
 * @path: the directory
 *
 * Return: 0 or -errno.
 */
int directory_make_room(const char *path)
{
	char filler[256];

	filler_path(path, filler, sizeof(filler));
	return sys_ret(unlink(filler));
}

/**
 * mounts_of_own() - a mount namespace for this process and what it starts
 *
 * Return: 0; -EPERM: it takes root; or -errno.
 */
int mounts_of_own(void)
{
	int ret = sys_ret(unshare(CLONE_NEWNS));

	return ret ? ret : sys_ret(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}
