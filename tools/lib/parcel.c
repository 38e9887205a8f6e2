/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parcel.c - a message and some descriptors over a Unix SOCK_SEQPACKET. */
#include <string.h>

#include "sys.h"
#include "tools/lib/parcel.h"

union parcel_control {
	struct cmsghdr header;
	char room[CMSG_SPACE(PARCEL_FDS_MAX * sizeof(int))];
};

/**
 * parcel_fds_close() - close what came with a packet
 * @fds: the descriptors; none are left in it
 */
void parcel_fds_close(struct parcel_fds *fds)
{
	while (fds->count)
		close(fds->fd[--fds->count]);
}

/**
 * parcel_send() - send one message
 * @socket: a SOCK_SEQPACKET Unix socket
 * @data: the message
 * @size: its bytes
 * @fds: descriptors to go with it, not closed; or NULL
 *
 * Return: 0 or -errno; -EPIPE: nobody is there any more.
 */
int parcel_send(int socket, const void *data, size_t size,
		const struct parcel_fds *fds)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	union parcel_control control = { .header = { .cmsg_len = 0 } };
	ssize_t ret;

	if (fds && fds->count) {
		size_t bytes = fds->count * sizeof(int);

		control.header.cmsg_len = CMSG_LEN(bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), fds->fd, bytes);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(bytes);
	}
	ret = sys_retry(sendmsg(socket, &message, MSG_NOSIGNAL));
	return ret < 0 ? (int)ret : 0;
}

static void take_fds(struct msghdr *message, struct parcel_fds *fds)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t bytes;

	fds->count = 0;
	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return;
	bytes = header->cmsg_len - CMSG_LEN(0);
	fds->count = (unsigned int)(bytes / sizeof(int));
	memcpy(fds->fd, CMSG_DATA(header), fds->count * sizeof(int));
}

/**
 * parcel_receive() - wait for one message
 * @socket: a SOCK_SEQPACKET Unix socket
 * @data: receives the message
 * @size: room
 * @fds: receives the descriptors that came with it; the caller closes them,
 *	also after an error
 *
 * Return: its bytes; 0: the other end is closed; -EMSGSIZE: larger than
 * @size, or more descriptors than a packet may have; or -errno.
 */
int parcel_receive(int socket, void *data, size_t size,
		   struct parcel_fds *fds)
{
	struct iovec iov = { data, size };
	union parcel_control control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret;

	fds->count = 0;
	ret = sys_retry(recvmsg(socket, &message, MSG_CMSG_CLOEXEC));
	if (ret < 0)
		return (int)ret;
	take_fds(&message, fds);
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EMSGSIZE;
	return (int)ret;
}
