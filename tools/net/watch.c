/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch.c - hear of links that come, go, or change, when it happens. */
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/object.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "netns.h"
#include "socket.h"
#include "sys.h"

struct net_watch {
	struct nl_sock *news;
	net_event_fn fn;
	void *arg;
};

static void link_changed(struct nl_object *object, void *arg)
{
	struct rtnl_link *link = (struct rtnl_link *)object;
	unsigned int flags = rtnl_link_get_flags(link);
	const char *name = rtnl_link_get_name(link);
	struct net_watch *watch = arg;
	struct net_event event = {
		.index = rtnl_link_get_ifindex(link),
		.gone = nl_object_get_msgtype(object) == RTM_DELLINK,
		.up = flags & IFF_UP,
		.carrier = flags & IFF_RUNNING,
	};

	snprintf(event.name, sizeof(event.name), "%s", name ? name : "");
	watch->fn(watch->arg, &event);
}

static int message_came(struct nl_msg *msg, void *arg)
{
	nl_msg_parse(msg, link_changed, arg);
	return NL_OK;
}

static int watch_connect(void *arg)
{
	struct net_watch *watch = arg;
	struct nl_sock *news;
	int ret = route_socket_open(&news);

	if (ret)
		return ret;
	nl_socket_disable_seq_check(news);
	nl_socket_modify_cb(news, NL_CB_VALID, NL_CB_CUSTOM, message_came,
			    watch);
	ret = net_errno(nl_socket_set_nonblocking(news));
	if (!ret)
		ret = net_errno(nl_socket_add_memberships(news, RTNLGRP_LINK,
							  0));
	if (ret)
		nl_socket_free(news);
	else
		watch->news = news;
	return ret;
}

/**
 * net_watch_create() - start to hear of the links of a namespace
 * @watch: receives what net_watch_destroy() frees
 * @netns: the namespace, stays the caller's; -1: the caller's own
 * @fn: called by net_watch_dispatch() for each change
 * @arg: for @fn
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_watch_create(struct net_watch **watch, int netns, net_event_fn fn,
		     void *arg, struct fail *fail)
{
	struct net_watch *created = calloc(1, sizeof(*created));
	int ret;

	if (!created)
		return fail_set(fail, -ENOMEM, "no memory to watch the links");
	created->fn = fn;
	created->arg = arg;
	ret = netns < 0 ? watch_connect(created) :
			  netns_run(netns, watch_connect, created);
	if (ret) {
		free(created);
		return fail_set(fail, ret, "cannot watch the network links: %s",
				strerror(-ret));
	}
	*watch = created;
	return 0;
}

/**
 * net_watch_destroy() - undo net_watch_create()
 * @watch: may be NULL
 */
void net_watch_destroy(struct net_watch *watch)
{
	if (!watch)
		return;
	nl_socket_free(watch->news);
	free(watch);
}

/**
 * net_watch_fd() - the descriptor that is readable when there are news
 * @watch: the watch, which keeps it
 *
 * Return: the descriptor, for poll().
 */
int net_watch_fd(const struct net_watch *watch)
{
	return nl_socket_get_fd(watch->news);
}

/**
 * net_watch_dispatch() - call the watch's function for all news there are
 * @watch: the watch
 *
 * Return: 0; -ENOBUFS: news were lost, so read the links you care for; or
 * another -errno.
 */
int net_watch_dispatch(struct net_watch *watch)
{
	int ret;

	do {
		ret = nl_recvmsgs_default(watch->news);
	} while (ret >= 0);
	ret = net_errno(ret);
	if (ret == -EAGAIN)
		return 0;
	return ret == -ENOMEM ? -ENOBUFS : ret;	/* libnl has one for both */
}
