/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parcel.h - one message and some descriptors over a Unix SOCK_SEQPACKET. */
#ifndef STRADDLE_PARCEL_H
#define STRADDLE_PARCEL_H

#include <stddef.h>

#define PARCEL_FDS_MAX	4	/* descriptors in one parcel */

struct parcel_fds {
	int fd[PARCEL_FDS_MAX];
	unsigned int count;
};

int parcel_send(int socket, const void *data, size_t size,
		const struct parcel_fds *fds);
int parcel_receive(int socket, void *data, size_t size,
		   struct parcel_fds *fds);
void parcel_fds_close(struct parcel_fds *fds);

#endif
