/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.h - what the files of this folder share. */
#ifndef STRADDLE_NET_SOCKET_H
#define STRADDLE_NET_SOCKET_H

#include <netlink/netlink.h>

struct rtnl_link;

struct net {
	struct nl_sock *route;	/* NETLINK_ROUTE */
	int datagram;		/* for ioctl()s on links */
};

int net_errno(int nle);
int route_socket_open(struct nl_sock **sock);

#endif
