// SPDX-License-Identifier: LGPL-2.1-or-later
/* talk.c - a client of the guest's echo server (RFC 862). */
#include "talk.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "show.h"
#include "sys.h"
#include "tools/net/netns.h"

#define ECHO_PORT	7
#define ECHO_BYTES	64
#define ANSWER_MS	30000
#define TRY_MS		20

/* In the network namespace of the client; the socket stays there. */
static int echo_connect(void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ECHO_PORT) };
	int ret, fd = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return fd;
	inet_pton(AF_INET, arg, &address.sin_addr);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int answer_read(int fd, char *answer)
{
	size_t got = 0;

	while (got < ECHO_BYTES) {
		int ret = sys_wait_fd(fd, POLLIN, ANSWER_MS);
		ssize_t part;

		if (ret)
			return ret;
		part = sys_retry(recv(fd, answer + got, ECHO_BYTES - got, 0));
		if (part <= 0)
			return part ? (int)part : -EPIPE;
		got += (size_t)part;
	}
	return 0;
}

static int echo_once(struct talk *talk, uint64_t number)
{
	char asked[ECHO_BYTES] = "", answered[ECHO_BYTES];
	uint64_t began_ns = now_ns(), took_ns;
	ssize_t sent;
	int ret;

	snprintf(asked, sizeof(asked), "question %" PRIu64, number);
	sent = sys_retry(send(talk->fd, asked, sizeof(asked), MSG_NOSIGNAL));
	if (sent < 0)
		return (int)sent;
	ret = answer_read(talk->fd, answered);
	if (ret)
		return ret;
	if (memcmp(asked, answered, sizeof(asked)))
		return -EBADMSG;
	took_ns = now_ns() - began_ns;
	if (took_ns > talk->longest_ns)
		talk->longest_ns = took_ns;
	talk->answers++;
	return 0;
}

static void *talk_main(void *arg)
{
	struct talk *talk = arg;
	uint64_t number = 0;

	while (!talk->over && !talk->broken)
		talk->broken = echo_once(talk, number++);
	return NULL;
}

/**
 * talk_start() - connect to a guest, and ask it one thing after the other
 * @talk: all of it is set; talk_end() when it was started
 * @netns: of the client
 * @address: of the guest
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int talk_start(struct talk *talk, int netns, const char *address,
	       struct fail *fail)
{
	int ret;

	memset(talk, 0, sizeof(*talk));
	talk->fd = netns_run(netns, echo_connect, (void *)address);
	if (talk->fd < 0)
		return fail_set(fail, talk->fd, "cannot connect to the guest at %s: %s",
				address, strerror(-talk->fd));
	ret = -pthread_create(&talk->thread, NULL, talk_main, talk);
	if (!ret)
		return 0;
	close(talk->fd);
	talk->fd = -1;
	return fail_set(fail, ret, "no thread for the client");
}

/**
 * talk_go_on() - wait until more questions were answered
 * @talk: started
 * @more: how many, at least
 * @fail: says why not
 *
 * Return: 0, -EINTR, or what broke the connection.
 */
int talk_go_on(const struct talk *talk, uint64_t more, struct fail *fail)
{
	uint64_t goal = talk->answers + more;

	while (talk->answers < goal && !talk->broken) {
		if (show_interrupted())
			return -EINTR;
		poll(NULL, 0, TRY_MS);
	}
	return talk->broken ? fail_set(fail, talk->broken,
				       "the client's TCP connection broke: %s",
				       strerror(-talk->broken)) : 0;
}

/**
 * talk_end() - hang up
 * @talk: started, or zeros
 */
void talk_end(struct talk *talk)
{
	if (talk->fd <= 0)
		return;
	talk->over = true;
	shutdown(talk->fd, SHUT_RDWR);
	pthread_join(talk->thread, NULL);
	close(talk->fd);
	talk->fd = -1;
}
