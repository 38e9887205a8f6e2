/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd.h - as much of NBD as proves that a disk's copy is whole.
 *
 * QEMU speaks NBD to QEMU through us. Of what the server answers we read only
 * whether all went well, and at the end we ask by ourselves for a flush.
 */
#ifndef STRADDLE_NBD_H
#define STRADDLE_NBD_H

#include <stddef.h>
#include <stdint.h>

#define NBD_EXPORT	"disk"	/* the name of every export of ours */

/* What a server answers on one connection, looked at as it passes by. */
struct nbd_watch {
	int state;
	int error;		/* 0, or -errno of the first that failed */
	size_t have, need;	/* bytes in @head, and before it is a whole one */
	uint64_t skip;		/* bytes of payload that follow */
	uint8_t head[20];
};

void nbd_watch_init(struct nbd_watch *watch);
void nbd_watch_feed(struct nbd_watch *watch, const void *bytes, size_t size);

int nbd_greet(int fd, int timeout_ms);
int nbd_flush(int fd, int timeout_ms);

#endif
