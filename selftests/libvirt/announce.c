// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * announce.c - a guest tells the network where it is when it owns itself there.
 *
 * QEMU sends RARP frames for a guest that came in by a migration, when it is
 * resumed and not when it was loaded. A capture between the bridges tells: of
 * a guest that was loaded and given up, none; of one that runs, some.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "journey.h"
#include "sys.h"
#include "tools/net/netns.h"

#define FRAME_MS	10000
#define QUIET_MS	1000	/* QEMU announces five times within it */
#define FRAMES_MAX	10000	/* of anybody's */
#define RARP		0x8035
#define OPTIONS		"\"live\":true,\"postcopy\":true,\"persistent\":true," \
			"\"rounds_max\":1"

static const uint8_t mac[ETH_ALEN] = { 0x52, 0x54, 0x00, 0x99, 0x00, 0x10 };

FIXTURE(announce) {
	struct journey journey;
	int capture;
};

/*
 * In the client's namespace, on the cable from the dest: a port of a bridge,
 * whose frames only listeners to all protocols see.
 */
static int capture_open(void *arg)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(arg),
	};
	int fd = sys_ret(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC |
				SOCK_NONBLOCK, htons(ETH_P_ALL)));
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Frames of the guest's that wait, or come within a while. */
static unsigned int frames_of_guest(int fd, int timeout_ms)
{
	unsigned int count = 0, left = FRAMES_MAX;

	while (left-- && !sys_wait_fd(fd, POLLIN, count ? QUIET_MS : timeout_ms)) {
		uint8_t frame[2048];
		ssize_t size = sys_retry(read(fd, frame, sizeof(frame)));

		if (size >= (ssize_t)sizeof(struct ethhdr) &&
		    !memcmp(frame + ETH_ALEN, mac, ETH_ALEN) &&
		    frame[12] == RARP >> 8 && frame[13] == (RARP & 0xff))
			count++;
	}
	return count;
}

FIXTURE_SETUP(announce)
{
	const struct virt_options options = { .production = false };
	const struct domain domain = { .mac = JOURNEY_MAC };
	const struct segment *segment;

	self->capture = -1;
	journey_up(&self->journey, &options);
	segment = self->journey.ground.virts->segment;
	self->capture = netns_run(segment->client.netns, capture_open,
				  (void *)(uintptr_t)self->journey.there->host->name);
	ASSERT_LE(0, self->capture);
	journey_boot(&self->journey, &domain,
		     "straddle.ip=" JOURNEY_ADDRESS "/24");
}

FIXTURE_TEARDOWN(announce)
{
	if (self->capture >= 0)
		close(self->capture);
	journey_down(&self->journey);
}

/* Where definitions are kept for a while there is a file: Finish fails. */
static void definitions_spoil(const struct host *host)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/definitions", host->state_dir);
	(void)sys_ret(rmdir(path));
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	ASSERT_LE(0, fd);
	close(fd);
}

TEST_F_TIMEOUT(announce, guest_that_was_only_loaded_said_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	definitions_spoil(journey->there->host);
	ASSERT_NE(0, move_run(&journey->move, journey->here->host,
			      JOURNEY_GUEST, journey->there->host->address,
			      OPTIONS));
	EXPECT_STREQ("RESUMED", journey->move.state);
	EXPECT_EQ(0, frames_of_guest(self->capture, QUIET_MS));
	journey_proves_itself(journey);
}

TEST_F_TIMEOUT(announce, guest_that_runs_there_says_so, JOURNEY_TIMEOUT_S)
{
	journey_move(&self->journey, OPTIONS);
	EXPECT_LT(0, frames_of_guest(self->capture, FRAME_MS));
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
