/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * topology.h - two hosts and the cable between them, on one machine.
 *
 * A host is a network namespace, an address and some folders. Programs that
 * host_spawn() starts are in it; two_hosts_destroy() ends them and removes
 * everything. Unix sockets in run_dir can be reached from outside.
 */
#ifndef STRADDLE_TEST_TOPOLOGY_H
#define STRADDLE_TEST_TOPOLOGY_H

#include <sys/types.h>

#include "fail.h"
#include "tools/net/net.h"

#define HOST_LINK	"eth0"		/* its name in either host */

struct host {
	const char *name;		/* "source" or "dest" */
	const char *address;		/* IPv4, no prefix */
	int netns;
	struct net *net;		/* to read, limit and cut its link */
	char dir[128];			/* of all the others, and its logs */
	char run_dir[160];
	char state_dir[160];
	char pki_dir[160];
};

struct two_hosts {
	char dir[96];
	struct host source;
	struct host dest;
};

int two_hosts_create(struct two_hosts **hosts, const struct net_rate *rate,
		     struct fail *fail);
void two_hosts_destroy(struct two_hosts *hosts);
int two_hosts_limit(struct two_hosts *hosts, const struct net_rate *rate,
		    struct fail *fail);
int two_hosts_issue(struct two_hosts *hosts, struct fail *fail);
/* Another address in the place of the one that it has. */
int host_readdress(struct host *host, const char *address, struct fail *fail);

pid_t host_spawn(const struct host *host, const char *const argv[],
		 const char *log, struct fail *fail);
int host_run(const struct host *host, const char *const argv[], char *text,
	     size_t size, struct fail *fail);
int host_log(const struct host *host, const char *log, char *text,
	     size_t size);

#endif
