/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net.c - two namespaces, a cable, and what can be read and set about it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "harness.h"
#include "sys.h"
#include "tools/net/net.h"
#include "tools/net/netns.h"

#define NET_A "10.77.0.1"
#define NET_B "10.77.0.2"

FIXTURE(cable) {
	int netns[2];
	struct net *net[2];
	struct fail fail;
};

FIXTURE_SETUP(cable)
{
	struct netns_end a = { .name = "left", .address = NET_A "/24" };
	struct netns_end b = { .name = "right", .address = NET_B "/24" };
	int i;

	for (i = 0; i < 2; i++) {
		self->netns[i] = netns_create(&self->fail);
		if (self->netns[i] == -EPERM)
			SKIP(return, "%s", self->fail.text);
		ASSERT_GE(self->netns[i], 0);
		ASSERT_EQ(0, net_open_in(&self->net[i], self->netns[i], NULL));
	}
	a.netns = self->netns[0];
	b.netns = self->netns[1];
	ASSERT_EQ(0, netns_connect(&a, &b, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(cable)
{
	int i;

	for (i = 0; i < 2; i++) {
		net_close(self->net[i]);
		close(self->netns[i]);
	}
}

static struct sockaddr_in address_of(const char *text, int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
	};

	inet_pton(AF_INET, text, &address.sin_addr);
	return address;
}

TEST_F(cable, both_ends_are_up_with_carrier)
{
	const char *const names[] = { "left", "right" };
	int i;

	for (i = 0; i < 2; i++) {
		struct net_link link;

		ASSERT_EQ(0, net_link_get(self->net[i], names[i], &link, NULL));
		EXPECT_STREQ(names[i], link.name);
		EXPECT_TRUE(link.up);
		EXPECT_TRUE(link.carrier);
		EXPECT_EQ(0, link.limit);
		EXPECT_EQ(10000000000, link.speed);	/* what veth says */
		EXPECT_EQ(link.speed, net_link_rate(&link));
	}
}

TEST_F(cable, route_leads_to_the_cable_or_to_loopback)
{
	struct sockaddr_in peer = address_of(NET_B, 0);
	struct sockaddr_in own = address_of(NET_A, 0);
	struct net_link link;

	ASSERT_EQ(0, net_link_toward(self->net[0], (void *)&peer, &link, NULL));
	EXPECT_STREQ("left", link.name);
	ASSERT_EQ(0, net_link_toward(self->net[0], (void *)&own, &link, NULL));
	EXPECT_STREQ("lo", link.name);
}

TEST_F(cable, address_without_a_route_is_named)
{
	struct sockaddr_in far = address_of("192.0.2.1", 0);
	struct net_link link = { .index = 77 };

	EXPECT_GT(0, net_link_toward(self->net[0], (void *)&far, &link,
				     &self->fail));
	EXPECT_NE(NULL, strstr(self->fail.text, "192.0.2.1"));
	EXPECT_EQ(77, link.index);
}

TEST_F(cable, unknown_link_is_named)
{
	struct net_link link;

	EXPECT_EQ(-ENODEV, net_link_get(self->net[0], "nowhere", &link,
					&self->fail));
	EXPECT_NE(NULL, strstr(self->fail.text, "nowhere"));
	EXPECT_EQ(-ENODEV, net_link_up(self->net[0], "nowhere", NULL));
	EXPECT_EQ(-ENODEV, net_link_down(self->net[0], "nowhere", NULL));
	EXPECT_EQ(-ENODEV, net_limit_none(self->net[0], "nowhere", NULL));
}

TEST_F(cable, end_switched_off_takes_the_carrier_of_the_other)
{
	struct sockaddr_in peer = address_of(NET_B, 0);
	struct net_link link;

	ASSERT_EQ(0, net_link_down(self->net[0], "left", NULL));
	ASSERT_EQ(0, net_link_get(self->net[0], "left", &link, NULL));
	EXPECT_FALSE(link.up);
	EXPECT_GT(0, net_link_toward(self->net[0], (void *)&peer, &link, NULL));
	ASSERT_EQ(0, net_link_get(self->net[1], "right", &link, NULL));
	EXPECT_TRUE(link.up);
	EXPECT_FALSE(link.carrier);

	ASSERT_EQ(0, net_link_up(self->net[0], "left", NULL));
	EXPECT_EQ(0, net_link_toward(self->net[0], (void *)&peer, &link, NULL));
	ASSERT_EQ(0, net_link_get(self->net[1], "right", &link, NULL));
	EXPECT_TRUE(link.carrier);
}

struct news {
	unsigned int count;
	struct net_event last;
};

static void note_event(void *arg, const struct net_event *event)
{
	struct news *news = arg;

	news->count++;
	news->last = *event;
}

/* The next news that say @carrier; time-outs are the harness's. */
static bool hear_carrier(struct net_watch *watch, struct news *news,
			 bool carrier)
{
	do {
		if (sys_wait_fd(net_watch_fd(watch), POLLIN, -1) ||
		    net_watch_dispatch(watch))
			return false;
	} while (!news->count || news->last.carrier != carrier);
	return true;
}

TEST_F(cable, watch_hears_the_carrier_go_and_come_back)
{
	struct news news = { 0 };
	struct net_watch *watch;

	ASSERT_EQ(0, net_watch_create(&watch, self->netns[1], note_event,
				      &news, NULL));
	EXPECT_EQ(0, net_watch_dispatch(watch));
	EXPECT_EQ(0, news.count);

	ASSERT_EQ(0, net_link_down(self->net[0], "left", NULL));
	EXPECT_TRUE(hear_carrier(watch, &news, false));
	EXPECT_STREQ("right", news.last.name);
	EXPECT_TRUE(news.last.up);
	EXPECT_FALSE(news.last.gone);

	ASSERT_EQ(0, net_link_up(self->net[0], "left", NULL));
	EXPECT_TRUE(hear_carrier(watch, &news, true));
	net_watch_destroy(watch);
}

TEST_F(cable, nothing_of_it_is_in_our_own_namespace)
{
	struct net_link link;
	struct net *net;

	ASSERT_EQ(0, net_open(&net, NULL));
	EXPECT_EQ(-ENODEV, net_link_get(net, "left", &link, NULL));
	EXPECT_EQ(-ENODEV, net_link_get(net, "right", &link, NULL));
	net_close(net);
}

TEST(destroy_of_null_is_nothing)
{
	net_close(NULL);
	net_watch_destroy(NULL);
}

TEST_HARNESS_MAIN
