// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kvm.c - a domain of KVM's, whose registers KVM itself sets in memory.
 *
 * On machines whose /dev/kvm emulates, a kernel takes minutes to boot; a
 * firmware that finds nothing to boot runs as well. It counts the ticks of its
 * timer in memory, and has a clock page of KVM's, which is written when a vCPU
 * is loaded: at the dest that page is missing then.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define GUEST		"firmware"
#define TICKS		"xp /1wx 0x46c"	/* the BIOS data area's, 18.2 a second */
#define TRIES		600
#define TRY_MS		50

FIXTURE(kvm) {
	struct journey journey;
};

FIXTURE_VARIANT(kvm) {
	const char *options;
	const char *qemu;
	enum domain_memory memory;
};

FIXTURE_VARIANT_ADD(kvm, postcopy) {
	.options = "\"live\":true,\"postcopy\":true,\"rounds_max\":0",
};
FIXTURE_VARIANT_ADD(kvm, postcopy_memfd_10) {
	.options = "\"live\":true,\"postcopy\":true,\"rounds_max\":0",
	.qemu = VIRT_QEMU_10, .memory = DOMAIN_MEMFD_SHARED,
};
FIXTURE_VARIANT_ADD(kvm, precopy) { .options = "\"live\":true" };

FIXTURE_SETUP(kvm)
{
	const struct virt_options options = {
		.production = true, .qemu = variant->qemu,
	};

	if (access("/dev/kvm", F_OK))
		SKIP(return, "there is no /dev/kvm");
	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(kvm)
{
	journey_down(&self->journey);
}

/* "000000000000046c: 0x000000b5" */
static unsigned long ticks(struct virt_host *virt)
{
	char text[256] = "";
	const char *value;

	ASSERT_EQ(0, journey_virsh(virt, text, sizeof(text),
				   "qemu-monitor-command", GUEST, "--hmp", TICKS, NULL)) {
		TH_LOG("%s", text);
	}
	value = strstr(text, ": 0x");
	return value ? strtoul(value + 2, NULL, 16) : 0;
}

static unsigned long ticks_beyond(struct virt_host *virt, unsigned long before)
{
	unsigned long now = ticks(virt);
	int i;

	for (i = 0; i < TRIES && now <= before; i++) {
		poll(NULL, 0, TRY_MS);
		now = ticks(virt);
	}
	EXPECT_GT(now, before);
	return now;
}

TEST_F_TIMEOUT(kvm, firmware_goes_on_where_it_was, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	const struct domain domain = {
		.name = GUEST, .memory_mib = 64, .kvm = true,
		.memory = variant->memory,
	};
	unsigned long before;

	ASSERT_EQ(0, domain_create(journey->here, &domain, &journey->ground.fail)) {
		TH_LOG("%s", journey->ground.fail.text);
	}
	before = ticks_beyond(journey->here, 0);
	ASSERT_EQ(0, move_run(&journey->move, journey->here->host, GUEST,
			      journey->there->host->address, variant->options)) {
		TH_LOG("%s", journey->move.error);
	}
	EXPECT_EQ(0, host_settle(journey->there->host));
	ticks_beyond(journey->there, before);
	EXPECT_EQ(0, host_processes(journey->here->host, "qemu-system-x86"));
}

TEST_HARNESS_MAIN
