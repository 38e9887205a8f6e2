/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.h - the inside of a channel, shared by channel.c and tls.c.
 *
 * A channel is plain or TLS; the table of operations is all that differs.
 */
#ifndef STRADDLE_TLS_H
#define STRADDLE_TLS_H

#include <pthread.h>

#include "protocol/channel.h"

#define PEER_DIGEST_SIZE	32

struct tls;

struct channel_ops {
	ssize_t (*send)(struct channel *channel, const struct iovec *iov,
			int count);
	ssize_t (*receive)(struct channel *channel, void *buf, size_t size);
	size_t (*pending)(const struct channel *channel);
	void (*close)(struct channel *channel);
};

struct channel {
	const struct channel_ops *ops;
	int fd;				/* owned, non-blocking */
	pthread_mutex_t sending;	/* of one message at a time */
	struct tls *tls;		/* owned; NULL: plain */
	int window;			/* sender of bulk: its SO_SNDBUF; 0: the
					 * kernel's */
	uint64_t looked_ns;		/* sender of bulk: when at its queue */
	uint64_t acked;			/* and what had arrived by then; */
	int64_t rate, usual;		/* bytes a second that arrive, and at best */
	uint8_t peer[PEER_DIGEST_SIZE];	/* channel_peer() */
	uint8_t certificate[PEER_DIGEST_SIZE];	/* of it; PSK: as @peer */
	char peer_name[256];		/* channel_peer_name() */
};

enum security credentials_security(const struct credentials *credentials);
channel_dial_fn *credentials_dial(const struct credentials *credentials);

/*
 * Turn a plain channel into a TLS one. On failure the channel is plain and
 * of no use. @name: whom the server's certificate must name.
 */
int tls_connect(struct channel *channel, struct credentials *credentials,
		const char *name, uint64_t deadline, struct fail *fail);
int tls_accept(struct channel *channel, struct credentials *credentials,
	       uint64_t deadline, struct fail *fail);

#endif
