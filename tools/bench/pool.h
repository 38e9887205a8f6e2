/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.h - this machine's 2 MiB pages: more of them, for a while. */
#ifndef STRADDLE_BENCH_POOL_H
#define STRADDLE_BENCH_POOL_H

#include <sys/types.h>

/* A process that gives them back, in whatever way we end. */
struct pool {
	pid_t pid;
	int socket;	/* closed: that is now */
};

int pool_open(struct pool *pool, unsigned long pages);
int pool_close(const struct pool *pool);

#endif
