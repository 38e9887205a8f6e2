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
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#include "protocol/tls.h"
#include "sys.h"

#define PUSH_NOTSENT		(256 << 10)	/* bytes written, not sent */
#define PUSH_BUFFER		(512 << 10)	/* bytes, on short paths */
#define PUSH_SHORT_US		2000		/* round trip of a short path */
#define PUSH_NARROW		(4 << 10)	/* bytes, at the least */
#define PUSH_QUEUE_US		100		/* that others may wait behind */
#define PUSH_LOOK_NS		2000000		/* between two looks at the queue */
#define PUSH_STEPS		16		/* looks, to twice the window */
#define RATE_SMOOTH		8		/* looks that a rate is of */
#define RATE_FORGET		8192		/* looks until the best one is forgotten */

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

static int info_get(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	memset(info, 0, size);
	return sys_ret(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size));
}

/*
 * The send buffer bounds what is in flight, and so the queue that bulk builds
 * on the way. On a long path that would bound the rate; there the kernel goes
 * on sizing it.
 */
static int tune_bulk(struct channel *channel)
{
	struct tcp_info info;
	int ret;

	ret = option_set(channel->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, PUSH_NOTSENT);
	if (!ret)
		ret = info_get(channel->fd, &info);
	if (ret || info.tcpi_rtt > PUSH_SHORT_US)
		return ret;
	channel->window = PUSH_BUFFER;
	return option_set(channel->fd, SOL_SOCKET, SO_SNDBUF, PUSH_BUFFER);
}

/* What arrives, as it is of late, and as it was at its best of late. */
static void rate_note(struct channel *channel, const struct tcp_info *info, uint64_t passed_ns)
{
	double bytes = (double)(info->tcpi_bytes_acked - channel->acked);
	int64_t rate = (int64_t)(bytes * 1e9 / (double)passed_ns);

	channel->acked = info->tcpi_bytes_acked;
	channel->rate += (rate - channel->rate) / RATE_SMOOTH;
	channel->usual -= channel->usual / RATE_FORGET;
	if (channel->usual < channel->rate)
		channel->usual = channel->rate;
}

/*
 * In proportion to the queue that is on the way; back again step by step. A
 * queue that stays although we lose our rate is somebody else's: whoever gave
 * way to it would never get through.
 */
static int window_next(struct channel *channel, uint64_t passed_ns)
{
	int64_t queue_us, window = channel->window;
	struct tcp_info info;

	if (info_get(channel->fd, &info))
		return PUSH_BUFFER;
	rate_note(channel, &info, passed_ns);
	queue_us = (int64_t)info.tcpi_rtt - info.tcpi_min_rtt;
	if (channel->rate < channel->usual / 2)
		window += window / 2;
	else if (queue_us > PUSH_QUEUE_US)
		window = window * PUSH_QUEUE_US / queue_us;
	else
		window += window / PUSH_STEPS;
	if (window < PUSH_NARROW)
		return PUSH_NARROW;
	return window < PUSH_BUFFER ? (int)window : PUSH_BUFFER;
}

/**
 * channel_narrow() - keep less of bulk on the way while somebody is in a hurry
 * @channel: tuned for bulk, of the calling thread
 * @hurry: whether somebody is; else all that was tuned may be on the way
 *
 * The queue is where the path is narrowest, which nobody tells us; what waits
 * in it shows in the round trip. The kernel takes as much as it is offered at
 * once, however little room there is: so no more than the window may be.
 *
 * Return: how many bytes to send at once, 0: any.
 */
size_t channel_narrow(struct channel *channel, bool hurry)
{
	uint64_t now = now_ns();
	int window = channel->window;

	if (window && now - channel->looked_ns > PUSH_LOOK_NS) {
		window = window_next(channel, now - channel->looked_ns);
		channel->looked_ns = now;
		if (!hurry)
			window = PUSH_BUFFER;
		if (window != channel->window)
			(void)option_set(channel->fd, SOL_SOCKET, SO_SNDBUF, window);
		channel->window = window;
	}
	/* The kernel makes it twice as much. */
	return window < PUSH_BUFFER ? 2 * (size_t)window : 0;
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
		ret = tune_bulk(channel);
	return ret;
}
