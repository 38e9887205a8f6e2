/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* afterwards.c - a domain that has arrived is as good as one started there. */
#include <poll.h>
#include <string.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/domain.h"

#define POSTCOPY "\"live\":true,\"postcopy\":true,\"rounds_max\":1,"	\
		 "\"downtime_ns\":1000"
#define MOVED_WHOLLY POSTCOPY ",\"persistent\":true,\"undefine_source\":true"
#define LONG_ONLY	"part of the long matrix: TEST_LONG=1 runs it"
#define OFF_TRIES	600
#define TRY_MS		100

FIXTURE(arrived) {
	struct journey journey;
};

FIXTURE_VARIANT(arrived) {
	struct virt_options options;
	struct domain domain;
	bool is_short;
};

FIXTURE_VARIANT_ADD(arrived, pc) {
	.domain = { .machine = "pc", .video = "vga" },
	.is_short = true,
};

FIXTURE_VARIANT_ADD(arrived, q35) {
	.domain = { .machine = "q35", .video = "vga", .usb = true },
};

FIXTURE_VARIANT_ADD(arrived, pc_ovmf) {
	.domain = { .machine = "pc", .ovmf = true, .video = "vga" },
};

FIXTURE_VARIANT_ADD(arrived, production_q35_ovmf) {
	.options.production = true,
	.domain = { .machine = "q35", .ovmf = true, .video = "virtio",
		    .memory = DOMAIN_MEMFD_SHARED },
};

FIXTURE_VARIANT_ADD(arrived, qemu_10_q35_ovmf) {
	.options.qemu = VIRT_QEMU_10,
	.domain = { .machine = "pc-q35-7.2", .ovmf = true, .video = "vga" },
};

FIXTURE_SETUP(arrived)
{
	if (!variant->is_short && !journey_is_long())
		SKIP(return, LONG_ONLY);
	journey_up(&self->journey, &variant->options);
}

FIXTURE_TEARDOWN(arrived)
{
	journey_down(&self->journey);
}

/* It was defined where it came from, and is so here and only here. */
static void arrive(FIXTURE_DATA(arrived) *self,
		   const FIXTURE_VARIANT(arrived) *variant)
{
	struct journey *journey = &self->journey;
	struct fail *fail = &journey->ground.fail;
	char text[4096] = "";

	journey_prepare(journey, &variant->domain, "");
	ASSERT_EQ(0, domain_define(journey->here, &journey->domain, fail) ||
		     domain_start(journey->here, JOURNEY_GUEST, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
	journey_move(journey, MOVED_WHOLLY);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
	EXPECT_EQ(0, journey_virsh(journey->there, text, sizeof(text), "list",
				   "--all", "--name", NULL));
	EXPECT_NULL(strstr(text, JOURNEY_GUEST));
}

static void virsh(struct journey *journey, const char *verb)
{
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, verb, JOURNEY_GUEST,
				   NULL));
}

/* Its serial log is from its arrival on, so that "ready" is a new one. */
static void expect_boot(struct journey *journey)
{
	char boot[17];

	strcpy(boot, journey->beat.boot);
	ASSERT_EQ(0, domain_says(journey->here, JOURNEY_GUEST,
				 "straddle-guest: ready", JOURNEY_BOOT_MS)) {
		journey_explain(journey);
	}
	journey_ready(journey);
	EXPECT_STRNE(boot, journey->beat.boot);
	journey_proves_itself(journey);
}

static void expect_off(struct journey *journey)
{
	char state[128] = "";
	int i;

	for (i = 0; i < OFF_TRIES && strcmp(state, "shut off"); i++) {
		poll(NULL, 0, TRY_MS);
		domain_state(journey->here, JOURNEY_GUEST, state,
			     sizeof(state));
	}
	EXPECT_STREQ("shut off", state) {
		journey_explain(journey);
	}
}

TEST_F_TIMEOUT(arrived, can_be_asked_about, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	char text[16384] = "";

	if (!journey_is_long())
		SKIP(return, LONG_ONLY);
	arrive(self, variant);
	EXPECT_EQ(0, domain_dumpxml(journey->here, JOURNEY_GUEST, text,
				    sizeof(text), &journey->ground.fail));
	EXPECT_NE(NULL, strstr(text, "</domain>"));
	EXPECT_EQ(0, journey_virsh(journey->here, text, sizeof(text),
				   "domjobinfo", JOURNEY_GUEST, NULL));
	EXPECT_NE(NULL, strstr(text, "None")) {
		TH_LOG("%s", text);
	}
	virsh(journey, "domblklist");
	virsh(journey, "dommemstat");
	virsh(journey, "suspend");
	virsh(journey, "resume");
	journey_proves_itself(journey);
	virsh(journey, "destroy");
	expect_off(journey);
}

/* What the firmware takes at a reset came along: it was loaded there only. */
TEST_F_TIMEOUT(arrived, boots_again_when_reset, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	arrive(self, variant);
	virsh(journey, "reset");
	expect_boot(journey);
}

TEST_F_TIMEOUT(arrived, goes_off_and_on, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	if (!journey_is_long())
		SKIP(return, LONG_ONLY);
	arrive(self, variant);
	virsh(journey, "managedsave");
	expect_off(journey);
	virsh(journey, "start");
	journey_proves_itself(journey);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "shutdown",
				   JOURNEY_GUEST, "--mode", "acpi", NULL));
	expect_off(journey);
	virsh(journey, "start");
	expect_boot(journey);
}

TEST_F_TIMEOUT(arrived, reboots, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	if (!journey_is_long())
		SKIP(return, LONG_ONLY);
	arrive(self, variant);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "reboot",
				   JOURNEY_GUEST, "--mode", "acpi", NULL));
	expect_boot(journey);
}

/* ---- by libvirt itself -------------------------------------------------- */

/*
 * QEMU 7.2 loses pages of TCG guests when it migrates them by itself, so it
 * cannot be the measure here.
 */
FIXTURE(native) {
	struct journey journey;
};

FIXTURE_VARIANT(native) {
	enum domain_memory memory;
	const char *option;	/* of virsh migrate */
};

FIXTURE_VARIANT_ADD(native, precopy) {
	.memory = DOMAIN_ANONYMOUS, .option = "--auto-converge",
};
FIXTURE_VARIANT_ADD(native, postcopy) {
	.memory = DOMAIN_ANONYMOUS, .option = "--postcopy",
};
FIXTURE_VARIANT_ADD(native, postcopy_memfd) {
	.memory = DOMAIN_MEMFD_SHARED, .option = "--postcopy",
};

FIXTURE_SETUP(native)
{
	const struct virt_options options = { .qemu = VIRT_QEMU_10 };

	if (!journey_is_long())
		SKIP(return, LONG_ONLY);
	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(native)
{
	journey_down(&self->journey);
}

static void move_natively(struct journey *journey, const char *option)
{
	struct virt_host *from = journey->here, *to = journey->there;
	bool late = !strcmp(option, "--postcopy");
	char peer[256], link[64];

	snprintf(peer, sizeof(peer), "qemu+unix:///system?socket=%s/run/libvirt-sock",
		 to->dir);
	snprintf(link, sizeof(link), "tcp://%s", to->host->address);
	ASSERT_EQ(0, journey_virsh(from, NULL, 0, "migrate", "--live", "--unsafe", option,
				   late ? "--postcopy-after-precopy" :
				   "--verbose", JOURNEY_GUEST, peer, link,
				   NULL)) {
		journey_explain(journey);
	}
	journey->here = to;
	journey->there = from;
}

TEST_F_TIMEOUT(native, migration_takes_it_on_and_back_to_us, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = {
		.machine = "pc-i440fx-7.2", .memory = variant->memory,
	};
	struct journey *journey = &self->journey;

	journey_boot(journey, &domain, "");
	journey_there(journey, JOURNEY_ROUNDS);
	move_natively(journey, variant->option);
	/* Whether QEMU has a userfaultfd of its own by then is its business. */
	journey_is_here(journey, "running");
	journey_proves_itself(journey);
	journey_there(journey, JOURNEY_ROUNDS);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
