// SPDX-License-Identifier: LGPL-2.1-or-later
/* socket.c - connections between the two hosts. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/bench/site.h"

#define TIMEOUT_MS	10000

static const uint8_t migration[MIGRATION_ID_SIZE] = "straddle-bench";

static struct sockaddr_in dest_address(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(49300),
	};

	inet_pton(AF_INET, DEST_ADDRESS, &address.sin_addr);
	return address;
}

/**
 * socket_listen() - on the dest: take connections from now on
 *
 * Return: the listening socket or -errno.
 */
int socket_listen(void)
{
	struct sockaddr_in address = dest_address();
	int fd = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret, on = 1;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		ret = sys_ret(listen(fd, 16));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/**
 * socket_accept() - the next connection
 * @listener: from socket_listen()
 *
 * Return: a blocking socket or -errno.
 */
int socket_accept(int listener)
{
	int ret = sys_wait_fd(listener, POLLIN, TIMEOUT_MS);

	return ret ?: sys_retry(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

/**
 * socket_connect() - on the source: connect to the dest, which listens
 * @congestion: for TCP_CONGESTION, where the host has it; NULL: the host's choice
 *
 * Return: a blocking socket or -errno.
 */
int socket_connect(const char *congestion)
{
	struct sockaddr_in address = dest_address();
	int fd = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret;

	if (fd < 0)
		return fd;
	if (congestion)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion,
				 (socklen_t)strlen(congestion));
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int channel_open(const struct party *party, int listener, bool tls,
			enum channel_role role, unsigned int index, struct channel **channel)
{
	struct credentials *credentials = tls ? party->site->credentials : NULL;
	struct fail *fail = &party->outcome->fail;
	struct preamble preamble;
	int fd = listener < 0 ? socket_connect(channel_congestion(role)) : socket_accept(listener);
	int ret;

	if (fd < 0)
		return fd;
	if (listener < 0) {
		preamble_init(&preamble, role, index, migration);
		return channel_connect_fd(fd, DEST_ADDRESS, &preamble, credentials, TIMEOUT_MS,
					  channel, fail);
	}
	ret = preamble_receive(fd, TIMEOUT_MS, &preamble, fail);
	if (ret) {
		close(fd);
		return ret;
	}
	return channel_accept(fd, credentials, TIMEOUT_MS, channel, fail);
}

/**
 * channels_open() - as the agents do: preamble, handshake, tuned by role
 * @party: either one; the other calls this at the same time
 * @source: whether this one connects
 * @count: how many channels
 * @tls: with the site's credentials
 * @roles: of each; NULL: leave the sockets as the kernel makes them
 * @channels: receives them; channel_close() frees each
 *
 * Return: 0 or -errno.
 */
int channels_open(const struct party *party, bool source, unsigned int count,
		  bool tls, const enum channel_role *roles,
		  struct channel **channels)
{
	int listener = source ? -1 : socket_listen();
	int ret = !source && listener < 0 ? listener : party_meet(party);
	unsigned int i;

	for (i = 0; i < count && !ret; i++) {
		ret = channel_open(party, listener, tls, roles ? roles[i] : ROLE_PUSH, i,
				   &channels[i]);
		if (!ret && roles)
			ret = channel_tune(channels[i], roles[i]);
	}
	if (listener >= 0)
		close(listener);
	return ret;
}
