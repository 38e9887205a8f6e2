// SPDX-License-Identifier: LGPL-2.1-or-later
/* client.c - bounded buffers between a socket and the verbs. */
#include "tools/vmm/client.h"

#include <stdlib.h>
#include <string.h>

#include "sys.h"

/**
 * client_init() - a new connection
 * @client: filled
 * @fd: non-blocking socket, owned from here on
 */
void client_init(struct client *client, int fd)
{
	*client = (struct client){ .fd = fd, .out_fd = -1 };
}

/**
 * client_close() - end a connection and free its place
 * @client: open or not
 */
void client_close(struct client *client)
{
	if (client->fd < 0)
		return;
	while (client->fd_count)
		close(client->fds[--client->fd_count]);
	if (client->out_fd >= 0)
		close(client->out_fd);
	free(client->in);
	free(client->out);
	close(client->fd);
	client_init(client, -1);
}

static int keep_fds(struct client *client, struct msghdr *msg)
{
	int ret = msg->msg_flags & MSG_CTRUNC ? -E2BIG : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		int *fds = (int *)CMSG_DATA(c);
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (client->fd_count < CLIENT_FDS_MAX) {
				client->fds[client->fd_count++] = fds[i];
			} else {
				close(fds[i]);
				ret = -E2BIG;
			}
		}
	}
	return ret;
}

/**
 * client_read() - take what the peer sent
 * @client: not waiting for an answer
 *
 * Return: 0, -EPIPE at the end, -E2BIG for a line or descriptors beyond the
 * limits, or -errno.
 */
int client_read(struct client *client)
{
	union {
		char bytes[CMSG_SPACE(CLIENT_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	if (!client->in)
		client->in = malloc(CLIENT_LINE_MAX);
	if (!client->in)
		return -ENOMEM;
	/* Once for all lines that came together: there may be many. */
	client->in_used -= client->in_taken;
	memmove(client->in, client->in + client->in_taken, client->in_used);
	client->in_taken = 0;
	if (client->in_used == CLIENT_LINE_MAX)
		return -E2BIG;
	iov.iov_base = client->in + client->in_used;
	iov.iov_len = CLIENT_LINE_MAX - client->in_used;
	got = sys_retry(recvmsg(client->fd, &msg, MSG_CMSG_CLOEXEC));
	if (got == -EAGAIN)
		return 0;
	if (got <= 0)
		return got ? (int)got : -EPIPE;
	client->in_used += (size_t)got;
	return keep_fds(client, &msg);
}

/**
 * client_line() - the first whole line that was received
 * @client: open
 * @length: receives its length without the newline
 * @used: receives what client_consume() is to be told
 *
 * Return: the line, ended by NUL, or NULL when none is complete.
 */
char *client_line(struct client *client, size_t *length, size_t *used)
{
	size_t left = client->in_used - client->in_taken;
	char *line = left ? client->in + client->in_taken : NULL;
	char *end = left ? memchr(line, '\n', left) : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	*length = (size_t)(end - line);
	*used = *length + 1;
	return line;
}

/**
 * client_consume() - a line was dealt with
 * @client: open
 * @used: of client_line()
 */
void client_consume(struct client *client, size_t used)
{
	client->in_taken += used;
}

/**
 * client_take_fd() - the oldest descriptor that was received
 * @client: open
 *
 * Return: a descriptor that the caller owns, or -1.
 */
int client_take_fd(struct client *client)
{
	int fd;

	if (!client->fd_count)
		return -1;
	fd = client->fds[0];
	client->fd_count--;
	memmove(client->fds, client->fds + 1,
		client->fd_count * sizeof(client->fds[0]));
	return fd;
}

/**
 * client_answer() - queue the answer to the request under way
 * @client: has no answer under way
 * @text: one line without newline; copied
 * @fd: goes with it, owned from here on; -1: none
 *
 * Return: 0 or -ENOMEM.
 */
int client_answer(struct client *client, const char *text, int fd)
{
	size_t length = strlen(text);
	char *out = malloc(length + 1);

	if (!out) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	memcpy(out, text, length);
	out[length] = '\n';
	client->out = out;
	client->out_size = length + 1;
	client->out_sent = 0;
	client->out_fd = fd;
	client->waits = false;
	return 0;
}

static ssize_t send_some(const struct client *client)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {
		.iov_base = client->out + client->out_sent,
		.iov_len = client->out_size - client->out_sent,
	};
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (client->out_fd >= 0) {
		memset(&control, 0, sizeof(control));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &client->out_fd,
		       sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	return sys_retry(sendmsg(client->fd, &msg, MSG_NOSIGNAL));
}

/**
 * client_flush() - send as much of the answer as the socket takes
 * @client: open
 *
 * Return: 0, also when some is left; -errno when the connection is gone.
 */
int client_flush(struct client *client)
{
	while (client->out) {
		ssize_t sent = send_some(client);

		if (sent == -EAGAIN)
			return 0;
		if (sent < 0)
			return (int)sent;
		if (client->out_fd >= 0)
			close(client->out_fd);
		client->out_fd = -1;
		client->out_sent += (size_t)sent;
		if (client->out_sent < client->out_size)
			continue;
		free(client->out);
		client->out = NULL;
	}
	return 0;
}
