/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * relay.h - bytes between a Unix socket here and a channel, both ways.
 *
 * What passes is QEMU's NBD: a request from the source, an answer from the
 * dest. One thread each.
 */
#ifndef STRADDLE_RELAY_H
#define STRADDLE_RELAY_H

#include <sys/types.h>

#include "protocol/channel.h"
#include "protocol/nbd.h"

struct relay;

/* What is at this end of the channel. */
enum relay_end {
	RELAY_CLIENT,		/* will connect to a socket that listens */
	RELAY_SERVER,		/* is connected; its answers are watched */
};

struct relay_setup {
	enum relay_end end;
	struct channel *channel;	/* owned from the call on */
	int fd;			/* RELAY_SERVER: owned from the call on;
				 * RELAY_CLIENT: listens, borrowed */
	pid_t client;		/* who may connect, and nobody else */
	int flusher;		/* RELAY_SERVER: greeted, at the same server;
				 * borrowed */
	int news;		/* eventfd: written when it is over; borrowed */
};

int relay_create(const struct relay_setup *setup, struct relay **relay);
void relay_destroy(struct relay *relay);
int relay_result(const struct relay *relay);

#endif
