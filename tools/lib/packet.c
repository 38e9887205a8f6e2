/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packet.c - send and receive packets between the agent and its workers. */
#include <json-c/json.h>
#include <string.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "utf8.h"

#define PACKET_MAX	65536	/* bytes of JSON */

union passed_fd {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

/**
 * packet_send() - send one object as one packet
 * @fd: SOCK_SEQPACKET; waits as its O_NONBLOCK says
 * @object: what to send
 * @passed: descriptor that goes along (and stays open here), or -1
 *
 * Text in it that is no UTF-8 arrives with question marks.
 *
 * Return: 0, -EMSGSIZE (longer than 64 KiB), -EPIPE, -EAGAIN or -errno.
 */
int packet_send(int fd, struct json_object *object, int passed)
{
	size_t length;
	const char *text = json_object_to_json_string_length(object,
					JSON_C_TO_STRING_PLAIN, &length);
	struct iovec iov = { .iov_base = (void *)text, .iov_len = length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union passed_fd control = { .buf = { 0 } };
	ssize_t sent;

	if (length > PACKET_MAX)
		return -EMSGSIZE;
	/* The other end breaks off at what is no UTF-8. */
	utf8_mend((char *)(uintptr_t)text);
	if (passed >= 0) {
		struct cmsghdr *header;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &passed, sizeof(int));
	}
	sent = sys_retry(sendmsg(fd, &msg, MSG_NOSIGNAL));
	return sent < 0 ? (int)sent : 0;
}

/*
 * The kernel hands over as many as the room with its padding holds: two. One is
 * taken, none of several.
 */
static int passed_take(struct msghdr *msg, int *passed)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fds[sizeof(union passed_fd) / sizeof(int)];
	size_t count, i;

	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	if (count == 1) {
		*passed = fds[0];
		return 0;
	}
	for (i = 0; i < count; i++)
		close(fds[i]);
	return -EPROTO;
}

/**
 * packet_receive() - receive one object
 * @fd: SOCK_SEQPACKET; waits as its O_NONBLOCK says
 * @object: receives it, the caller's; unchanged on error
 * @passed: receives the descriptor that came along (close-on-exec), or -1;
 * NULL: none is expected, one that comes is closed
 *
 * Return: 0, -EPIPE at end of file, -EAGAIN, -EPROTO (no JSON object, one that
 * was cut, or several descriptors), or -errno.
 */
int packet_receive(int fd, struct json_object **object, int *passed)
{
	__cleanup_free char *text = malloc(PACKET_MAX);
	struct iovec iov = { .iov_base = text, .iov_len = PACKET_MAX };
	union passed_fd control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	__cleanup_fd int came = -1;
	ssize_t got;
	int ret;

	if (!text)
		return -ENOMEM;
	got = sys_retry(recvmsg(fd, &msg, MSG_CMSG_CLOEXEC));
	if (got < 0)
		return (int)got;
	ret = passed_take(&msg, &came);
	if (ret)
		return ret;
	if (!got)
		return -EPIPE;
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return -EPROTO;
	ret = json_parse(text, (size_t)got, object);
	if (ret)
		return ret;
	if (passed)
		*passed = take_fd(&came);
	return 0;
}
