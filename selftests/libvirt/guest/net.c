// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * net.c - an address for eth0, and an echo server on TCP port 7 (RFC 862).
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sys.h"
#include "guest.h"

#define INTERFACE	"eth0"
#define CARRIER_WAIT_MS	5000
#define ECHO_PORT	7
#define CONNECTIONS	256
#define ECHO_SIZE	4096u

static struct {
	int listener;			/* set once */
	_Atomic int connections;
} net;

static int interface_call(int fd, const char *name, unsigned long request,
			  const void *value, size_t size)
{
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	memcpy(&ifr.ifr_ifru, value, size);
	return sys_ret(ioctl(fd, request, &ifr));
}

static int interface_up(int fd, const char *name)
{
	short flags = IFF_UP | IFF_RUNNING;

	return interface_call(fd, name, SIOCSIFFLAGS, &flags, sizeof(flags));
}

static bool interface_runs(int fd, const char *name)
{
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	return !ioctl(fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_RUNNING;
}

/*
 * The driver sees the carrier in the background; what comes before that is
 * lost, and whoever sent it waits seconds before it does so again.
 */
static int interface_wait(int fd, const char *name)
{
	struct sockaddr_nl links = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK,
	};
	char message[8192];
	int ret, watch = sys_ret(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
					NETLINK_ROUTE));

	if (watch < 0)
		return watch;
	ret = sys_ret(bind(watch, (struct sockaddr *)&links, sizeof(links)));
	while (!ret && !interface_runs(fd, name)) {
		ret = sys_wait_fd(watch, POLLIN, CARRIER_WAIT_MS);
		if (!ret)
			sys_retry(recv(watch, message, sizeof(message), 0));
	}
	close(watch);
	return ret;
}

/* "10.0.0.2/24" */
static int address_parse(struct in_addr *address, struct in_addr *mask)
{
	char text[sizeof(config.ip)];
	uint64_t length = 32;
	char *slash;

	strcpy(text, config.ip);
	slash = strchr(text, '/');
	if (slash) {
		*slash = '\0';
		if (!number_parse(slash + 1, &length))
			return -EINVAL;
	}
	if (length > 32 || inet_pton(AF_INET, text, address) != 1)
		return -EINVAL;
	mask->s_addr = length ? htonl(UINT32_MAX << (32 - length)) : 0;
	return 0;
}

static int address_set(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sockaddr_in mask = { .sin_family = AF_INET };
	int ret = address_parse(&address.sin_addr, &mask.sin_addr);

	if (!ret)
		ret = interface_call(fd, INTERFACE, SIOCSIFADDR, &address,
				     sizeof(address));
	if (!ret)
		ret = interface_call(fd, INTERFACE, SIOCSIFNETMASK, &mask,
				     sizeof(mask));
	if (!ret)
		ret = interface_up(fd, INTERFACE);
	return ret ? ret : interface_wait(fd, INTERFACE);
}

static void *connection_run(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[ECHO_SIZE];

	for (;;) {
		ssize_t got = sys_retry(recv(fd, buf, sizeof(buf), 0));

		if (got <= 0 || sys_write_all(fd, buf, (size_t)got))
			break;
		counters.echo++;
	}
	close(fd);
	net.connections--;
	return NULL;
}

static void *listener_run(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = sys_retry(accept4(net.listener, NULL, NULL, SOCK_CLOEXEC));

		if (fd < 0) {
			report_error(fd, "accept");
			return NULL;
		}
		if (++net.connections > CONNECTIONS) {
			close(fd);
			net.connections--;
			continue;
		}
		thread_start("echo", connection_run, (void *)(intptr_t)fd);
	}
}

static int listener_create(void)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = htons(ECHO_PORT),
	};
	int ret;

	net.listener = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (net.listener < 0)
		return net.listener;
	ret = sys_ret(bind(net.listener, (struct sockaddr *)&any, sizeof(any)));
	return ret ? ret : sys_ret(listen(net.listener, CONNECTIONS));
}

/**
 * net_start() - bring the interfaces up and start the echo server
 */
void net_start(void)
{
	int fd = sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int ret;

	if (fd < 0) {
		report_error(fd, "socket");
		return;
	}
	interface_up(fd, "lo");
	ret = config.ip[0] ? address_set(fd) : 0;
	close(fd);
	if (ret)
		report_error(ret, "straddle.ip=%s at " INTERFACE, config.ip);
	ret = listener_create();
	if (ret)
		report_error(ret, "echo server");
	else
		thread_start("listener", listener_run, NULL);
}
