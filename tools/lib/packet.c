/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packet.c - send and receive packets between the agent and its workers. */
#include <json-c/json.h>
#include <string.h>
#include <sys/uio.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"

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

static int passed_take(struct msghdr *msg)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

/**
 * packet_receive() - receive one object
 * @fd: SOCK_SEQPACKET; waits as its O_NONBLOCK says
 * @object: receives it, the caller's; unchanged on error
 * @passed: receives the descriptor that came along (close-on-exec), or -1;
 * NULL: none is expected, one that comes is closed
 *
 * Return: 0, -EPIPE at end of file, -EAGAIN, -EPROTO (no JSON object, or one
 * that was cut), or -errno.
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
	came = passed_take(&msg);
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
