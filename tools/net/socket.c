/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.c - netlink sockets, of this namespace or another one. */
#include <netlink/errno.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "netns.h"
#include "socket.h"
#include "sys.h"

static const int errnos[NLE_MAX + 1] = {
	[NLE_FAILURE] = EIO,		[NLE_INTR] = EINTR,
	[NLE_BAD_SOCK] = EBADF,		[NLE_AGAIN] = EAGAIN,
	[NLE_NOMEM] = ENOMEM,		[NLE_EXIST] = EEXIST,
	[NLE_INVAL] = EINVAL,		[NLE_RANGE] = ERANGE,
	[NLE_MSGSIZE] = EMSGSIZE,	[NLE_OPNOTSUPP] = EOPNOTSUPP,
	[NLE_AF_NOSUPPORT] = EAFNOSUPPORT, [NLE_OBJ_NOTFOUND] = ENOENT,
	[NLE_NOATTR] = ENOENT,		[NLE_MISSING_ATTR] = EINVAL,
	[NLE_AF_MISMATCH] = EAFNOSUPPORT, [NLE_SEQ_MISMATCH] = EPROTO,
	[NLE_MSG_OVERFLOW] = EMSGSIZE,	[NLE_MSG_TRUNC] = EMSGSIZE,
	[NLE_NOADDR] = EADDRNOTAVAIL,	[NLE_SRCRT_NOSUPPORT] = EOPNOTSUPP,
	[NLE_MSG_TOOSHORT] = EPROTO,	[NLE_MSGTYPE_NOSUPPORT] = EOPNOTSUPP,
	[NLE_OBJ_MISMATCH] = EINVAL,	[NLE_NOCACHE] = ENOENT,
	[NLE_BUSY] = EBUSY,		[NLE_PROTO_MISMATCH] = EPROTO,
	[NLE_NOACCESS] = EACCES,	[NLE_PERM] = EPERM,
	[NLE_PKTLOC_FILE] = ENOENT,	[NLE_PARSE_ERR] = EPROTO,
	[NLE_NODEV] = ENODEV,		[NLE_IMMUTABLE] = EPERM,
	[NLE_DUMP_INTR] = EAGAIN,	[NLE_ATTRSIZE] = EMSGSIZE,
};

/**
 * net_errno() - translate what a libnl function returned
 * @nle: 0, a count, or -NLE_*
 *
 * Return: @nle where it is no error, else -errno.
 */
int net_errno(int nle)
{
	if (nle >= 0)
		return nle;
	if (nle < -NLE_MAX || !errnos[-nle])
		return -EIO;
	return -errnos[-nle];
}

/**
 * route_socket_open() - open a netlink socket in this thread's namespace
 * @sock: receives it; nl_socket_free() closes and frees it
 *
 * Return: 0 or -errno.
 */
int route_socket_open(struct nl_sock **sock)
{
	struct nl_sock *opened = nl_socket_alloc();
	int ret;

	if (!opened)
		return -ENOMEM;
	ret = net_errno(nl_connect(opened, NETLINK_ROUTE));
	if (ret < 0) {
		nl_socket_free(opened);
		return ret;
	}
	*sock = opened;
	return 0;
}

static int net_connect(void *arg)
{
	struct net *net = arg;
	int ret;

	net->datagram = sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (net->datagram < 0)
		return net->datagram;
	ret = route_socket_open(&net->route);
	if (ret)
		close(net->datagram);
	return ret;
}

/**
 * net_open_in() - get ready to ask a namespace about its links
 * @net: receives what net_close() frees
 * @netns: the namespace's descriptor, stays the caller's; -1: the caller's own
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_open_in(struct net **net, int netns, struct fail *fail)
{
	struct net *opened = calloc(1, sizeof(*opened));
	int ret;

	if (!opened)
		return fail_set(fail, -ENOMEM, "no memory for a netlink socket");
	ret = netns < 0 ? net_connect(opened) :
			  netns_run(netns, net_connect, opened);
	if (ret) {
		free(opened);
		return fail_set(fail, ret, "cannot open a netlink socket: %s",
				strerror(-ret));
	}
	*net = opened;
	return 0;
}

/**
 * net_open() - as net_open_in(), for the caller's own namespace
 * @net: receives what net_close() frees
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_open(struct net **net, struct fail *fail)
{
	return net_open_in(net, -1, fail);
}

/**
 * net_close() - undo net_open()
 * @net: may be NULL
 */
void net_close(struct net *net)
{
	if (!net)
		return;
	nl_socket_free(net->route);
	close(net->datagram);
	free(net);
}
