/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* link.c - find a link, read its state, switch it on and off. */
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <string.h>
#include <sys/ioctl.h>

#include "limit.h"
#include "net.h"
#include "socket.h"
#include "sys.h"

/* What the driver says, in bit/s; 0: nothing, or it does not know. */
static uint64_t link_speed(struct net *net, const char *name)
{
	struct ethtool_cmd command = { .cmd = ETHTOOL_GSET };
	struct ifreq request = { .ifr_data = (char *)&command };
	uint32_t speed;

	memcpy(request.ifr_name, name, IFNAMSIZ);
	if (sys_ret(ioctl(net->datagram, SIOCETHTOOL, &request)))
		return 0;
	speed = ethtool_cmd_speed(&command);
	return speed == (uint32_t)SPEED_UNKNOWN ? 0 : speed * 1000000ull;
}

static int link_read(struct net *net, struct rtnl_link *found,
		     struct net_link *link)
{
	unsigned int flags = rtnl_link_get_flags(found);
	struct net_link read = {
		.index = rtnl_link_get_ifindex(found),
		.up = flags & IFF_UP,
		.carrier = flags & IFF_RUNNING,
	};
	int ret;

	snprintf(read.name, sizeof(read.name), "%s", rtnl_link_get_name(found));
	read.speed = link_speed(net, read.name);
	ret = limit_of_link(net, read.index, &read.limit);
	if (!ret)
		*link = read;
	return ret;
}

/* By @index where it is not 0, else by @name. */
static int link_find(struct net *net, int index, const char *name,
		     struct net_link *link, struct fail *fail)
{
	struct rtnl_link *found;
	int ret;

	ret = net_errno(rtnl_link_get_kernel(net->route, index, name, &found));
	if (!ret) {
		ret = link_read(net, found, link);
		rtnl_link_put(found);
	}
	if (ret && name)
		fail_set(fail, ret, "cannot read network link %s: %s", name,
			 strerror(-ret));
	else if (ret)
		fail_set(fail, ret, "cannot read network link %d: %s", index,
			 strerror(-ret));
	return ret;
}

/**
 * net_link_get() - read a link's state by its name
 * @net: the namespace
 * @name: the link's name
 * @link: receives the state
 * @fail: says why not
 *
 * Return: 0 or -errno (-ENODEV: there is no such link).
 */
int net_link_get(struct net *net, const char *name, struct net_link *link,
		 struct fail *fail)
{
	return link_find(net, 0, name, link, fail);
}

static int route_parsed(struct nl_msg *msg, void *arg)
{
	struct rtnl_route *route;
	int *index = arg;

	if (rtnl_route_parse(nlmsg_hdr(msg), &route) < 0)
		return NL_SKIP;
	if (rtnl_route_get_nnexthops(route) > 0)
		*index = rtnl_route_nh_get_ifindex(
					rtnl_route_nexthop_n(route, 0));
	rtnl_route_put(route);
	return NL_OK;
}

static struct nl_msg *route_question(int family, const void *dest, int size)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	struct rtmsg header = {
		.rtm_family = (unsigned char)family,
		.rtm_dst_len = (unsigned char)(size * 8),
	};

	if (!msg)
		return NULL;
	if (nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, RTA_DST, size, dest) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* The index of the link that the kernel would send on; -errno. */
static int route_lookup(struct net *net, int family, const void *dest, int size)
{
	struct nl_msg *msg = route_question(family, dest, size);
	struct nl_cb *callbacks;
	int ret, index = -ENETUNREACH;

	if (!msg)
		return -ENOMEM;
	callbacks = nl_cb_alloc(NL_CB_DEFAULT);
	if (!callbacks) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, route_parsed, &index);
	ret = net_errno(nl_send_auto(net->route, msg));
	if (ret >= 0)
		ret = net_errno(nl_recvmsgs(net->route, callbacks));
	if (ret >= 0)
		ret = net_errno(nl_wait_for_ack(net->route));
	nl_cb_put(callbacks);
	nlmsg_free(msg);
	return ret < 0 ? ret : index;
}

/**
 * net_link_toward() - the link on which bytes for an address leave
 * @net: the namespace
 * @address: IPv4 or IPv6
 * @link: receives the state of the link
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_link_toward(struct net *net, const struct sockaddr *address,
		    struct net_link *link, struct fail *fail)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const void *dest;
	int index, size;

	switch (address->sa_family) {
	case AF_INET:
		dest = &((const struct sockaddr_in *)address)->sin_addr;
		size = sizeof(struct in_addr);
		break;
	case AF_INET6:
		dest = &((const struct sockaddr_in6 *)address)->sin6_addr;
		size = sizeof(struct in6_addr);
		break;
	default:
		return fail_set(fail, -EAFNOSUPPORT,
				"address family %d has no route",
				address->sa_family);
	}
	inet_ntop(address->sa_family, dest, text, sizeof(text));
	index = route_lookup(net, address->sa_family, dest, size);
	if (index < 0)
		return fail_set(fail, index, "no route to %s: %s", text,
				strerror(-index));
	return link_find(net, index, NULL, link, fail);
}

static int link_switch(struct net *net, const char *name, bool up,
		       struct fail *fail)
{
	struct rtnl_link *found = NULL, *change = rtnl_link_alloc();
	int ret = -ENOMEM;

	if (!change)
		goto out;
	ret = net_errno(rtnl_link_get_kernel(net->route, 0, name, &found));
	if (ret)
		goto out;
	if (up)
		rtnl_link_set_flags(change, IFF_UP);
	else
		rtnl_link_unset_flags(change, IFF_UP);
	ret = net_errno(rtnl_link_change(net->route, found, change, 0));
out:
	rtnl_link_put(found);
	rtnl_link_put(change);
	if (ret)
		fail_set(fail, ret, "cannot switch network link %s %s: %s",
			 name, up ? "on" : "off", strerror(-ret));
	return ret;
}

/**
 * net_link_up() - switch a link on
 * @net: the namespace
 * @name: the link's name
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_link_up(struct net *net, const char *name, struct fail *fail)
{
	return link_switch(net, name, true, fail);
}

/**
 * net_link_down() - switch a link off: the other end loses its carrier
 * @net: the namespace
 * @name: the link's name
 * @fail: says why not
 *
 * The kernel forgets the routes over it; net_link_up() brings back the ones
 * that come with the link's addresses.
 *
 * Return: 0 or -errno.
 */
int net_link_down(struct net *net, const char *name, struct fail *fail)
{
	return link_switch(net, name, false, fail);
}

/**
 * net_link_rate() - how fast bytes can leave on a link
 * @link: the link
 *
 * Return: bit/s: its speed, or its limit where that is lower; 0: unknown.
 */
uint64_t net_link_rate(const struct net_link *link)
{
	if (link->limit && (!link->speed || link->limit < link->speed))
		return link->limit;
	return link->speed;
}
