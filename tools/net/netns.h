/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * netns.h - network namespaces without a name, and a cable between two.
 *
 * A namespace is a descriptor: it lives as long as that, or a process in it.
 */
#ifndef STRADDLE_NETNS_H
#define STRADDLE_NETNS_H

#include "fail.h"

/* One end of a cable. */
struct netns_end {
	int netns;
	const char *name;	/* of the link in there */
	const char *address;	/* IPv4 with prefix: "10.0.0.1/24" */
};

int netns_create(struct fail *fail);
int netns_run(int netns, int (*fn)(void *arg), void *arg);
int netns_connect(const struct netns_end *a, const struct netns_end *b,
		  struct fail *fail);

#endif
