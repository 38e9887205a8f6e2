/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.c - make a directory, remove it with all in it. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

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
