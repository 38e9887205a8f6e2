// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * copied.c - disks that two hosts do not share go along with their domain.
 *
 * The guest works on its first disk all the time, past the page cache, and
 * checks what it reads; a second one holds what nobody writes, and is compared
 * afterwards.
 */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "images.h"
#include "tools/lib/migration_json.h"

FIXTURE(copied) {
	struct journey journey;
};

FIXTURE_VARIANT(copied) {
	struct domain domain;
	const char *words;		/* for the guest's kernel */
	const char *options;
	unsigned int copies;
	bool overlay;			/* its second disk has a backing file */
	const char *qemu;		/* NULL: VIRT_QEMU */
	bool is_short;
};

FIXTURE_VARIANT_ADD(copied, raw_virtio_precopy) {
	.domain.disks = { PRIVATE(BUSY, "raw", "virtio"),
			  PRIVATE(STILL, "raw", "virtio") },
	.words = "straddle.witness=none straddle.disk_rate=2000",
	.options = PRECOPY ALL, .copies = 2, .is_short = true,
};

FIXTURE_VARIANT_ADD(copied, qcow2_virtio_postcopy) {
	.domain.disks = { PRIVATE(BUSY, "qcow2", "virtio"),
			  PRIVATE(STILL, "qcow2", "virtio") },
	.words = "straddle.witness=none straddle.disk_rate=2000",
	.options = POSTCOPY ALL, .copies = 2, .is_short = true,
};

FIXTURE_VARIANT_ADD(copied, qcow2_scsi_synchronous_writes) {
	.domain.disks = { PRIVATE(BUSY, "qcow2", "scsi"),
			  PRIVATE(STILL, "raw", "virtio") },
	.words = "straddle.disk=/dev/sda straddle.witness=none straddle.disk_rate=0",
	.options = POSTCOPY ALL ",\"copy_synchronous\":true", .copies = 2,
};

FIXTURE_VARIANT_ADD(copied, what_is_not_in_the_backing_file) {
	.domain.disks = { PRIVATE(BUSY, "raw", "virtio"),
			  PRIVATE(STILL, "qcow2", "virtio") },
	.words = "straddle.witness=none",
	.options = POSTCOPY INC, .copies = 2, .overlay = true, .is_short = true,
};

FIXTURE_VARIANT_ADD(copied, all_of_an_overlay) {
	.domain.disks = { PRIVATE(BUSY, "raw", "virtio"),
			  PRIVATE(STILL, "qcow2", "virtio") },
	.words = "straddle.witness=none",
	.options = PRECOPY ALL, .copies = 2, .overlay = true,
};

FIXTURE_VARIANT_ADD(copied, qemu_10) {
	.domain.disks = { PRIVATE(BUSY, "qcow2", "virtio"),
			  PRIVATE(STILL, "qcow2", "virtio") },
	.words = "straddle.witness=none straddle.disk_rate=2000",
	.options = POSTCOPY ALL, .copies = 2, .qemu = VIRT_QEMU_10,
};

/* It would never be through: the guest writes all that it can. */
FIXTURE_VARIANT_ADD(copied, outrun_until_time_is_up) {
	.domain.disks = { PRIVATE(BUSY, "raw", "virtio"),
			  PRIVATE(STILL, "raw", "virtio") },
	.words = "straddle.witness=none straddle.disk_rate=0",
	.options = "\"live\":true,\"bandwidth\":4194304,"
		   "\"timeout_ns\":20000000000" ALL,
	.copies = 2,
};

FIXTURE_VARIANT_ADD(copied, without_live) {
	.domain.disks = { PRIVATE(BUSY, "raw", "virtio"),
			  PRIVATE(STILL, "raw", "virtio") },
	.words = "straddle.witness=none",
	.options = "\"live\":false" ALL, .copies = 2,
};

FIXTURE_SETUP(copied)
{
	const struct virt_options options = {
		.production = true, .qemu = variant->qemu,
	};

	if (!variant->is_short && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(copied)
{
	journey_down(&self->journey);
}

static void image_explain(struct virt_host *virt, const struct domain_disk *disk,
			  char *text, size_t size)
{
	const char *const argv[] = {
		"/usr/bin/qemu-img", "info", "-U", disk->path, NULL
	};

	EXPECT_EQ(0, virt_host_run(virt, argv, text, size, NULL));
}

TEST_F_TIMEOUT(copied, disks_cross_and_come_back, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	const struct progress *progress = &journey->move.progress;
	char text[2048] = "";
	int hop;

	image_boot(journey, &variant->domain, variant->words, variant->overlay);
	for (hop = 0; hop < 2; hop++) {
		journey_move(journey, variant->options);
		EXPECT_LE(variant->copies * (UINT64_C(8) << 20),
			  progress->storage_bytes);
		TH_LOG("%llu MiB in %llu ms, downtime %llu ms (save %llu, load %llu)",
		       (unsigned long long)progress->storage_bytes >> 20,
		       (unsigned long long)progress->storage_ns / 1000000,
		       (unsigned long long)progress->downtime_ns / 1000000,
		       (unsigned long long)progress->downtime_save_ns / 1000000,
		       (unsigned long long)progress->downtime_load_ns / 1000000);
		journey_arrived(journey, "running");
		journey_proves_itself(journey);
		copy_expect_tidy(journey->here);
		copy_expect_tidy(journey->there);
		image_expect_same(journey, &variant->domain.disks[1]);
		if (variant->overlay) {
			image_explain(journey->here, &variant->domain.disks[1],
				      text, sizeof(text));
			EXPECT_EQ(!!strstr(variant->options, "inc"),
				  !!strstr(text, "backing file:"));
		}
		/* It would be in the way there, or stay what it is. */
		if (variant->overlay)
			image_run(journey->there, "rm " STILL);
	}
}

TEST_HARNESS_MAIN
