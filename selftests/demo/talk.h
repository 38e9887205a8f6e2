/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* talk.h - one TCP connection that a thread keeps busy: ask, be answered. */
#ifndef STRADDLE_DEMO_TALK_H
#define STRADDLE_DEMO_TALK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

/* Written by the thread alone, but for @over. */
struct talk {
	int fd;
	pthread_t thread;
	_Atomic bool over;
	_Atomic int broken;		/* -errno; 0: it holds */
	_Atomic uint64_t answers;	/* each as asked for */
	_Atomic uint64_t longest_ns;	/* that one took */
};

int talk_start(struct talk *talk, int netns, const char *address,
	       struct fail *fail);
int talk_go_on(const struct talk *talk, uint64_t more, struct fail *fail);
void talk_end(struct talk *talk);

#endif
