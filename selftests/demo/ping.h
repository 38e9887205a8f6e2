/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ping.h - how long a guest was not heard of, by a client's clock.
 *
 * An ICMP echo request every few milliseconds, whether the last one was
 * answered or not: the longest time between two answers that came.
 */
#ifndef STRADDLE_DEMO_PING_H
#define STRADDLE_DEMO_PING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

#define PING_PERIOD_MS	2

struct ping {
	int fd;
	pthread_t thread;
	_Atomic bool over;
	pthread_mutex_t lock;		/* of the rest */
	uint64_t last_ns;		/* the last answer; 0: none yet */
	uint64_t longest_ns;		/* since ping_mark() */
	uint64_t answers;
};

int ping_start(struct ping *ping, int netns, const char *address,
	       struct fail *fail);
void ping_mark(struct ping *ping);
uint64_t ping_longest_ns(struct ping *ping);
void ping_end(struct ping *ping);

#endif
