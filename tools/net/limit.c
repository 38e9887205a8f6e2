/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limit.c - limit the rate of a link, by the token bucket (tbf), with one queue
 * or with bands, or by one class of the hierarchical one (htb).
 */
#include <limits.h>
#include <linux/rtnetlink.h>
#include <netlink/cache.h>
#include <netlink/route/class.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/fifo.h>
#include <netlink/route/qdisc/htb.h>
#include <netlink/route/qdisc/prio.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/tc.h>
#include <string.h>

#include "limit.h"
#include "net.h"
#include "socket.h"
#include "sys.h"

#define TBF_ROOT	TC_HANDLE(1, 0)
#define TBF_CLASS	TC_HANDLE(1, 1)	/* its only one */
#define HTB_ROOT	TC_HANDLE(1, 0)
#define HTB_CLASS	TC_HANDLE(1, 1)

static const char *tc_kind(void *tc)
{
	const char *kind = rtnl_tc_get_kind(TC_CAST(tc));

	return kind ? kind : "";
}

/* The rate of htb's class, through which all bytes go. */
static int htb_rate(struct net *net, int index, uint64_t *rate)
{
	struct rtnl_class *class;
	struct nl_cache *classes;
	int ret;

	ret = net_errno(rtnl_class_alloc_cache(net->route, index, &classes));
	if (ret)
		return ret;
	class = rtnl_class_get(classes, index, HTB_CLASS);
	if (class && !rtnl_htb_get_rate64(class, rate))
		*rate *= 8;
	rtnl_class_put(class);
	nl_cache_free(classes);
	return 0;
}

/* The root qdisc of a link and the cache that holds it. */
static int root_get(struct net *net, int index, struct nl_cache **cache,
		    struct rtnl_qdisc **root)
{
	int ret = net_errno(rtnl_qdisc_alloc_cache(net->route, cache));

	if (ret)
		return ret;
	*root = rtnl_qdisc_get_by_parent(*cache, index, TC_H_ROOT);
	return 0;
}

/**
 * limit_of_link() - the limit in force on a link
 * @net: the namespace
 * @index: the link's index
 * @rate: receives bit/s, 0: none
 *
 * Return: 0 or -errno.
 */
int limit_of_link(struct net *net, int index, uint64_t *rate)
{
	struct rtnl_qdisc *root;
	struct nl_cache *cache;
	uint64_t found = 0;
	int ret = root_get(net, index, &cache, &root);

	if (ret)
		return ret;
	if (root && !strcmp(tc_kind(root), "tbf"))
		found = (uint64_t)rtnl_qdisc_tbf_get_rate(root) * 8;
	else if (root && !strcmp(tc_kind(root), "htb"))
		ret = htb_rate(net, index, &found);
	rtnl_qdisc_put(root);
	nl_cache_free(cache);
	if (!ret)
		*rate = found;
	return ret;
}

/* How many bytes may wait: what leaves during the latency, and a burst. */
static int queue_size(const struct net_rate *rate)
{
	uint64_t size = rate->rate / 8 * rate->latency_us / 1000000 +
			rate->burst;

	return size > INT_MAX ? INT_MAX : (int)size;
}

static struct rtnl_qdisc *qdisc_new(int index, uint32_t parent,
				    const char *kind)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();

	if (!qdisc)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), index);
	rtnl_tc_set_parent(TC_CAST(qdisc), parent);
	if (rtnl_tc_set_kind(TC_CAST(qdisc), kind)) {
		rtnl_qdisc_put(qdisc);
		return NULL;
	}
	return qdisc;
}

/* Hand it to the kernel and free it. */
static int qdisc_add(struct net *net, struct rtnl_qdisc *qdisc)
{
	int ret = net_errno(rtnl_qdisc_add(net->route, qdisc,
					   NLM_F_CREATE | NLM_F_EXCL));

	rtnl_qdisc_put(qdisc);
	return ret;
}

static int tbf_add(struct net *net, int index, const struct net_rate *rate)
{
	struct rtnl_qdisc *qdisc;

	if (rate->rate / 8 > INT_MAX)
		return -ERANGE;
	qdisc = qdisc_new(index, TC_H_ROOT, "tbf");
	if (!qdisc)
		return -ENOMEM;
	rtnl_tc_set_handle(TC_CAST(qdisc), TBF_ROOT);
	rtnl_qdisc_tbf_set_rate(qdisc, (int)(rate->rate / 8),
				(int)rate->burst, 0);
	rtnl_qdisc_tbf_set_limit(qdisc, queue_size(rate));
	return qdisc_add(net, qdisc);
}

/* In the place of tbf's one queue; it holds what the link's txqueuelen says. */
static int bands_add(struct net *net, int index, const struct net_rate *rate)
{
	uint8_t map[] = QDISC_PRIO_DEFAULT_PRIOMAP;
	int ret = tbf_add(net, index, rate);
	struct rtnl_qdisc *bands;

	if (ret)
		return ret;
	bands = qdisc_new(index, TBF_CLASS, "pfifo_fast");
	if (!bands)
		return -ENOMEM;
	/* It is what pfifo_fast has in any case; libnl aborts where it is not set. */
	rtnl_qdisc_prio_set_bands(bands, QDISC_PRIO_DEFAULT_BANDS);
	ret = net_errno(rtnl_qdisc_prio_set_priomap(bands, map, sizeof(map)));
	if (!ret)
		return qdisc_add(net, bands);
	rtnl_qdisc_put(bands);
	return ret;
}

static int htb_add_root(struct net *net, int index)
{
	struct rtnl_qdisc *qdisc = qdisc_new(index, TC_H_ROOT, "htb");

	if (!qdisc)
		return -ENOMEM;
	rtnl_tc_set_handle(TC_CAST(qdisc), HTB_ROOT);
	rtnl_htb_set_defcls(qdisc, TC_H_MIN(HTB_CLASS));
	return qdisc_add(net, qdisc);
}

static int htb_add_class(struct net *net, int index,
			 const struct net_rate *rate)
{
	struct rtnl_class *class = rtnl_class_alloc();
	int ret;

	if (!class)
		return -ENOMEM;
	rtnl_tc_set_ifindex(TC_CAST(class), index);
	rtnl_tc_set_parent(TC_CAST(class), HTB_ROOT);
	rtnl_tc_set_handle(TC_CAST(class), HTB_CLASS);
	ret = net_errno(rtnl_tc_set_kind(TC_CAST(class), "htb"));
	if (!ret) {
		rtnl_htb_set_rate64(class, rate->rate / 8);
		rtnl_htb_set_ceil64(class, rate->rate / 8);
		rtnl_htb_set_rbuffer(class, rate->burst);
		rtnl_htb_set_cbuffer(class, rate->burst);
		ret = net_errno(rtnl_class_add(net->route, class,
					       NLM_F_CREATE | NLM_F_EXCL));
	}
	rtnl_class_put(class);
	return ret;
}

/* The class's queue: bytes count, not packets. */
static int htb_add_queue(struct net *net, int index,
			 const struct net_rate *rate)
{
	struct rtnl_qdisc *qdisc = qdisc_new(index, HTB_CLASS, "bfifo");

	if (!qdisc)
		return -ENOMEM;
	rtnl_qdisc_fifo_set_limit(qdisc, queue_size(rate));
	return qdisc_add(net, qdisc);
}

static int htb_add(struct net *net, int index, const struct net_rate *rate)
{
	int ret = htb_add_root(net, index);

	if (!ret)
		ret = htb_add_class(net, index, rate);
	if (!ret)
		ret = htb_add_queue(net, index, rate);
	return ret;
}

/* Back to what the kernel puts there itself. */
static int root_remove(struct net *net, int index)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	int ret;

	if (!qdisc)
		return -ENOMEM;
	rtnl_tc_set_ifindex(TC_CAST(qdisc), index);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	ret = net_errno(rtnl_qdisc_delete(net->route, qdisc));
	rtnl_qdisc_put(qdisc);
	return ret == -ENOENT ? 0 : ret;	/* it was the kernel's own */
}

typedef int (*limit_fn)(struct net *net, int index,
			const struct net_rate *rate);

static int limit_set(struct net *net, const char *name, limit_fn add,
		     const struct net_rate *rate, struct fail *fail)
{
	struct net_link link;
	int ret = net_link_get(net, name, &link, fail);

	if (ret)
		return ret;
	if (!rate->rate || !rate->burst)
		return fail_set(fail, -EINVAL, "cannot limit the rate of %s: "
				"rate and burst must not be 0", name);
	ret = root_remove(net, link.index);
	if (ret)
		goto failed;
	ret = add(net, link.index, rate);
	if (!ret)
		return 0;
	root_remove(net, link.index);
failed:
	return fail_set(fail, ret, "cannot limit the rate of %s to %llu bit/s: "
			"%s", name, (unsigned long long)rate->rate,
			strerror(-ret));
}

/**
 * net_limit_tbf() - limit what leaves on a link by a token bucket
 * @net: the namespace
 * @name: the link's name
 * @rate: the limit; it takes the place of one that is there
 * @fail: says why not
 *
 * What waits in the link's queue is lost, as on a real link.
 *
 * Return: 0 or -errno (-ERANGE: over 17 Gbit/s, which libnl cannot express).
 */
int net_limit_tbf(struct net *net, const char *name,
		  const struct net_rate *rate, struct fail *fail)
{
	return limit_set(net, name, tbf_add, rate, fail);
}

/**
 * net_limit_bands() - net_limit_tbf(), but what is urgent passes what is not
 * @net: the namespace
 * @name: the link's name
 * @rate: the limit; how much may wait is the link's txqueuelen, in packets
 * @fail: says why not
 *
 * Three bands by SO_PRIORITY (pfifo_fast, tc-prio(8)): TC_PRIO_INTERACTIVE
 * leaves first, TC_PRIO_BULK last.
 *
 * Return: as net_limit_tbf().
 */
int net_limit_bands(struct net *net, const char *name,
		    const struct net_rate *rate, struct fail *fail)
{
	return limit_set(net, name, bands_add, rate, fail);
}

/**
 * net_limit_htb() - limit what leaves on a link by one class of htb
 * @net: the namespace
 * @name: the link's name
 * @rate: the limit; it takes the place of one that is there
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int net_limit_htb(struct net *net, const char *name,
		  const struct net_rate *rate, struct fail *fail)
{
	return limit_set(net, name, htb_add, rate, fail);
}

/**
 * net_limit_none() - remove a limit
 * @net: the namespace
 * @name: the link's name
 * @fail: says why not
 *
 * Return: 0, also where there was none, or -errno.
 */
int net_limit_none(struct net *net, const char *name, struct fail *fail)
{
	struct net_link link;
	int ret = net_link_get(net, name, &link, fail);

	if (ret)
		return ret;
	ret = root_remove(net, link.index);
	if (ret)
		fail_set(fail, ret, "cannot remove the limit of %s: %s", name,
			 strerror(-ret));
	return ret;
}

/**
 * net_limit_count() - what passed the queue at a link's root
 * @net: the namespace
 * @name: the link's name
 * @count: receives the counts since the limit was set
 * @fail: says why not
 *
 * Return: 0 or -errno (-ENOENT: nothing queues at this link).
 */
int net_limit_count(struct net *net, const char *name,
		    struct net_count *count, struct fail *fail)
{
	struct rtnl_qdisc *root = NULL;
	struct nl_cache *cache;
	struct net_link link;
	struct rtnl_tc *tc;
	int ret = net_link_get(net, name, &link, fail);

	if (!ret)
		ret = root_get(net, link.index, &cache, &root);
	if (!ret && !root) {
		nl_cache_free(cache);
		ret = -ENOENT;
	}
	if (ret)
		return fail_set(fail, ret, "cannot count the bytes of %s: %s",
				name, strerror(-ret));
	tc = TC_CAST(root);
	count->bytes = rtnl_tc_get_stat(tc, RTNL_TC_BYTES);
	count->packets = rtnl_tc_get_stat(tc, RTNL_TC_PACKETS);
	count->dropped = rtnl_tc_get_stat(tc, RTNL_TC_DROPS);
	count->delayed = rtnl_tc_get_stat(tc, RTNL_TC_OVERLIMITS);
	rtnl_qdisc_put(root);
	nl_cache_free(cache);
	return 0;
}
