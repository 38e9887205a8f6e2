// SPDX-License-Identifier: LGPL-2.1-or-later
/* hugepool.c - the host's pool of 2 MiB pages. */
#include "tools/lib/hugepool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "cleanup.h"
#include "sys.h"

#define POOL		"/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define SETTLE_TRIES	100		/* SETTLE_MS apart */
#define SETTLE_MS	10

static long pool_read(int fd)
{
	char text[32] = "";
	ssize_t got = sys_retry(pread(fd, text, sizeof(text) - 1, 0));

	return got < 0 ? (long)got : atol(text);
}

static long number_read(const char *path)
{
	int __cleanup_fd fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));

	return fd < 0 ? fd : pool_read(fd);
}

/*
 * A page in use whose place was given back is surplus until its user is gone.
 * Who makes the pool larger before that makes it a page of the pool, for ever,
 * and has one less for himself.
 */
static long surplus_settle(void)
{
	long surplus = 0;
	int i;

	for (i = 0; i < SETTLE_TRIES; i++) {
		surplus = number_read(POOL "surplus_hugepages");
		if (surplus <= 0)
			break;
		poll(NULL, 0, SETTLE_MS);
	}
	return surplus;
}

/* Without what is surplus. */
static long pool_size(int fd)
{
	long pages = pool_read(fd), surplus = number_read(POOL "surplus_hugepages");

	if (pages < 0)
		return pages;
	return surplus < 0 ? surplus : pages - surplus;
}

/**
 * hugepool_free() - how many 2 MiB pages nobody has or was promised
 *
 * Return: their number, or -errno.
 */
long hugepool_free(void)
{
	long pages = number_read(POOL "free_hugepages");
	long promised = number_read(POOL "resv_hugepages");

	if (pages < 0)
		return pages;
	return promised < 0 ? promised : pages - promised;
}

static int pool_write(int fd, long pages)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld", pages);

	return sys_pwrite_all(fd, text, (size_t)len, 0);
}

/**
 * hugepool_add() - make the pool larger or smaller
 * @pages: how many more; < 0: give back what was added
 *
 * Relative to what is there, so that users beside each other get on.
 *
 * Return: 0; -ENOMEM: the host has no free ones (nothing was changed);
 * -ENOENT: it has no such pages; or -errno.
 */
int hugepool_add(long pages)
{
	int __cleanup_fd fd = sys_ret(open(POOL "nr_hugepages", O_RDWR | O_CLOEXEC));
	long before, surplus;
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_retry(flock(fd, LOCK_EX));
	if (ret)
		return ret;
	surplus = pages > 0 ? surplus_settle() : 0;
	before = pool_size(fd);
	if (before < 0 || surplus < 0)
		return (int)(before < 0 ? before : surplus);
	ret = pool_write(fd, before + surplus + pages);
	/* What is in use still is given back when its user is gone. */
	if (ret || pages < 0 || pool_size(fd) == before + surplus + pages)
		return ret;
	pool_write(fd, before);
	return -ENOMEM;
}
