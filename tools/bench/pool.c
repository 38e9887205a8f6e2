// SPDX-License-Identifier: LGPL-2.1-or-later
/* pool.c - this machine's 2 MiB pages: more of them, for a while. */
#include "tools/bench/pool.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sys.h"
#include "tools/lib/hugepool.h"

/* Gives them back when nobody holds the other end any more. */
static void keeper_main(int socket, unsigned long pages)
{
	char byte = 0;

	/* Not of our process group: what ends that does not end it. */
	setsid();
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (hugepool_add((long)pages))
		_exit(1);
	(void)sys_retry(write(socket, &byte, 1));
	(void)sys_retry(read(socket, &byte, 1));
	_exit(hugepool_add(-(long)pages) ? 1 : 0);
}

/**
 * pool_open() - have more pages than there are
 * @pool: receives what pool_close() undoes
 * @pages: how many more
 *
 * Return: 0; -ENOMEM: there are no such pages here, or no more of them; or -errno.
 */
int pool_open(struct pool *pool, unsigned long pages)
{
	int ends[2];
	char byte;
	int ret = sys_ret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));

	if (ret)
		return ret;
	pool->pid = sys_ret(fork());
	if (!pool->pid) {
		close(ends[1]);
		keeper_main(ends[0], pages);
	}
	close(ends[0]);
	pool->socket = ends[1];
	if (pool->pid < 0) {
		close(pool->socket);
		return pool->pid;
	}
	if (sys_retry(read(pool->socket, &byte, 1)) == 1)
		return 0;
	(void)pool_close(pool);
	return -ENOMEM;
}

/**
 * pool_close() - give them back
 * @pool: from pool_open()
 *
 * Return: 0, or -EIO: they are still in the pool.
 */
int pool_close(const struct pool *pool)
{
	int status = 1;

	close(pool->socket);
	waitpid(pool->pid, &status, 0);
	return status ? -EIO : 0;
}
