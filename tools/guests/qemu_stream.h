/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu_stream.h - a migration stream that brings devices and little RAM. */
#ifndef STRADDLE_GUESTS_QEMU_STREAM_H
#define STRADDLE_GUESTS_QEMU_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "fail.h"
#include "tools/guests/qemu_blocks.h"

/* What every stream begins with: magic and version. */
#define QEMU_STREAM_HEAD	8
extern const unsigned char qemu_stream_head[QEMU_STREAM_HEAD];

/* What a stream is made of. */
struct qemu_stream {
	const char *machine;		/* type of the machine, versioned */
	pid_t pid;			/* QEMU's, to read blocks from */
	const struct qemu_blocks *blocks;
	const struct qemu_ahead *ahead;	/* what went of them already */
	const unsigned char *devices;	/* of xen-save-devices-state */
	size_t devices_size;
};

/* A stream that came, without what QEMU has read of it already. */
struct qemu_rest {
	void *map;			/* owned */
	size_t map_size;
	const char *bytes;
	size_t size;
};

int qemu_rest_open(int state_fd, bool first, struct qemu_rest *rest,
		   struct fail *fail);
void qemu_rest_close(struct qemu_rest *rest);

int qemu_stream_ahead(const struct qemu_stream *stream,
		      struct qemu_ahead **ahead, int *fd, struct fail *fail);
void qemu_ahead_free(struct qemu_ahead *ahead);
int qemu_stream_rest(const struct qemu_stream *stream, int *fd,
		     struct fail *fail);

#endif
