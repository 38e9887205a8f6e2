// SPDX-License-Identifier: LGPL-2.1-or-later
/* lane_plain.c - a lane over a plain stream socket. */
#include <errno.h>
#include <stdlib.h>

#include "copy/lane.h"
#include "sys.h"

static int plain_fd(const void *connection)
{
	return *(const int *)connection;
}

static ssize_t plain_sendv_some(void *connection, const struct iovec *parts,
				int count)
{
	struct msghdr message = {
		.msg_iov = (struct iovec *)parts,
		.msg_iovlen = (size_t)count,
	};

	return sys_retry(sendmsg(plain_fd(connection), &message,
				 MSG_NOSIGNAL | MSG_DONTWAIT));
}

static ssize_t plain_receive_some(void *connection, void *buf, size_t size)
{
	return sys_retry(recv(plain_fd(connection), buf, size, MSG_DONTWAIT));
}

static void plain_shutdown(void *connection)
{
	shutdown(plain_fd(connection), SHUT_RDWR);
}

static void plain_close(void *connection)
{
	close(plain_fd(connection));
	free(connection);
}

static const struct lane_ops plain_ops = {
	.sendv_some = plain_sendv_some,
	.receive_some = plain_receive_some,
	.shutdown = plain_shutdown,
	.close = plain_close,
};

/**
 * lane_create_plain() - put a lane on a plain stream socket
 * @fd: owned by the lane, and closed when this fails
 * @role: of the lane
 * @index: within its role
 * @map: the regions that frames may name; outlives the lane
 * @lane: receives the lane; lane_destroy() frees it
 *
 * Return: 0 or -ENOMEM.
 */
int lane_create_plain(int fd, enum lane_role role, unsigned int index,
		      struct region_map *map, struct lane **lane)
{
	int *connection = malloc(sizeof(*connection));
	int ret = -ENOMEM;

	if (connection) {
		*connection = fd;
		ret = lane_create(&plain_ops, connection, fd, role, index, map,
				  lane);
	}
	if (ret < 0) {
		free(connection);
		close(fd);
	}
	return ret;
}
