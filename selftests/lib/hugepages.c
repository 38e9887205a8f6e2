/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hugepages.c - 2 MiB pages for a test, given back afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "cleanup.h"
#include "lib/hugepages.h"
#include "sys.h"

#define POOL	"/sys/kernel/mm/hugepages/hugepages-2048kB/"

static const char pool[] = POOL "nr_hugepages";

/*
 * What tests of this program have added. A test that is killed gives nothing
 * back: then the program does, at its end.
 */
static long *outstanding;	/* shared with the tests; NULL: no memory */
static pid_t program;

static void give_back(void)
{
	if (getpid() == program && *outstanding > 0)
		hugepages_add(-*outstanding);
}

__attribute__((constructor))
static void outstanding_init(void)
{
	void *map = NULL;

	if (sys_mmap(&map, sizeof(*outstanding), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0))
		return;
	outstanding = map;
	program = getpid();
	atexit(give_back);
}

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

/**
 * hugepages_free() - how many 2 MiB pages nobody has or was promised
 *
 * Return: their number, or -errno.
 */
long hugepages_free(void)
{
	long pages = number_read(POOL "free_hugepages");
	long promised = number_read(POOL "resv_hugepages");

	if (pages < 0)
		return pages;
	return promised < 0 ? promised : pages - promised;
}

/**
 * hugepages_add() - make the host's pool of 2 MiB pages larger or smaller
 * @pages: how many more; < 0: give back what was added
 *
 * Relative to what is there, so that tests beside each other get on.
 *
 * Return: 0; -ENOMEM: the host has no free ones (nothing was changed);
 * -ENOENT: it has no such pages; or -errno.
 */
int hugepages_add(long pages)
{
	int __cleanup_fd fd = sys_ret(open(pool, O_RDWR | O_CLOEXEC));
	char text[32];
	long before, len;
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_retry(flock(fd, LOCK_EX));
	if (ret)
		return ret;
	before = pool_read(fd);
	if (before < 0)
		return (int)before;
	len = snprintf(text, sizeof(text), "%ld", before + pages);
	ret = sys_pwrite_all(fd, text, (size_t)len, 0);
	/* What is in use still is given back when its user is gone. */
	if (!ret && (pages < 0 || pool_read(fd) == before + pages)) {
		if (outstanding)
			*outstanding += pages;
		return 0;
	}
	if (ret)
		return ret;
	len = snprintf(text, sizeof(text), "%ld", before);
	sys_pwrite_all(fd, text, (size_t)len, 0);
	return -ENOMEM;
}
