// SPDX-License-Identifier: LGPL-2.1-or-later
/* bridge.c - a port is waited for until it forwards. */
#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "harness.h"
#include "sys.h"
#include "tools/net/net.h"
#include "tools/net/netns.h"

#define BRIDGE		"br0"
#define PORT		"left"
#define DELAY		200	/* centiseconds in each state, the least */
#define FORWARDS_MS	30000

FIXTURE(bridge) {
	int netns;
	struct fail fail;
};

static int bridge_option(int fd, unsigned long option, unsigned long value)
{
	unsigned long args[4] = { option, value };
	struct ifreq request = { .ifr_name = BRIDGE, .ifr_data = (char *)args };

	return sys_ret(ioctl(fd, SIOCDEVPRIVATE, &request));
}

static int bridge_make(void *arg)
{
	__cleanup_fd int fd = sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
					     0));
	struct ifreq request = { .ifr_name = BRIDGE };
	int ret = sys_ret(ioctl(fd, SIOCBRADDBR, BRIDGE));

	(void)arg;
	if (!ret)
		ret = bridge_option(fd, BRCTL_SET_BRIDGE_STP_STATE, 1);
	if (!ret)
		ret = bridge_option(fd, BRCTL_SET_BRIDGE_FORWARD_DELAY, DELAY);
	request.ifr_ifindex = (int)if_nametoindex(PORT);
	if (!ret)
		ret = sys_ret(ioctl(fd, SIOCBRADDIF, &request));
	return ret;
}

static int bridge_up(void *arg)
{
	__cleanup_fd int fd = sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
					     0));
	struct ifreq request = { .ifr_name = BRIDGE, .ifr_flags = IFF_UP };

	(void)arg;
	return sys_ret(ioctl(fd, SIOCSIFFLAGS, &request));
}

/* A port without wait, then with it. */
struct question {
	const char *name;
	int timeout_ms;
};

static int question_ask(void *arg)
{
	const struct question *question = arg;

	return net_bridge_wait(question->name, question->timeout_ms, NULL);
}

static int port_wait(int netns, const char *name, int timeout_ms)
{
	struct question question = { name, timeout_ms };

	return netns_run(netns, question_ask, &question);
}

FIXTURE_SETUP(bridge)
{
	struct netns_end a = { .name = PORT, .address = "10.78.0.1/24" };
	struct netns_end b = { .name = "right", .address = "10.78.0.2/24" };

	self->netns = netns_create(&self->fail);
	if (self->netns == -EPERM)
		SKIP(return, "%s", self->fail.text);
	ASSERT_GE(self->netns, 0);
	a.netns = b.netns = self->netns;
	ASSERT_EQ(0, netns_connect(&a, &b, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, netns_run(self->netns, bridge_make, NULL));
}

FIXTURE_TEARDOWN(bridge)
{
	if (self->netns >= 0)
		close(self->netns);
}

TEST_F(bridge, port_is_waited_for_until_it_forwards)
{
	ASSERT_EQ(0, netns_run(self->netns, bridge_up, NULL));
	EXPECT_EQ(-ETIMEDOUT, port_wait(self->netns, PORT, 0));
	EXPECT_EQ(0, port_wait(self->netns, PORT, FORWARDS_MS));
	EXPECT_EQ(0, port_wait(self->netns, PORT, 0));
}

TEST_F(bridge, port_of_a_bridge_that_is_down_is_given_up)
{
	EXPECT_EQ(-ETIMEDOUT, port_wait(self->netns, PORT, 100));
}

TEST_F(bridge, link_that_is_no_port_is_not_waited_for)
{
	EXPECT_EQ(0, port_wait(self->netns, "right", FORWARDS_MS));
	EXPECT_EQ(0, port_wait(self->netns, "nothing", FORWARDS_MS));
}

TEST_HARNESS_MAIN
