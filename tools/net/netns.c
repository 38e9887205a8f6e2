/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netns.c - create and enter network namespaces.
 *
 * A thread may be in a namespace of its own (setns(2)), so all that happens
 * in another one happens in a thread that ends with it: nothing to undo.
 */
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "net.h"
#include "netns.h"
#include "socket.h"
#include "sys.h"

struct visit {
	int netns;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

static int run_thread(void *(*start)(void *), struct visit *visit)
{
	pthread_t thread;
	int ret = pthread_create(&thread, NULL, start, visit);

	if (ret)
		return -ret;
	pthread_join(thread, NULL);
	return visit->ret;
}

static void *enter(void *arg)
{
	struct visit *visit = arg;

	visit->ret = sys_ret(setns(visit->netns, CLONE_NEWNET));
	if (!visit->ret)
		visit->ret = visit->fn(visit->arg);
	return NULL;
}

static void *unshare_net(void *arg)
{
	struct visit *visit = arg;

	visit->ret = sys_ret(unshare(CLONE_NEWNET));
	if (!visit->ret)
		visit->ret = sys_ret(open("/proc/thread-self/ns/net",
					  O_RDONLY | O_CLOEXEC));
	return NULL;
}

/**
 * netns_run() - call a function inside a network namespace
 * @netns: the namespace
 * @fn: called in a thread of its own; sockets it makes belong to @netns
 * @arg: for @fn
 *
 * Return: what @fn returned, or -errno.
 */
int netns_run(int netns, int (*fn)(void *arg), void *arg)
{
	struct visit visit = { .netns = netns, .fn = fn, .arg = arg };

	return run_thread(enter, &visit);
}

/**
 * netns_create() - make an empty network namespace, its loopback link up
 * @fail: says why not
 *
 * Return: its descriptor, close-on-exec, or -errno.
 */
int netns_create(struct fail *fail)
{
	struct visit visit = { 0 };
	struct net *net;
	int ret, netns = run_thread(unshare_net, &visit);

	if (netns < 0)
		return fail_set(fail, netns,
				"cannot create a network namespace: %s "
				"(it takes root)", strerror(-netns));
	ret = net_open_in(&net, netns, fail);
	if (!ret) {
		ret = net_link_up(net, "lo", fail);
		net_close(net);
	}
	if (ret) {
		close(netns);
		return ret;
	}
	return netns;
}

/* Create both ends: one here, the other one in its namespace. */
static int veth_create(struct net *net, const struct netns_end *here,
		       const struct netns_end *there)
{
	struct rtnl_link *link = rtnl_link_veth_alloc();
	struct rtnl_link *peer;
	int ret;

	if (!link)
		return -ENOMEM;
	peer = rtnl_link_veth_get_peer(link);
	rtnl_link_set_name(link, here->name);
	rtnl_link_set_name(peer, there->name);
	rtnl_link_set_ns_fd(peer, there->netns);
	ret = net_errno(rtnl_link_add(net->route, link,
				      NLM_F_CREATE | NLM_F_EXCL));
	rtnl_link_put(peer);
	rtnl_link_put(link);
	return ret;
}

static int address_add(struct net *net, int index, const char *text)
{
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct nl_addr *local = NULL;
	int ret;

	if (!address)
		return -ENOMEM;
	rtnl_addr_set_ifindex(address, index);
	ret = net_errno(nl_addr_parse(text, AF_INET, &local));
	if (!ret)
		ret = net_errno(rtnl_addr_set_local(address, local));
	if (!ret)
		ret = net_errno(rtnl_addr_add(net->route, address, 0));
	nl_addr_put(local);
	rtnl_addr_put(address);
	return ret;
}

static int end_start(struct net *net, const struct netns_end *end,
		     struct fail *fail)
{
	struct net_link link;
	int ret = net_link_get(net, end->name, &link, fail);

	if (ret)
		return ret;
	ret = address_add(net, link.index, end->address);
	if (ret)
		return fail_set(fail, ret, "cannot give %s to %s: %s",
				end->address, end->name, strerror(-ret));
	return net_link_up(net, end->name, fail);
}

/**
 * netns_connect() - lay a cable (a veth pair) between two namespaces
 * @a: one end
 * @b: the other end
 * @fail: says why not
 *
 * Both ends get their address and are up. The cable goes away with either
 * namespace.
 *
 * Return: 0 or -errno.
 */
int netns_connect(const struct netns_end *a, const struct netns_end *b,
		  struct fail *fail)
{
	struct net *net_a = NULL, *net_b = NULL;
	int ret;

	ret = net_open_in(&net_a, a->netns, fail);
	if (!ret)
		ret = net_open_in(&net_b, b->netns, fail);
	if (ret)
		goto out_close;
	ret = veth_create(net_a, a, b);
	if (ret) {
		fail_set(fail, ret, "cannot create the veth pair %s, %s: %s",
			 a->name, b->name, strerror(-ret));
		goto out_close;
	}
	ret = end_start(net_a, a, fail);
	if (!ret)
		ret = end_start(net_b, b, fail);
out_close:
	net_close(net_b);
	net_close(net_a);
	return ret;
}
