/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packet.h - a message and some descriptors over a Unix SOCK_SEQPACKET. */
#ifndef STRADDLE_PACKET_H
#define STRADDLE_PACKET_H

#include <stddef.h>

#define PACKET_FDS_MAX	4	/* descriptors in one packet */

struct packet_fds {
	int fd[PACKET_FDS_MAX];
	unsigned int count;
};

int packet_send(int socket, const void *data, size_t size,
		const struct packet_fds *fds);
int packet_receive(int socket, void *data, size_t size,
		   struct packet_fds *fds);
void packet_fds_close(struct packet_fds *fds);

#endif
