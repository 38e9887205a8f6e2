// SPDX-License-Identifier: LGPL-2.1-or-later
/* ping.c - send echo requests (RFC 792) at a pace, note when answers come. */
#include "ping.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#include "sys.h"
#include "tools/net/netns.h"

#define IDENTITY	0x5354		/* ours among all that ping */

/* In the network namespace of the client; the socket stays there. */
static int raw_connect(void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int ret, fd = sys_ret(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
				     IPPROTO_ICMP));

	if (fd < 0)
		return fd;
	inet_pton(AF_INET, arg, &address.sin_addr);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* RFC 1071, of an even number of bytes. */
static uint16_t checksum(const void *bytes, size_t size)
{
	const uint16_t *words = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < size / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

static void request_send(int fd, uint16_t number)
{
	struct icmphdr request = {
		.type = ICMP_ECHO,
		.un.echo = { .id = htons(IDENTITY), .sequence = htons(number) },
	};

	request.checksum = checksum(&request, sizeof(request));
	/* What is not sent is not answered; that counts. */
	sys_retry(send(fd, &request, sizeof(request), MSG_NOSIGNAL));
}

static bool is_answer(const char *packet, ssize_t size)
{
	size_t header = (size_t)(packet[0] & 0xf) * 4;
	struct icmphdr answer;

	if (size < (ssize_t)(header + sizeof(answer)))
		return false;
	memcpy(&answer, packet + header, sizeof(answer));
	return answer.type == ICMP_ECHOREPLY &&
	       answer.un.echo.id == htons(IDENTITY);
}

static void answer_note(struct ping *ping)
{
	uint64_t now = now_ns();

	pthread_mutex_lock(&ping->lock);
	if (ping->last_ns && now - ping->last_ns > ping->longest_ns)
		ping->longest_ns = now - ping->last_ns;
	ping->last_ns = now;
	ping->answers++;
	pthread_mutex_unlock(&ping->lock);
}

static void answers_read(struct ping *ping)
{
	char packet[256];
	ssize_t got;

	do {
		got = sys_retry(recv(ping->fd, packet, sizeof(packet), 0));
		if (got > 0 && is_answer(packet, got))
			answer_note(ping);
	} while (got > 0);
}

static void *ping_main(void *arg)
{
	struct itimerspec period = {
		.it_value.tv_nsec = PING_PERIOD_MS * 1000000,
		.it_interval.tv_nsec = PING_PERIOD_MS * 1000000,
	};
	struct ping *ping = arg;
	struct pollfd fds[2] = {
		{ .fd = ping->fd, .events = POLLIN },
		{ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), .events = POLLIN },
	};
	uint64_t ticks, number = 0;

	timerfd_settime(fds[1].fd, 0, &period, NULL);
	while (!ping->over && sys_retry(poll(fds, 2, -1)) > 0) {
		if (fds[0].revents)
			answers_read(ping);
		if (fds[1].revents && !sys_read_all(fds[1].fd, &ticks, sizeof(ticks)))
			request_send(ping->fd, (uint16_t)number++);
	}
	close(fds[1].fd);
	return NULL;
}

/**
 * ping_start() - begin to ping a guest
 * @ping: all of it is set; ping_end() when it was started
 * @netns: of the client
 * @address: of the guest
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int ping_start(struct ping *ping, int netns, const char *address,
	       struct fail *fail)
{
	int ret;

	memset(ping, 0, sizeof(*ping));
	pthread_mutex_init(&ping->lock, NULL);
	ping->fd = netns_run(netns, raw_connect, (void *)address);
	if (ping->fd < 0)
		return fail_set(fail, ping->fd, "cannot ping %s: %s", address,
				strerror(-ping->fd));
	ret = -pthread_create(&ping->thread, NULL, ping_main, ping);
	if (!ret)
		return 0;
	close(ping->fd);
	ping->fd = -1;
	return fail_set(fail, ret, "no thread to ping with");
}

/**
 * ping_mark() - forget how long it took so far
 * @ping: started
 */
void ping_mark(struct ping *ping)
{
	pthread_mutex_lock(&ping->lock);
	ping->longest_ns = 0;
	pthread_mutex_unlock(&ping->lock);
}

/**
 * ping_longest_ns() - the longest time without an answer
 * @ping: started
 *
 * Return: nanoseconds between two answers since ping_mark(), or since the
 * last one, if that is longer; UINT64_MAX: there was none at all.
 */
uint64_t ping_longest_ns(struct ping *ping)
{
	uint64_t longest = UINT64_MAX, now;

	pthread_mutex_lock(&ping->lock);
	now = now_ns();
	if (ping->last_ns)
		longest = now - ping->last_ns > ping->longest_ns ?
			now - ping->last_ns : ping->longest_ns;
	pthread_mutex_unlock(&ping->lock);
	return longest;
}

/**
 * ping_end() - stop to ping
 * @ping: started, or zeros
 */
void ping_end(struct ping *ping)
{
	if (ping->fd <= 0)
		return;
	ping->over = true;
	pthread_join(ping->thread, NULL);
	close(ping->fd);
	ping->fd = -1;
}
