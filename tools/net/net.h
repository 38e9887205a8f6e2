/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net.h - links, their state and their rate, of one network namespace.
 *
 * The only users of libnl are the files next to this one; a libnl error
 * becomes an errno in socket.c. Rates are in bit/s, as links are sold.
 */
#ifndef STRADDLE_NET_H
#define STRADDLE_NET_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fail.h"

/* A way to ask one namespace; for one thread at a time. */
struct net;

int net_open(struct net **net, struct fail *fail);
int net_open_in(struct net **net, int netns, struct fail *fail);
void net_close(struct net *net);

/* ---- links -------------------------------------------------------------- */

struct net_link {
	int index;
	char name[IFNAMSIZ];
	bool up;		/* switched on by the administrator */
	bool carrier;		/* and connected to something that is */
	uint64_t speed;		/* what the hardware says, 0: it does not */
	uint64_t limit;		/* of a tbf or htb at its root, 0: none */
};

int net_link_get(struct net *net, const char *name, struct net_link *link,
		 struct fail *fail);
int net_link_toward(struct net *net, const struct sockaddr *address,
		    struct net_link *link, struct fail *fail);
int net_link_up(struct net *net, const char *name, struct fail *fail);
int net_link_down(struct net *net, const char *name, struct fail *fail);
uint64_t net_link_rate(const struct net_link *link);

/* ---- bridges ------------------------------------------------------------ */

int net_bridge_wait(const char *name, int timeout_ms, struct fail *fail);

/* ---- rate limits -------------------------------------------------------- */

struct net_rate {
	uint64_t rate;		/* bit/s, up to 17 Gbit/s with tbf */
	uint32_t burst;		/* bytes that may leave at once */
	uint32_t latency_us;	/* how long a byte may wait before it is dropped */
};

struct net_count {
	uint64_t bytes;		/* sent, with headers */
	uint64_t packets;
	uint64_t dropped;
	uint64_t delayed;	/* times that a packet had to wait */
};

int net_limit_tbf(struct net *net, const char *name,
		  const struct net_rate *rate, struct fail *fail);
int net_limit_bands(struct net *net, const char *name,
		    const struct net_rate *rate, struct fail *fail);
int net_limit_htb(struct net *net, const char *name,
		  const struct net_rate *rate, struct fail *fail);
int net_limit_none(struct net *net, const char *name, struct fail *fail);
int net_limit_count(struct net *net, const char *name,
		    struct net_count *count, struct fail *fail);

/* ---- news of links ------------------------------------------------------ */

struct net_watch;

struct net_event {
	int index;
	char name[IFNAMSIZ];
	bool gone;		/* the link was removed */
	bool up;
	bool carrier;
};

typedef void (*net_event_fn)(void *arg, const struct net_event *event);

int net_watch_create(struct net_watch **watch, int netns, net_event_fn fn,
		     void *arg, struct fail *fail);
void net_watch_destroy(struct net_watch *watch);
int net_watch_fd(const struct net_watch *watch);
int net_watch_dispatch(struct net_watch *watch);

#endif
