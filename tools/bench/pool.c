// SPDX-License-Identifier: LGPL-2.1-or-later
/* pool.c - this machine's 2 MiB pages: more of them, for a while. */
#include "tools/bench/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"

#define POOL	"/proc/sys/vm/nr_hugepages"

static int pool_set(unsigned long pages)
{
	__cleanup_fd int fd = sys_ret(open(POOL, O_WRONLY | O_CLOEXEC));
	char text[32];
	int size = snprintf(text, sizeof(text), "%lu", pages);

	return fd < 0 ? fd : sys_write_all(fd, text, (size_t)size);
}

static int pool_get(unsigned long *pages)
{
	__cleanup_fd int fd = sys_ret(open(POOL, O_RDONLY | O_CLOEXEC));
	char text[32] = "";
	ssize_t got = fd < 0 ? fd : sys_retry(read(fd, text, sizeof(text) - 1));

	*pages = strtoul(text, NULL, 10);
	return got < 0 ? (int)got : 0;
}

static int pool_grow(unsigned long by, unsigned long before)
{
	unsigned long after = 0;
	int ret = pool_set(before + by);

	if (!ret)
		ret = pool_get(&after);
	return !ret && after < before + by ? -ENOMEM : ret;
}

static void keeper_main(int pipe, unsigned long before)
{
	char byte;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	(void)sys_retry(read(pipe, &byte, 1));
	pool_set(before);
	_exit(0);
}

static int keeper_start(struct pool *pool, unsigned long before)
{
	int ends[2];
	int ret = sys_ret(pipe2(ends, O_CLOEXEC));

	if (ret)
		return ret;
	pool->pid = sys_ret(fork());
	if (!pool->pid) {
		close(ends[1]);
		keeper_main(ends[0], before);
	}
	close(ends[0]);
	pool->pipe = ends[1];
	if (pool->pid > 0)
		return 0;
	close(pool->pipe);
	return pool->pid;
}

/**
 * pool_open() - have more pages than there are
 * @pool: receives what pool_close() undoes
 * @pages: how many more
 * @fail: says why not
 *
 * Return: 0 or -errno; then the pool is what it was.
 */
int pool_open(struct pool *pool, unsigned long pages, struct fail *fail)
{
	unsigned long before;
	int ret = pool_get(&before);

	if (!ret)
		ret = keeper_start(pool, before);
	if (ret)
		return fail_set(fail, ret, "no pool of 2 MiB pages: %s", strerror(-ret));
	ret = pool_grow(pages, before);
	if (!ret)
		return 0;
	pool_close(pool);
	return fail_set(fail, ret, "%s cannot be made larger by %lu: %s", POOL, pages,
			strerror(-ret));
}

/**
 * pool_close() - make it what it was
 * @pool: from pool_open()
 */
void pool_close(const struct pool *pool)
{
	close(pool->pipe);
	waitpid(pool->pid, NULL, 0);
}
