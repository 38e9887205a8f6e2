/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c - accept, read 32 bytes, pass the connection on.
 *
 * Who connects may be anybody. He costs a place in a small table for a few
 * seconds, and then either a worker's time or nothing more.
 */
#include <netinet/in.h>
#include <string.h>

#include "arrival.h"
#include "cleanup.h"
#include "log.h"
#include "peer.h"
#include "route.h"
#include "sys.h"

struct peer {
	struct peers *peers;
	int fd;				/* -1: this place is free */
	struct in6_addr address;	/* IPv4 mapped */
	char from[ADDRESS_TEXT];	/* that, and the port */
	sd_event_source *ready, *late;
};

struct peers {
	struct agent *agent;
	int listen_fd;
	sd_event_source *listening;
	struct peer table[PEERS_MAX];
};

static void peer_release(struct peer *peer)
{
	peer->ready = sd_event_source_disable_unref(peer->ready);
	peer->late = sd_event_source_disable_unref(peer->late);
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

static struct in6_addr peer_address(const struct sockaddr_storage *storage)
{
	struct in6_addr address = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (storage->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)storage)->sin6_addr;
	memcpy(&address.s6_addr[12], &((const struct sockaddr_in *)storage)->sin_addr, 4);
	return address;
}

/* A free place, or NULL: too many of all, or of this address. */
static struct peer *peer_place(struct peers *peers, const struct in6_addr *address)
{
	struct peer *place = NULL;
	unsigned int i, same = 0;

	for (i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &peers->table[i];

		if (peer->fd < 0)
			place = peer;
		else
			same += !memcmp(&peer->address, address, sizeof(*address));
	}
	return same < PEERS_PER_ADDRESS ? place : NULL;
}

/* Whoever it is: nothing is proven yet but the address. */
static void peer_refused(const char *from, const char *why)
{
	log_refusal(REFUSED_STRANGER, "a connection from %s is refused: %s", from, why);
}

static int peer_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct peer *peer = arg;

	(void)source;
	(void)usec;
	peer_refused(peer->from, "it did not say what it is for in time");
	peer_release(peer);
	return 0;
}

/* All 32 bytes are there, or the peer is gone. */
static int peer_ready(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct peer *peer = arg;
	struct preamble preamble;
	struct fail fail = { 0 };
	int any = 1;

	(void)source;
	(void)revents;
	if (preamble_receive(fd, 0, &preamble, &fail)) {
		peer_refused(peer->from, fail.text);
	} else {
		(void)sys_ret(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &any, sizeof(any)));
		route_connection(peer->peers->agent, fd, peer->from, &preamble);
	}
	peer_release(peer);
	return 0;
}

static int peer_watch(struct peer *peer)
{
	sd_event *event = peer->peers->agent->event;
	int whole = sizeof(struct preamble), ret;

	/* poll() is to tell of a whole preamble, not of each byte. */
	ret = sys_ret(setsockopt(peer->fd, SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof(whole)));
	if (ret)
		return ret;
	ret = sd_event_add_io(event, &peer->ready, peer->fd, EPOLLIN, peer_ready, peer);
	if (ret < 0)
		return ret;
	return sd_event_add_time_relative(event, &peer->late, CLOCK_MONOTONIC,
					  PEER_SECONDS * 1000000ull, 0, peer_late, peer);
}

static int peer_arrived(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(from);
	__cleanup_fd int fd = -1;
	struct peers *peers = arg;
	char text[ADDRESS_TEXT];
	struct in6_addr address;
	struct peer *peer;
	bool last;

	(void)source;
	(void)revents;
	fd = arrival_take(peers->agent, listen_fd, (struct sockaddr *)&from, &length, &last);
	if (fd < 0)
		return 0;
	/* Later it may have gone, and then nobody knows who it was. */
	address_print(&from, length, text, sizeof(text));
	if (last) {
		preamble_refuse(fd, PREAMBLE_SCARCE);
		close(take_fd(&fd));	/* first: it is the spare one */
		arrival_spare(peers->agent);
		return 0;
	}
	address = peer_address(&from);
	peer = peer_place(peers, &address);
	if (!peer) {
		peer_refused(text, "too many peers connect at a time");
		preamble_refuse(fd, PREAMBLE_BUSY);
		return 0;
	}
	peer->peers = peers;
	peer->address = address;
	memcpy(peer->from, text, sizeof(peer->from));
	peer->fd = take_fd(&fd);
	if (peer_watch(peer) < 0)
		peer_release(peer);
	return 0;
}

static int peers_listen(struct agent *agent, struct fail *fail)
{
	struct address any4 = agent->choice.listen;
	int fd = address_listen(&agent->choice.listen, agent->choice.listen_any ? NULL : fail);

	if (fd >= 0 || !agent->choice.listen_any)
		return fd;
	/* A host without IPv6. */
	snprintf(any4.host, sizeof(any4.host), "0.0.0.0");
	return address_listen(&any4, fail);
}

/**
 * peers_create() - listen for other hosts
 * @agent: of this host; its choice says where
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int peers_create(struct agent *agent, struct fail *fail)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	char where[300];
	unsigned int i;
	int ret;

	if (!peers)
		return -ENOMEM;
	peers->agent = agent;
	for (i = 0; i < PEERS_MAX; i++)
		peers->table[i].fd = -1;
	agent->peers = peers;
	peers->listen_fd = peers_listen(agent, fail);
	if (peers->listen_fd < 0)
		return peers->listen_fd;
	ret = sd_event_add_io(agent->event, &peers->listening, peers->listen_fd, EPOLLIN,
			      peer_arrived, peers);
	if (ret < 0)
		return fail_set(fail, ret, "cannot watch the listening socket: %s",
				strerror(-ret));
	address_of_socket(peers->listen_fd, where, sizeof(where));
	log_notice("listening on %s (%s)", where,
		   agent->choice.security == SECURITY_NONE ? "no TLS" :
		   security_name(agent->choice.security));
	return 0;
}

/**
 * peers_destroy() - stop to listen
 * @agent: of this host
 */
void peers_destroy(struct agent *agent)
{
	struct peers *peers = agent->peers;
	unsigned int i;

	if (!peers)
		return;
	for (i = 0; i < PEERS_MAX; i++)
		peer_release(&peers->table[i]);
	sd_event_source_disable_unref(peers->listening);
	if (peers->listen_fd >= 0)
		close(peers->listen_fd);
	free(peers);
	agent->peers = NULL;
}
