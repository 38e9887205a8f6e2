// SPDX-License-Identifier: LGPL-2.1-or-later
/* bridge.c - wait until a port of a bridge forwards. */
#include <linux/if_bridge.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <string.h>

#include "net.h"
#include "socket.h"
#include "sys.h"

#define NS_PER_MS	1000000ull

static void nothing(void *arg, const struct net_event *event)
{
	(void)arg;
	(void)event;
}

/* The state of a port; -ENODEV: the link is none. */
static int port_state(struct net *net, const char *name)
{
	struct rtnl_link *link;
	struct nl_cache *ports;
	int ret = net_errno(rtnl_link_alloc_cache(net->route, AF_BRIDGE, &ports));

	if (ret)
		return ret;
	link = rtnl_link_get_by_name(ports, name);
	ret = link && rtnl_link_get_master(link)
		? rtnl_link_bridge_get_port_state(link) : -ENODEV;
	rtnl_link_put(link);
	nl_cache_free(ports);
	return ret;
}

static int forwards_wait(struct net *net, struct net_watch *watch,
			 const char *name, int timeout_ms)
{
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * NS_PER_MS;

	for (;;) {
		int state = port_state(net, name), ret;
		uint64_t now = now_ns();

		if (state == BR_STATE_FORWARDING || state == -ENODEV)
			return 0;
		if (state < 0)
			return state;
		if (now >= end_ns)
			return -ETIMEDOUT;
		ret = sys_wait_fd(net_watch_fd(watch), POLLIN,
				  (int)((end_ns - now) / NS_PER_MS) + 1);
		if (!ret)
			ret = net_watch_dispatch(watch);
		if (ret && ret != -ETIMEDOUT && ret != -ENOBUFS)
			return ret;
	}
}

/**
 * net_bridge_wait() - wait until a bridge port forwards
 * @name: of a link in this namespace; one that is no port is fine
 * @timeout_ms: at most so long: a bridge with STP takes its time
 * @fail: says what went wrong
 *
 * Return: 0, -ETIMEDOUT (it does not forward yet) or -errno.
 */
int net_bridge_wait(const char *name, int timeout_ms, struct fail *fail)
{
	struct net_watch *watch = NULL;
	struct net *net;
	int ret = net_open(&net, fail);

	if (ret)
		return ret;
	/* First the news, then the look: nothing falls between the two. */
	ret = net_watch_create(&watch, -1, nothing, NULL, fail);
	if (!ret)
		ret = forwards_wait(net, watch, name, timeout_ms);
	net_watch_destroy(watch);
	net_close(net);
	return ret ? fail_set(fail, ret, "bridge port %s does not forward: %s",
			      name, strerror(-ret)) : 0;
}
