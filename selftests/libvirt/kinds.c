/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kinds.c - domains with all kinds of machines, firmware and devices migrate.
 *
 * Each of them has other RAM blocks than the next one: firmware in flash,
 * video memory, ROMs, several pieces of main memory.
 */
#include <sys/resource.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/domain.h"

FIXTURE(kind) {
	struct journey journey;
};

FIXTURE_VARIANT(kind) {
	struct virt_options options;
	struct domain domain;
	const char *words;	/* for the guest's kernel */
	unsigned int dimm_mib;	/* plugged in while it is there */
	bool is_short;
};

/* A disk to work on and one for the trace, elsewhere than usual. */
#define SCSI_DISKS .disks = {						\
	{ VIRT_SHARED "/work.qcow2", "qcow2", "scsi", "none", false, false }, \
	{ VIRT_SHARED "/trace.raw", "raw", "scsi", "none", true, false },	\
}
#define SCSI_WORDS "straddle.disk=/dev/sda straddle.witness=/dev/sdb"

#define EVERYTHING .rng = true, .balloon = true, .usb = true,		\
	.channel = true, .mac = JOURNEY_MAC, SCSI_DISKS

FIXTURE_VARIANT_ADD(kind, pc_vga) {
	.domain = { .machine = "pc", .video = "vga" },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, pc_cirrus_4_vcpus) {
	.domain = { .machine = "pc", .video = "cirrus", .vcpus = 4 },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, q35) {
	.domain = { .machine = "q35" },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, q35_virtio_video_2_vcpus) {
	.domain = { .machine = "q35", .video = "virtio", .vcpus = 2 },
	.words = "",
};

/* A model that is looked up on each host: what runs is what crosses. */
FIXTURE_VARIANT_ADD(kind, pc_host_model) {
	.domain = { .machine = "pc", .cpu = "host-model" },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, pc_devices) {
	.domain = { .machine = "pc", EVERYTHING, },
	.words = SCSI_WORDS,
};

FIXTURE_VARIANT_ADD(kind, q35_ovmf_vga) {
	.domain = { .machine = "q35", .ovmf = true, .video = "vga" },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, pc_ovmf) {
	.domain = { .machine = "pc", .ovmf = true },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, production_pc) {
	.options.production = true,
	.domain = { .machine = "pc", .video = "vga", .usb = true },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, production_q35_ovmf_devices) {
	.options.production = true,
	.domain = { .machine = "q35", .ovmf = true, .video = "virtio",
		    .vcpus = 2, .memory = DOMAIN_MEMFD_SHARED, EVERYTHING, },
	.words = SCSI_WORDS,
	.is_short = true,
};

FIXTURE_VARIANT_ADD(kind, qemu_10_pc_vga) {
	.options = { .qemu = VIRT_QEMU_10 },
	.domain = { .machine = "pc-i440fx-7.2", .video = "vga" },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, qemu_10_production_q35_ovmf_devices) {
	.options = { .production = true, .qemu = VIRT_QEMU_10 },
	.domain = { .machine = "pc-q35-7.2", .ovmf = true, .video = "vga",
		    .vcpus = 2, EVERYTHING, },
	.words = SCSI_WORDS,
};

FIXTURE_VARIANT_ADD(kind, two_nodes) {
	.domain = { .vcpus = 2, .memory_mib = 192, .cells = 2 },
	.words = "straddle.mem=96 straddle.ws=80",
};

FIXTURE_VARIANT_ADD(kind, two_nodes_memfd) {
	.domain = { .vcpus = 2, .memory_mib = 192, .cells = 2,
		    .memory = DOMAIN_MEMFD_SHARED },
	.words = "straddle.mem=96 straddle.ws=80",
};

FIXTURE_VARIANT_ADD(kind, qemu_10_two_nodes) {
	.options = { .qemu = VIRT_QEMU_10 },
	.domain = { .vcpus = 2, .memory_mib = 192, .cells = 2 },
	.words = "straddle.mem=96 straddle.ws=80",
};

/* On both sides of the hole below 4 GiB. */
FIXTURE_VARIANT_ADD(kind, above_4_gib) {
	.domain = { .memory_mib = 5120 },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, q35_above_4_gib_memfd) {
	.domain = { .machine = "q35", .memory_mib = 5120,
		    .memory = DOMAIN_MEMFD_SHARED },
	.words = "",
};

/* All of it is there, before anything has arrived. */
FIXTURE_VARIANT_ADD(kind, preallocated) {
	.domain = { .prealloc = true },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, preallocated_memfd) {
	.domain = { .prealloc = true, .memory = DOMAIN_MEMFD_SHARED },
	.words = "",
};

/* The file behind it has each page, too, and no fault would be raised for these. */
FIXTURE_VARIANT_ADD(kind, preallocated_memfd_private) {
	.domain = { .prealloc = true, .memory = DOMAIN_MEMFD_PRIVATE },
	.words = "",
	.is_short = true,
};

FIXTURE_VARIANT_ADD(kind, preallocated_file_private) {
	.domain = { .prealloc = true, .memory = DOMAIN_FILE_PRIVATE },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, locked) {
	.domain = { .locked = true },
	.words = "",
};

FIXTURE_VARIANT_ADD(kind, locked_memfd) {
	.domain = { .locked = true, .memory = DOMAIN_MEMFD_SHARED },
	.words = "",
};

/* The guest's memory does not fit without what was plugged in. */
#define DIMM_WORDS(mib) \
	"memhp_default_state=online straddle.ws=" #mib " straddle.mem=" #mib

FIXTURE_VARIANT_ADD(kind, plugged_dimm) {
	.domain = { .memory_mib = 160, .cells = 1, .dimms_mib = 1024 },
	.words = DIMM_WORDS(120), .dimm_mib = 128,
};

/* As large as what was there before: which is which? */
FIXTURE_VARIANT_ADD(kind, plugged_dimm_as_large_as_a_node) {
	.domain = { .memory_mib = 128, .cells = 1, .dimms_mib = 1024 },
	.words = DIMM_WORDS(90), .dimm_mib = 128,
};

FIXTURE_VARIANT_ADD(kind, qemu_10_plugged_dimm_memfd) {
	.options = { .qemu = VIRT_QEMU_10 },
	.domain = { .memory_mib = 128, .cells = 1, .dimms_mib = 1024,
		    .memory = DOMAIN_MEMFD_SHARED },
	.words = DIMM_WORDS(90), .dimm_mib = 128,
};

/* libvirt raises it for a QEMU that is to lock its memory. */
static bool may_lock(void)
{
	const struct rlimit limit = { DOMAIN_LOCKED_MAX, DOMAIN_LOCKED_MAX };

	return !setrlimit(RLIMIT_MEMLOCK, &limit);
}

FIXTURE_SETUP(kind)
{
	if (!variant->is_short && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	if (variant->domain.locked && !may_lock())
		SKIP(return, "no right to raise RLIMIT_MEMLOCK: CAP_SYS_RESOURCE");
	journey_up(&self->journey, &variant->options);
}

FIXTURE_TEARDOWN(kind)
{
	journey_down(&self->journey);
}

/* The kernel takes it while it boots; QEMU runs already. */
static void boot_plugged(struct journey *journey, const struct domain *domain,
			 const char *words, unsigned int dimm_mib)
{
	struct virt_host *here = journey->here;
	const char *path = VIRT_PRIVATE "/dimm.xml";
	char xml[256];

	snprintf(xml, sizeof(xml), "<memory model='dimm'><target>"
		 "<size unit='MiB'>%u</size><node>0</node></target></memory>",
		 dimm_mib);
	journey_prepare(journey, domain, words);
	ASSERT_EQ(0, virt_host_write(here, path, xml));
	ASSERT_EQ(0, domain_define(here, &journey->domain,
				   &journey->ground.fail)) {
		TH_LOG("%s", journey->ground.fail.text);
	}
	ASSERT_EQ(0, journey_virsh(here, NULL, 0, "start", JOURNEY_GUEST,
				   "--paused", NULL));
	ASSERT_EQ(0, journey_virsh(here, NULL, 0, "attach-device",
				   JOURNEY_GUEST, path, "--live", NULL));
	ASSERT_EQ(0, journey_virsh(here, NULL, 0, "resume", JOURNEY_GUEST,
				   NULL));
	ASSERT_EQ(0, journey_virsh(here, NULL, 0, "undefine", JOURNEY_GUEST,
				   NULL));
	journey_ready(journey);
}

TEST_F_TIMEOUT(kind, crosses_and_comes_back, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	if (variant->dimm_mib)
		boot_plugged(journey, &variant->domain, variant->words,
			     variant->dimm_mib);
	else
		journey_boot(journey, &variant->domain, variant->words);
	journey_there(journey, JOURNEY_ROUNDS);
	journey_there(journey, JOURNEY_POSTCOPY);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
