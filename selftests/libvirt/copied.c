// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * copied.c - disks that two hosts do not share go along with their domain.
 *
 * The guest works on its first disk all the time, past the page cache, and
 * checks what it reads; a second one holds what nobody writes, and is compared
 * afterwards.
 */
#include <errno.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "harness.h"
#include "images.h"
#include "sys.h"
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

/* ---- onto a block device ------------------------------------------------ */

#define DEVICE		VIRT_PRIVATE "/device"
#define DEVICE_SIZE	(16 << 20)	/* the disk's */
#define QEMU_ID		64055		/* the hosts' libvirt-qemu */
#define XML_MAX		32768

FIXTURE(device) {
	struct journey journey;
	int loop;		/* the device goes when nobody has it open */
};

FIXTURE_VARIANT(device) {
	off_t size;
	const char *refused;	/* in these words, or NULL */
};

FIXTURE_VARIANT_ADD(device, as_large) { .size = DEVICE_SIZE };
FIXTURE_VARIANT_ADD(device, larger) {
	.size = DEVICE_SIZE + (1 << 20), .refused = "make it anew and as large",
};

/* Return: a loop device over @file, -errno where there are none. */
static int loop_make(const char *file, off_t size, dev_t *number)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	__cleanup_fd int control = sys_ret(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	__cleanup_fd int fd = sys_ret(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	int free = control < 0 ? control : sys_ret(ioctl(control, LOOP_CTL_GET_FREE));
	char path[32];
	int loop, ret;

	if (free < 0 || fd < 0 || ftruncate(fd, size))
		return free < 0 ? free : -EIO;
	snprintf(path, sizeof(path), "/dev/loop%d", free);
	loop = sys_ret(open(path, O_RDWR | O_CLOEXEC));
	config.fd = (uint32_t)fd;
	ret = loop < 0 ? loop : sys_ret(ioctl(loop, LOOP_CONFIGURE, &config));
	if (ret >= 0) {
		*number = makedev(LOOP_MAJOR, (unsigned int)free);
		return loop;
	}
	if (loop >= 0)
		close(loop);
	return ret;
}

FIXTURE_SETUP(device)
{
	const struct virt_options options = { .production = true };
	char path[300];
	dev_t number;

	self->loop = -1;
	journey_up(&self->journey, &options);
	if (!self->journey.here)
		return;
	snprintf(path, sizeof(path), "%s/lib/private/under", self->journey.there->dir);
	self->loop = loop_make(path, variant->size, &number);
	if (self->loop < 0)
		SKIP(return, "no loop device can be made: %s", strerror(-self->loop));
	snprintf(path, sizeof(path), "%s/lib/private/device", self->journey.there->dir);
	ASSERT_EQ(0, mknod(path, S_IFBLK | 0600, number));
	ASSERT_EQ(0, chown(path, QEMU_ID, QEMU_ID));
}

FIXTURE_TEARDOWN(device)
{
	journey_down(&self->journey);
	if (self->loop >= 0)
		close(self->loop);
}

/* Its definition there: the first disk is on the device. */
static void definition_there(struct journey *journey)
{
	static const char script[] =
		"virsh -q -c qemu:///system dumpxml --migratable " JOURNEY_GUEST
		" | sed \":a;N;\\$!ba;s#<disk type='file'\\([^>]*>[^<]*<driver[^>]*>[^<]*\\)"
		"<source file='" BUSY "'#<disk type='block'\\1<source dev='" DEVICE "'#\""
		" >" VIRT_PRIVATE "/there && grep -q \"dev='" DEVICE "'\" " VIRT_PRIVATE "/there";

	image_run(journey->here, script);
}

TEST_F_TIMEOUT(device, takes_the_copy_of_a_file, JOURNEY_TIMEOUT_S)
{
	static const struct domain domain = {
		.disks = { PRIVATE(BUSY, "raw", "virtio") },
	};
	struct journey *journey = &self->journey;
	char options[512], there[XML_MAX] = "";

	journey_boot(journey, &domain, "straddle.witness=none straddle.disk_rate=2000");
	definition_there(journey);
	snprintf(options, sizeof(options), PRECOPY ALL ",\"xml\":\"%s/lib/private/there\"",
		 journey->here->dir);
	if (variant->refused) {
		EXPECT_EQ(-ECANCELED, move_run(&journey->move, journey->here->host,
					       JOURNEY_GUEST, journey->there->host->address,
					       options));
		EXPECT_NE(NULL, strstr(journey->move.error, variant->refused)) {
			TH_LOG("%s", journey->move.error);
		}
		return;
	}
	journey_move(journey, options);
	EXPECT_EQ(0, domain_dumpxml(journey->here, JOURNEY_GUEST, there, sizeof(there),
				    NULL));
	EXPECT_NE(NULL, strstr(there, "dev='" DEVICE "'"));
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
	copy_expect_tidy(journey->here);
	copy_expect_tidy(journey->there);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
