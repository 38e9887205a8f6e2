/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tune.c - what a socket is told about the lane it carries.
 *
 * A fault must not queue behind bulk, in the socket, in the qdisc or on the
 * way: push lanes keep little unsent and little in flight, and all lanes mark
 * their packets. A dead peer is noticed by TCP itself, too, in case the lane's
 * own heartbeat has nobody left to miss it.
 */
#include <linux/pkt_sched.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include "protocol/tls.h"
#include "sys.h"

#define PUSH_NOTSENT		(256 << 10)	/* bytes written, not sent */
#define PUSH_BUFFER		(512 << 10)	/* bytes, on short paths */
#define PUSH_SHORT_US		2000		/* round trip of a short path */

struct lane_tuning {
	int priority;		/* SO_PRIORITY: the band of a qdisc */
	int dscp;		/* as IP_TOS wants it: shifted by 2 */
	int user_timeout_ms;	/* unacknowledged or unaccepted for so long */
	bool bulk;
};

static const struct lane_tuning tunings[] = {
	[ROLE_CONTROL] = {
		.priority = TC_PRIO_INTERACTIVE,
		.dscp = 0xa0,			/* CS5: signalling */
		.user_timeout_ms = 20000,
	},
	[ROLE_FAULT] = {
		.priority = TC_PRIO_INTERACTIVE,
		.dscp = 0xb8,			/* EF: low latency */
		.user_timeout_ms = 20000,
	},
	[ROLE_PUSH] = {
		.priority = TC_PRIO_BULK,
		.dscp = 0x20,			/* CS1: lower effort */
		.user_timeout_ms = 60000,	/* back-pressure is no cut */
		.bulk = true,
	},
	[ROLE_STORAGE] = {
		.priority = TC_PRIO_BULK,
		.dscp = 0x20,			/* CS1 */
		.user_timeout_ms = 20000,	/* QEMU waits at the end of it */
		.bulk = true,
	},
};

static int option_set(int fd, int level, int name, int value)
{
	return sys_ret(setsockopt(fd, level, name, &value, sizeof(value)));
}

/*
 * The send buffer bounds what is in flight, and so the queue that bulk builds
 * on the way. On a long path that would bound the rate; there the kernel goes
 * on sizing it.
 */
static int tune_bulk(int fd)
{
	struct tcp_info info = { .tcpi_rtt = 0 };
	socklen_t size = sizeof(info);
	int ret;

	ret = option_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, PUSH_NOTSENT);
	if (ret)
		return ret;
	ret = sys_ret(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	if (ret || info.tcpi_rtt > PUSH_SHORT_US)
		return ret;
	return option_set(fd, SOL_SOCKET, SO_SNDBUF, PUSH_BUFFER);
}

static int tune_liveness(int fd, int user_timeout_ms)
{
	int ret;

	ret = option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout_ms);
	if (!ret)
		ret = option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (!ret)
		ret = option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
	if (!ret)
		ret = option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	if (!ret)
		ret = option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	return ret;
}

static int tune_priority(int fd, int family, const struct lane_tuning *tuning)
{
	int ret;

	if (family == AF_INET6)
		ret = option_set(fd, IPPROTO_IPV6, IPV6_TCLASS, tuning->dscp);
	else
		ret = option_set(fd, IPPROTO_IP, IP_TOS, tuning->dscp);
	/* After IP_TOS, which sets a priority of its own. */
	return ret ?: option_set(fd, SOL_SOCKET, SO_PRIORITY, tuning->priority);
}

/**
 * channel_congestion() - how a lane's sender is to find the rate of the path
 * @role: what it carries
 *
 * bbr, many a host's default, spreads what is sent over the time that it
 * believes the path takes: milliseconds for a device state, on a link that
 * carries that in one. It suits bulk, and not what is waited for. A socket
 * that began with bbr goes on pacing, so that this is for a new one.
 *
 * Return: a name for TCP_CONGESTION, or NULL: the host's choice.
 */
const char *channel_congestion(enum channel_role role)
{
	return tunings[role].bulk ? NULL : "cubic";
}

/**
 * channel_tune() - set a channel's socket up for what it carries
 * @channel: which; sockets that are not TCP are left as they are
 * @role: what it carries
 *
 * Return: 0 or -errno of the first option that was refused.
 */
int channel_tune(struct channel *channel, enum channel_role role)
{
	const struct lane_tuning *tuning = &tunings[role];
	socklen_t size = sizeof(int);
	int fd = channel->fd, family = AF_UNSPEC, ret;

	ret = sys_ret(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size));
	if (ret || (family != AF_INET && family != AF_INET6))
		return ret;
	ret = option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!ret)
		ret = tune_priority(fd, family, tuning);
	if (!ret)
		ret = tune_liveness(fd, tuning->user_timeout_ms);
	if (!ret && tuning->bulk)
		ret = tune_bulk(fd);
	return ret;
}
