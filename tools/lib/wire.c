/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire.c - values and descriptors in a buffer, written and read by one function. */
#include "tools/lib/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "sys.h"

#define NO_TEXT		UINT32_MAX

union wire_control {
	struct cmsghdr header;
	char room[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
};

/**
 * wire_init() - get ready to write
 * @wire: receives an empty message
 */
void wire_init(struct wire *wire)
{
	wire->reading = false;
	wire->err = 0;
	wire->data = NULL;
	wire->size = wire->at = wire->room = 0;
	wire->fd_count = wire->fd_at = 0;
}

/**
 * wire_fini() - free it, close what nobody has taken
 * @wire: written or read
 */
void wire_fini(struct wire *wire)
{
	while (wire->fd_at < wire->fd_count)
		close(wire->fds[wire->fd_at++]);
	free(wire->data);
	wire_init(wire);
}

static void failed(struct wire *wire, int err)
{
	if (!wire->err)
		wire->err = err;
}

static void bytes_write(struct wire *wire, const void *bytes, size_t size)
{
	size_t room = wire->room ? wire->room : 4096;
	uint8_t *grown = wire->data;

	if (wire->err || size > WIRE_MAX - wire->size) {
		failed(wire, -EMSGSIZE);
		return;
	}
	while (room < wire->size + size)
		room *= 2;
	if (room != wire->room)
		grown = realloc(wire->data, room);
	if (!grown) {
		failed(wire, -ENOMEM);
		return;
	}
	wire->data = grown;
	wire->room = room;
	memcpy(wire->data + wire->size, bytes, size);
	wire->size += size;
}

/**
 * wire_bytes() - a value without pointers in it
 * @wire: to write to or read from
 * @bytes: the value
 * @size: of it
 */
void wire_bytes(struct wire *wire, void *bytes, size_t size)
{
	if (!size)
		return;
	if (!wire->reading) {
		bytes_write(wire, bytes, size);
		return;
	}
	if (wire->err || size > wire->size - wire->at) {
		failed(wire, -EPROTO);
		memset(bytes, 0, size);
		return;
	}
	memcpy(bytes, wire->data + wire->at, size);
	wire->at += size;
}

/**
 * wire_chars() - a text in an array
 * @wire: to write to or read from
 * @text: the array; what is read has an end
 * @size: of it
 */
void wire_chars(struct wire *wire, char *text, size_t size)
{
	wire_bytes(wire, text, size);
	if (wire->reading)
		text[size - 1] = '\0';
}

/**
 * wire_text() - a text of its own, or none
 * @wire: to write to or read from
 * @text: the text or NULL; what is read is owned by the caller
 * @max: bytes that it may have
 */
void wire_text(struct wire *wire, char **text, size_t max)
{
	uint32_t length = NO_TEXT;

	if (!wire->reading && *text)
		length = (uint32_t)strlen(*text);
	wire_value(wire, &length);
	if (!wire->reading) {
		if (*text)
			wire_bytes(wire, *text, length);
		return;
	}
	*text = NULL;
	if (wire->err || length == NO_TEXT)
		return;
	if (length > max || length > wire->size - wire->at) {
		failed(wire, -EPROTO);
		return;
	}
	*text = malloc(length + 1);
	if (!*text) {
		failed(wire, -ENOMEM);
		return;
	}
	wire_bytes(wire, *text, length);
	(*text)[length] = '\0';
	if (strlen(*text) != length)
		failed(wire, -EPROTO);
}

static int fd_take(struct wire *wire)
{
	if (wire->err || wire->fd_at == wire->fd_count) {
		failed(wire, -EPROTO);
		return -1;
	}
	return wire->fds[wire->fd_at++];
}

static void fd_put(struct wire *wire, int fd)
{
	int copy;

	if (wire->fd_count == WIRE_FDS_MAX) {
		failed(wire, -EMSGSIZE);
		return;
	}
	copy = sys_ret(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (copy < 0)
		failed(wire, copy);
	else
		wire->fds[wire->fd_count++] = copy;
}

/**
 * wire_fd() - a descriptor, or -1
 * @wire: to write to or read from
 * @fd: is copied; what is read is owned by the caller
 */
void wire_fd(struct wire *wire, int *fd)
{
	uint8_t there = !wire->reading && *fd >= 0;

	wire_value(wire, &there);
	if (wire->reading)
		*fd = there ? fd_take(wire) : -1;
	else if (there)
		fd_put(wire, *fd);
}

/**
 * wire_fd_give() - a descriptor that is the wire's from here on
 * @wire: to write to
 * @fd: is closed: the wire has a copy
 */
void wire_fd_give(struct wire *wire, int fd)
{
	wire_fd(wire, &fd);
	close(fd);
}

/**
 * wire_end() - was all of it as it should be?
 * @wire: written or read
 *
 * Return: 0, -EPROTO, or another -errno.
 */
int wire_end(const struct wire *wire)
{
	if (wire->err)
		return wire->err;
	return wire->reading && (wire->at != wire->size || wire->fd_at != wire->fd_count) ?
	       -EPROTO : 0;
}

/**
 * wire_send() - send a message
 * @socket: a stream socket of AF_UNIX
 * @about: its verb and what that is about
 * @wire: written; stays as it is
 *
 * Return: 0 or -errno; then the stream is of no use.
 */
int wire_send(int socket, const struct wire_head *about, const struct wire *wire)
{
	struct wire_head head = *about;
	struct iovec iov[2] = { { &head, sizeof(head) }, { wire->data, wire->size } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	union wire_control control = { .header = { .cmsg_len = 0 } };
	size_t all = sizeof(head) + wire->size;
	ssize_t sent;

	head.size = (uint32_t)wire->size;
	head.fds = wire->fd_count;
	if (wire->fd_count) {
		size_t bytes = wire->fd_count * sizeof(int);

		control.header.cmsg_len = CMSG_LEN(bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), wire->fds, bytes);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(bytes);
	}
	sent = sys_retry(sendmsg(socket, &message, MSG_NOSIGNAL));
	if (sent < (ssize_t)sizeof(head))
		return sent < 0 ? (int)sent : -EPIPE;
	while ((size_t)sent < all) {
		size_t done = (size_t)sent - sizeof(head);
		ssize_t more = sys_retry(send(socket, wire->data + done, wire->size - done,
					      MSG_NOSIGNAL));

		if (more <= 0)
			return more ? (int)more : -EPIPE;
		sent += more;
	}
	return 0;
}

static void fds_take(struct msghdr *message, struct wire *wire)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return;
	wire->fd_count = (unsigned int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(wire->fds, CMSG_DATA(header), wire->fd_count * sizeof(int));
}

static int head_receive(int socket, struct wire_head *head, struct wire *wire)
{
	struct iovec iov = { head, sizeof(*head) };
	union wire_control control;
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t got = sys_retry(recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL));

	if (got <= 0)
		return got ? (int)got : -EPIPE;
	fds_take(&message, wire);
	if (got != (ssize_t)sizeof(*head) || message.msg_flags & MSG_CTRUNC ||
	    head->size > WIRE_MAX || head->fds != wire->fd_count)
		return -EPROTO;
	return 0;
}

/**
 * wire_receive() - wait for a message
 * @socket: a stream socket of AF_UNIX
 * @head: receives its verb and what that is about
 * @wire: receives it, ready to be read; wire_fini() also after an error
 *
 * Return: 0, -EPIPE at end of file, -EPROTO, or another -errno.
 */
int wire_receive(int socket, struct wire_head *head, struct wire *wire)
{
	int ret;

	wire_init(wire);
	wire->reading = true;
	ret = head_receive(socket, head, wire);
	if (ret || !head->size)
		return ret;
	wire->data = malloc(head->size);
	if (!wire->data)
		return -ENOMEM;
	wire->size = head->size;
	return sys_read_all(socket, wire->data, wire->size);
}
