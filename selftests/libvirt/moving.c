// SPDX-License-Identifier: LGPL-2.1-or-later
/* moving.c - libvirt hosts with agents, and a guest that libvirt may move. */
#include "moving.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/move.h"
#include "sys.h"

#define BOOT_TIMEOUT_MS	120000
#define TRY_MS		50
#define TRIES		1200

/* What QEMU cannot do about a guest that writes 80 MB a second. */
const struct net_rate moving_slow = {
	.rate = 200000000, .burst = 128 << 10, .latency_us = 50000,
};

/**
 * moving_agent() - start an agent, wait until it answers
 * @moving: whose host it is on
 * @virt: the host
 * @inject: a fault (straddled --inject), or NULL
 *
 * Return: its pid.
 */
pid_t moving_agent(struct moving *moving, struct virt_host *virt, const char *inject)
{
	const struct host *host = virt->host;
	const char *const argv[] = {
		"straddled", "--listen", host->address, "--tls", "off",
		"--state-dir", host->state_dir, "--run-dir", host->run_dir,
		inject ? "--inject" : NULL, inject, NULL
	};
	pid_t pid = virt_host_spawn(virt, argv, "straddled.log", moving->fail);
	int i, ret = -1;

	ASSERT_LT(0, pid) {
		TH_LOG("%s", moving->fail->text);
	}
	for (i = 0; i < TRIES && ret; i++) {
		struct fail ignored = { 0 };

		ret = agent_ask(host, NULL, &ignored, "{\"do\":\"status\"}");
		if (ret)
			poll(NULL, 0, TRY_MS);
	}
	ASSERT_EQ(0, ret);
	return pid;
}

/**
 * moving_by() - how to migrate from now on
 * @moving: on what ground
 * @engine: name of it; libvirt's way is a socket, as both are one machine
 */
void moving_by(struct moving *moving, const char *engine)
{
	snprintf(moving->uri, sizeof(moving->uri),
		 "qemu+unix:///system?socket=%s/run/libvirt-sock",
		 moving->dest->dir);
	snprintf(moving->way, sizeof(moving->way),
		 "\"engine\":\"%s\",\"dest_uri\":\"%s\"", engine, moving->uri);
}

/**
 * moving_up() - two libvirt hosts, and an agent on the source
 * @moving: receives them; moving_down() takes them down
 * @production: as virt_options has it
 */
void moving_up(struct moving *moving, bool production)
{
	/* QEMU 7.2 loses pages of a TCG guest that it migrates itself. */
	const struct virt_options options = {
		.qemu = VIRT_QEMU_10, .production = production,
	};

	memset(moving, 0, sizeof(*moving));
	ground_up(&moving->ground, &options);
	moving->fail = &moving->ground.fail;
	moving->source = &moving->ground.virts->source;
	moving->dest = &moving->ground.virts->dest;
	moving->agent = moving_agent(moving, moving->source, NULL);
	moving_by(moving, "native");
}

/**
 * moving_down() - end all on both hosts
 * @moving: what moving_up() made
 */
void moving_down(struct moving *moving)
{
	ground_down(&moving->ground);
}

/**
 * moving_guest() - boot a guest on the source
 * @moving: on what ground
 * @rate: pages written a second
 */
void moving_guest(struct moving *moving, unsigned int rate)
{
	struct domain domain = { .name = GUEST, .memory_mib = 192 };
	char cmdline[128], text[2048] = "";

	if (domain_guest(moving->source, &domain))
		SKIP(return, "the guest of selftests/libvirt/guest is not built");
	snprintf(cmdline, sizeof(cmdline), "console=ttyS0 panic=-1 straddle.mem=64 "
		 "straddle.walk=2000 straddle.rate=%u", rate);
	domain.cmdline = cmdline;
	ASSERT_EQ(0, domain_create(moving->source, &domain, moving->fail)) {
		TH_LOG("%s", moving->fail->text);
	}
	ASSERT_EQ(0, domain_says(moving->source, GUEST, "straddle-guest: boot",
				 BOOT_TIMEOUT_MS)) {
		domain_serial(moving->source, GUEST, text, sizeof(text));
		TH_LOG("%s", text);
	}
}

/**
 * moving_start() - begin a migration of it
 * @moving: on what ground
 * @move: receives it
 * @options: more members of its options, as JSON
 */
void moving_start(struct moving *moving, struct move *move,
		  const char *options)
{
	char all[1024];

	snprintf(all, sizeof(all), "%s,%s", moving->way, options);
	ASSERT_EQ(0, move_start(move, moving->source->host, GUEST,
				moving->dest->host->address, all)) {
		TH_LOG("%s", move->error);
	}
}

/**
 * moving_row() - expect how it stands in the source's history
 * @moving: on what ground
 * @move: the migration
 * @expected: the state
 */
void moving_row(struct moving *moving, const struct move *move,
		const char *expected)
{
	char state[32];

	row_state(moving->source->host, move->id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ(expected, state);
}

/**
 * moving_is_at() - expect that one host runs it, and one only
 * @here: which
 * @there: not this one
 */
void moving_is_at(struct virt_host *here, struct virt_host *there)
{
	char state[128];

	EXPECT_EQ(0, domain_state(here, GUEST, state, sizeof(state)));
	EXPECT_STREQ("running", state);
	EXPECT_NE(0, domain_state(there, GUEST, state, sizeof(state)));
	EXPECT_GE(0, domain_qemu(there, GUEST));
}

/**
 * moving_arrived() - expect that the dest runs it, all as it was written
 * @moving: on what ground
 */
void moving_arrived(struct moving *moving)
{
	char text[8192];

	moving_is_at(moving->dest, moving->source);
	EXPECT_EQ(0, domain_says(moving->dest, GUEST, "straddle-guest: boot=",
				 BOOT_TIMEOUT_MS));
	EXPECT_EQ(0, domain_serial(moving->dest, GUEST, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, " bad=0 "));
	EXPECT_EQ(NULL, strstr(text, "guest: bad"));
}
