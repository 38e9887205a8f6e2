/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.h - this machine's 2 MiB pages: more of them, for a while. */
#ifndef STRADDLE_BENCH_POOL_H
#define STRADDLE_BENCH_POOL_H

#include <sys/types.h>

#include "fail.h"

struct pool {
	pid_t pid;	/* of who makes it what it was, in whatever way we end */
	int pipe;	/* closed: that is now */
};

int pool_open(struct pool *pool, unsigned long pages, struct fail *fail);
void pool_close(const struct pool *pool);

#endif
