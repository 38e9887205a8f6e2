/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon.h - the guest gives memory back. */
#ifndef STRADDLE_VMM_BALLOON_H
#define STRADDLE_VMM_BALLOON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fail;
struct machine;

struct balloon {
	pthread_t thread;
	bool started;		/* to be joined; the control thread's */
	atomic_bool busy;	/* it is at it: no vCPU may run */
	int error;		/* valid when not busy any more */
	uint64_t pages;		/* of 4 KiB, given back; likewise */
};

int balloon_start(struct machine *machine, struct fail *fail);
bool balloon_done(struct machine *machine);

#endif
