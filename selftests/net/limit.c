/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limit.c - a limited link delays, drops and counts.
 *
 * Nothing is timed. That a limit is in force is seen where it must leave
 * traces whatever the machine's speed: a burst larger than bucket and queue
 * together cannot pass, and every byte is in the queue's own count.
 */
#include <arpa/inet.h>
#include <linux/pkt_sched.h>
#include <netinet/in.h>
#include <string.h>

#include "harness.h"
#include "sys.h"
#include "tools/net/net.h"
#include "tools/net/netns.h"

#define DATAGRAM	1000
#define HEADERS		42		/* Ethernet, IPv4, UDP */
#define PORT		7777

/* 64 kbit/s, and 16 kB wait at most: 2 s of it. */
static const struct net_rate slow = {
	.rate = 64000, .burst = 4000, .latency_us = 1500000,
};

FIXTURE(limited) {
	int netns[2];
	struct net *net;
	int sender, receiver;
};

FIXTURE_VARIANT(limited) {
	int (*set)(struct net *net, const char *name,
		   const struct net_rate *rate, struct fail *fail);
};

FIXTURE_VARIANT_ADD(limited, tbf) { .set = net_limit_tbf, };
FIXTURE_VARIANT_ADD(limited, htb) { .set = net_limit_htb, };

static int udp_socket(void *arg)
{
	(void)arg;
	return sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

FIXTURE_SETUP(limited)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(PORT),
	};
	struct netns_end a = { .name = "left", .address = "10.77.0.1/24" };
	struct netns_end b = { .name = "right", .address = "10.77.0.2/24" };
	struct fail fail = { 0 };

	a.netns = self->netns[0] = netns_create(&fail);
	if (a.netns == -EPERM)
		SKIP(return, "%s", fail.text);
	b.netns = self->netns[1] = netns_create(&fail);
	ASSERT_EQ(0, netns_connect(&a, &b, &fail));
	ASSERT_EQ(0, net_open_in(&self->net, self->netns[0], &fail));
	self->sender = netns_run(self->netns[0], udp_socket, NULL);
	self->receiver = netns_run(self->netns[1], udp_socket, NULL);
	inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
	ASSERT_EQ(0, bind(self->receiver, (void *)&to, sizeof(to)));
	ASSERT_EQ(0, connect(self->sender, (void *)&to, sizeof(to)));
}

FIXTURE_TEARDOWN(limited)
{
	net_close(self->net);
	close(self->sender);
	close(self->receiver);
	close(self->netns[0]);
	close(self->netns[1]);
}

static void send_datagrams(int sender, unsigned int count)
{
	char data[DATAGRAM] = { 0 };

	while (count--)
		sys_ret(send(sender, data, sizeof(data), MSG_DONTWAIT));
}

TEST_F(limited, limit_is_read_back_and_bounds_the_rate)
{
	const struct net_rate rate = {
		.rate = 1000000000, .burst = 256 << 10, .latency_us = 50000,
	};
	struct net_link link;

	ASSERT_EQ(0, variant->set(self->net, "left", &rate, NULL));
	ASSERT_EQ(0, net_link_get(self->net, "left", &link, NULL));
	EXPECT_EQ(rate.rate, link.limit);
	EXPECT_EQ(rate.rate, net_link_rate(&link));
	EXPECT_LT(rate.rate, link.speed);
}

TEST_F(limited, limit_takes_the_place_of_another_and_goes_away)
{
	struct net_rate rate = slow;
	struct net_link link;

	ASSERT_EQ(0, net_limit_tbf(self->net, "left", &rate, NULL));
	rate.rate *= 2;
	ASSERT_EQ(0, variant->set(self->net, "left", &rate, NULL));
	ASSERT_EQ(0, net_link_get(self->net, "left", &link, NULL));
	EXPECT_EQ(rate.rate, link.limit);
	rate.rate *= 2;
	ASSERT_EQ(0, net_limit_htb(self->net, "left", &rate, NULL));
	ASSERT_EQ(0, net_limit_none(self->net, "left", NULL));
	ASSERT_EQ(0, net_link_get(self->net, "left", &link, NULL));
	EXPECT_EQ(0, link.limit);
	EXPECT_EQ(0, net_limit_none(self->net, "left", NULL));
}

TEST_F(limited, more_than_bucket_and_queue_is_dropped)
{
	struct net_count count;

	ASSERT_EQ(0, variant->set(self->net, "left", &slow, NULL));
	send_datagrams(self->sender, 400);	/* 50 s worth */
	ASSERT_EQ(0, net_limit_count(self->net, "left", &count, NULL));
	EXPECT_LT(0, count.dropped);
	EXPECT_LT(0, count.delayed);
	EXPECT_LT(count.packets, 400);
	EXPECT_LT(0, count.bytes);
	EXPECT_LT(count.bytes, 400 * DATAGRAM);
}

TEST_F(limited, what_fits_passes_and_is_counted)
{
	const struct net_rate rate = {
		.rate = 80000000, .burst = 64 << 10, .latency_us = 1000000,
	};
	struct net_count count;
	char data[DATAGRAM];
	int i;

	ASSERT_EQ(0, variant->set(self->net, "left", &rate, NULL));
	send_datagrams(self->sender, 50);
	for (i = 0; i < 50; i++)
		ASSERT_EQ(DATAGRAM, recv(self->receiver, data, sizeof(data), 0));
	ASSERT_EQ(0, net_limit_count(self->net, "left", &count, NULL));
	EXPECT_LE(50, count.packets);		/* and ARP */
	EXPECT_LE(50 * (DATAGRAM + HEADERS), count.bytes);
	EXPECT_EQ(0, count.dropped);
}

TEST_F(limited, rate_or_burst_of_nothing_is_refused)
{
	const struct net_rate no_rate = { .burst = 4000 };
	const struct net_rate no_burst = { .rate = 64000 };

	EXPECT_EQ(-EINVAL, variant->set(self->net, "left", &no_rate, NULL));
	EXPECT_EQ(-EINVAL, variant->set(self->net, "left", &no_burst, NULL));
}

TEST_F(limited, rate_beyond_tbf_is_refused_or_kept_whole)
{
	const struct net_rate fast = {
		.rate = 40000000000, .burst = 1 << 20, .latency_us = 1000,
	};
	struct net_link link;

	if (variant->set == net_limit_tbf) {
		EXPECT_EQ(-ERANGE, net_limit_tbf(self->net, "left", &fast,
						 NULL));
		EXPECT_EQ(-ERANGE, net_limit_bands(self->net, "left", &fast, NULL));
	} else {
		ASSERT_EQ(0, net_limit_htb(self->net, "left", &fast, NULL));
		ASSERT_EQ(0, net_link_get(self->net, "left", &link, NULL));
		EXPECT_EQ(fast.rate, link.limit);
	}
}

/* ---- bands ---------------------------------------------------------------- */

#define SMALL		100	/* bytes; 7 a second leave, once the burst is used */
#define BULK		100	/* datagrams */

static const struct net_rate crawl = { .rate = 8000, .burst = 2000, .latency_us = 20000000 };

static int prioritized(int netns, int priority)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = netns_run(netns, udp_socket, NULL);

	inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
	ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&to, sizeof(to)));
	return fd;
}

static void small_send(int fd, char mark)
{
	char data[SMALL] = { mark };

	ASSERT_EQ(SMALL, send(fd, data, sizeof(data), 0));
}

/* Return: how many datagrams of bulk came before the urgent one. */
static unsigned int bulk_before_urgent(int receiver)
{
	unsigned int count = 0;
	char data[SMALL];

	while (count < BULK && recv(receiver, data, sizeof(data), 0) == SMALL &&
	       *data == 'b')
		count++;
	return count;
}

TEST_F(limited, bands_in_its_place_let_pass_what_is_urgent)
{
	int bulk = prioritized(self->netns[0], TC_PRIO_BULK);
	int urgent = prioritized(self->netns[0], TC_PRIO_INTERACTIVE);
	int i;

	ASSERT_EQ(0, variant->set(self->net, "left", &crawl, NULL));
	ASSERT_EQ(0, net_limit_bands(self->net, "left", &crawl, NULL));
	for (i = 0; i < BULK; i++)
		small_send(bulk, 'b');
	small_send(urgent, 'u');
	EXPECT_LT(bulk_before_urgent(self->receiver), BULK);
	close(urgent);
	close(bulk);
}

TEST_HARNESS_MAIN
