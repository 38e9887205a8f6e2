// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * trickle.c - a network that delivers the control channel in small parts.
 *
 * A relay on the source passes on to the dest what comes. All that it reads of
 * the first connection, the control channel, it sends in two parts, so that
 * either host wakes up with a part of a TLS record in hand.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "protocol/channel.h"
#include "sys.h"
#include "tools/net/netns.h"

#define CHUNK		(64u << 10)
#define PART_MS		3	/* for the other end to see the first part */
#define CONNECTIONS_MAX	32

FIXTURE(trickle) {
	struct pair *pair;
	struct fail fail;
	struct sockaddr_in relay, dest;
	int listener;
};

/* One direction. */
struct pump {
	int from, to;
	bool in_parts;
};

static int listen_here(void *arg)
{
	struct sockaddr_in *address = arg;
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (bind(fd, (struct sockaddr *)address, size) ||
	    listen(fd, CONNECTIONS_MAX) ||
	    getsockname(fd, (struct sockaddr *)address, &size)) {
		close(fd);
		return -EADDRNOTAVAIL;
	}
	return fd;
}

static int connect_there(void *arg)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = sys_ret(connect(fd, arg, sizeof(struct sockaddr_in)));

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static void *pump_main(void *arg)
{
	struct pump *pump = arg;
	char *bytes = malloc(CHUNK);
	ssize_t got;
	int ret = 0;

	while (!ret && (got = sys_retry(read(pump->from, bytes, CHUNK))) > 0) {
		size_t size = (size_t)got;
		size_t part = pump->in_parts ? size / 2 : size;

		ret = sys_write_all(pump->to, bytes, part);
		if (part < size)
			poll(NULL, 0, PART_MS);
		if (!ret)
			ret = sys_write_all(pump->to, bytes + part, size - part);
	}
	shutdown(pump->to, SHUT_WR);
	free(bytes);
	free(pump);
	return NULL;
}

static void pump_start(int from, int to, bool in_parts)
{
	struct pump *pump = malloc(sizeof(*pump));
	pthread_t thread;

	*pump = (struct pump){ from, to, in_parts };
	ASSERT_EQ(0, pthread_create(&thread, NULL, pump_main, pump));
	pthread_detach(thread);
}

/* Descriptors and threads end with the test's process. */
static void *relay_main(void *arg)
{
	FIXTURE_DATA(trickle) *self = arg;
	bool in_parts = true;
	int near, one = 1;

	while ((near = sys_retry(accept4(self->listener, NULL, NULL,
					 SOCK_CLOEXEC))) >= 0) {
		int far = netns_run(self->pair->hosts->source.netns,
				    connect_there, &self->dest);

		ASSERT_LE(0, far);
		setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		pump_start(near, far, in_parts);
		pump_start(far, near, in_parts);
		in_parts = false;
	}
	return NULL;
}

FIXTURE_SETUP(trickle)
{
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);	/* an end that closes first is fine */
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PSK, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->dest.sin_family = AF_INET;
	self->dest.sin_port = htons((uint16_t)atoi(STRADDLE_PORT));
	inet_pton(AF_INET, self->pair->hosts->dest.address,
		  &self->dest.sin_addr);
	self->listener = netns_run(self->pair->hosts->source.netns,
				   listen_here, &self->relay);
	ASSERT_LE(0, self->listener);
	ASSERT_EQ(0, pthread_create(&thread, NULL, relay_main, self));
	pthread_detach(thread);
}

FIXTURE_TEARDOWN(trickle)
{
	pair_destroy(self->pair);
}

TEST_F_TIMEOUT(trickle, messages_may_come_in_parts, 60)
{
	const struct host *source = &self->pair->hosts->source;
	struct move move;
	char to[64];

	snprintf(to, sizeof(to), "127.0.0.1:%u", ntohs(self->relay.sin_port));
	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, move_run(&move, source, "db", to,
			      "\"live\":true,\"postcopy\":true,"
			      "\"rounds_max\":1")) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, &self->pair->hosts->dest, "db");
	crossing_left(source, "db", 0);
}

TEST_HARNESS_MAIN
