/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* segment.c - three bridges in a row: source, client, dest. */
#include "segment.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "process.h"
#include "sys.h"
#include "tools/net/netns.h"

#define PORTS_MAX	2
#define NO_ADDRESS	"0.0.0.0"

struct bridge {
	const char *ports[PORTS_MAX];
	const char *address;
};

static int address_set(int fd, const char *link, unsigned long request,
		       const char *text)
{
	struct ifreq ifreq = { 0 };
	struct sockaddr_in address = { .sin_family = AF_INET };

	snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", link);
	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&ifreq.ifr_addr, &address, sizeof(address));
	return sys_ret(ioctl(fd, request, &ifreq));
}

static int port_add(int fd, const char *port)
{
	struct ifreq ifreq = { .ifr_name = SEGMENT_BRIDGE };
	int ret;

	ifreq.ifr_ifindex = (int)if_nametoindex(port);
	ret = sys_ret(ioctl(fd, SIOCBRADDIF, &ifreq));
	/* Its cable came with an address; the bridge's is the one. */
	return ret ? ret : address_set(fd, port, SIOCSIFADDR, NO_ADDRESS);
}

static int link_up(int fd, const char *link)
{
	struct ifreq ifreq = { .ifr_flags = IFF_UP };

	snprintf(ifreq.ifr_name, sizeof(ifreq.ifr_name), "%s", link);
	return sys_ret(ioctl(fd, SIOCSIFFLAGS, &ifreq));
}

/* In its namespace; netns_run() calls it. */
static int bridge_create(void *arg)
{
	const struct bridge *bridge = arg;
	__cleanup_fd int fd = sys_ret(socket(AF_INET,
					     SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int i, ret = fd < 0 ? fd : 0;

	if (!ret)
		ret = sys_ret(ioctl(fd, SIOCBRADDBR, SEGMENT_BRIDGE));
	for (i = 0; i < PORTS_MAX && bridge->ports[i] && !ret; i++)
		ret = port_add(fd, bridge->ports[i]);
	if (!ret)
		ret = address_set(fd, SEGMENT_BRIDGE, SIOCSIFADDR,
				  bridge->address);
	if (!ret)
		ret = address_set(fd, SEGMENT_BRIDGE, SIOCSIFNETMASK,
				  "255.255.255.0");
	return ret ? ret : link_up(fd, SEGMENT_BRIDGE);
}

static int cable(const struct segment *segment, const struct host *host,
		 struct fail *fail)
{
	/* netns_connect() wants addresses, which port_add() takes away. */
	struct netns_end here = {
		.netns = segment->client.netns, .name = host->name,
		.address = "169.254.99.1/32",
	};
	struct netns_end there = {
		.netns = host->netns, .name = "eth1",
		.address = "169.254.99.2/32",
	};

	return netns_connect(&here, &there, fail);
}

static int bridges_create(const struct segment *segment,
			  const struct two_hosts *hosts, struct fail *fail)
{
	struct bridge client = { { hosts->source.name, hosts->dest.name },
				 SEGMENT_CLIENT };
	struct bridge source = { { "eth1" }, SEGMENT_SOURCE };
	struct bridge dest = { { "eth1" }, SEGMENT_DEST };
	int ret = netns_run(segment->client.netns, bridge_create, &client);

	if (!ret)
		ret = netns_run(hosts->source.netns, bridge_create, &source);
	if (!ret)
		ret = netns_run(hosts->dest.netns, bridge_create, &dest);
	if (ret)
		fail_set(fail, ret, "cannot make the bridges of the guests: %s",
			 strerror(-ret));
	return ret;
}

static int client_init(struct host *client, const struct two_hosts *hosts,
		       struct fail *fail)
{
	int ret;

	*client = (struct host){
		.name = "client", .address = SEGMENT_CLIENT, .netns = -1,
	};
	snprintf(client->dir, sizeof(client->dir), "%s/client", hosts->dir);
	ret = sys_ret(mkdir(client->dir, 0700));
	if (ret)
		return fail_set(fail, ret, "cannot make %s: %s", client->dir,
				strerror(-ret));
	client->netns = netns_create(fail);
	if (client->netns < 0)
		return client->netns;
	return net_open_in(&client->net, client->netns, fail);
}

/**
 * segment_create() - give two hosts bridges for guests, and them a client
 * @segment: receives what segment_destroy() frees
 * @hosts: the hosts, which outlive it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int segment_create(struct segment **segment, struct two_hosts *hosts,
		   struct fail *fail)
{
	struct segment *created = calloc(1, sizeof(*created));
	int ret;

	if (!created)
		return fail_set(fail, -ENOMEM, "no memory for a segment");
	ret = client_init(&created->client, hosts, fail);
	if (!ret)
		ret = cable(created, &hosts->source, fail);
	if (!ret)
		ret = cable(created, &hosts->dest, fail);
	if (!ret)
		ret = bridges_create(created, hosts, fail);
	if (ret)
		segment_destroy(created);
	else
		*segment = created;
	return ret;
}

/**
 * segment_destroy() - end what runs in the client, and remove it
 * @segment: may be NULL
 *
 * The hosts' bridges stay, without a cable, until the hosts go.
 */
void segment_destroy(struct segment *segment)
{
	if (!segment)
		return;
	if (segment->client.netns >= 0) {
		process_kill_netns(segment->client.netns);
		net_close(segment->client.net);
		close(segment->client.netns);
	}
	free(segment);
}
