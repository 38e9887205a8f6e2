// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storage.c - which disks are copied, and what is left of a copy that fails.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "cleanup.h"
#include "harness.h"
#include "images.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define SLOW		"\"live\":true,\"copy_storage\":\"all\",\"bandwidth\":1048576"

/* ---- alike in every bit ------------------------------------------------- */

FIXTURE(moved) {
	struct journey journey;
};

FIXTURE_SETUP(moved)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(moved)
{
	journey_down(&self->journey);
}

static const struct domain two_disks = {
	.disks = { PRIVATE(BUSY, "raw", "virtio"),
		   PRIVATE(STILL, "raw", "virtio") },
};

TEST_F_TIMEOUT(moved, disks_of_a_paused_domain_are_alike, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	image_boot(journey, &two_disks, "straddle.witness=none straddle.disk_rate=2000",
	     false);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "suspend",
				   JOURNEY_GUEST, NULL));
	journey_move(journey, POSTCOPY ALL);
	journey_arrived(journey, "paused");
	image_expect_same(journey, &two_disks.disks[0]);
	image_expect_same(journey, &two_disks.disks[1]);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "resume",
				   JOURNEY_GUEST, NULL));
	journey_proves_itself(journey);
}

/* ---- failures ----------------------------------------------------------- */

/* Until some of a disk is across, and a lot is not. */
static void move_half(struct journey *journey, const char *options)
{
	struct move *move = &journey->move;

	ASSERT_EQ(0, move_start(move, journey->here->host, JOURNEY_GUEST,
				journey->there->host->address, options)) {
		TH_LOG("%s", move->error);
	}
	while (!move->progress.storage_done_bytes)
		ASSERT_EQ(0, move_next(move)) {
			TH_LOG("%s", move->error);
			journey_explain(journey);
		}
	EXPECT_EQ(PHASE_PERFORM, move->progress.phase);
	EXPECT_EQ(1, host_processes(journey->there->host, QEMU_NBD));
	EXPECT_TRUE(image_is_there(journey->there, BUSY));
}

static void here_is_there(struct journey *journey)
{
	struct virt_host *from = journey->here;

	EXPECT_EQ(0, host_settle(from->host));
	EXPECT_EQ(0, host_settle(journey->there->host));
	journey->here = journey->there;
	journey->there = from;
}

/* One of three is copied: the others are shared, and stay where they are. */
TEST_F_TIMEOUT(moved, shared_disks_stay, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .disks = {
		PRIVATE(BUSY, "qcow2", "virtio"),
		{ VIRT_SHARED "/trace.raw", "raw", "virtio", "none", true, false },
		PRIVATE(VIRT_SHARED "/other.raw", "raw", "virtio"),
	} };
	struct journey *journey = &self->journey;

	journey_boot(journey, &domain, "straddle.disk_rate=2000");
	/* There is one server. */
	move_half(journey, SLOW ",\"downtime_ns\":30000000000");
	EXPECT_EQ(0, agent_ask(journey->here->host, NULL, NULL,
			       "{\"do\":\"bandwidth\",\"guest\":\"" JOURNEY_GUEST
			       "\",\"bytes\":0}"));
	move_wait(&journey->move);
	ASSERT_TRUE(journey->move.ok) {
		TH_LOG("%s", journey->move.error);
	}
	move_end(&journey->move);
	here_is_there(journey);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
}

static void expect_failed(struct journey *journey, const char *words)
{
	struct move *move = &journey->move;

	move_wait(move);
	EXPECT_FALSE(move->ok);
	EXPECT_NE(NULL, strstr(move->error, words)) {
		TH_LOG("%s", move->error);
	}
	move_end(move);
	copy_expect_unharmed(journey, "vda");
}

static const struct domain one_disk = {
	.disks = { PRIVATE(BUSY, "raw", "virtio") },
};

static void boot_one(struct journey *journey)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, &one_disk, "straddle.witness=none");
	image_scribble(journey->here, BUSY, "raw");
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
}

TEST_F_TIMEOUT(moved, abort_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	struct fail fail = { 0 };

	boot_one(journey);
	move_half(journey, SLOW);
	EXPECT_EQ(0, agent_ask(journey->here->host, NULL, &fail,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}")) {
		TH_LOG("%s", fail.text);
	}
	expect_failed(journey, "aborted by the user");
	EXPECT_FALSE(image_is_there(journey->there, BUSY));
	/* Nothing is in the way of the next. */
	journey_move(journey, PRECOPY ALL);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
}

/* In the middle of a disk; its host has to tidy up. */
static void worker_dies(struct journey *journey, struct virt_host *virt,
			const char *name)
{
	pid_t worker;

	boot_one(journey);
	move_half(journey, SLOW);
	worker = host_worker(virt->host, name);
	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	expect_failed(journey, "");
	EXPECT_FALSE(image_is_there(journey->there, BUSY));
}

TEST_F_TIMEOUT(moved, dest_worker_that_dies_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	worker_dies(&self->journey, self->journey.there, "dest");
}

TEST_F_TIMEOUT(moved, source_worker_that_dies_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	worker_dies(&self->journey, self->journey.here, "source");
}

TEST_F_LONG(moved, full_disk_at_the_dest_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	boot_one(journey);
	image_run(journey->there, "mount -t tmpfs -o size=20M,uid=64055,gid=64055 tmpfs "
			    VIRT_PRIVATE);
	move_half(journey, SLOW);
	image_run(journey->there, "fallocate -l 19M " VIRT_PRIVATE "/filler || "
			    "head -c 20M /dev/zero > " VIRT_PRIVATE "/filler; :");
	expect_failed(journey, "No space left on device");
	EXPECT_FALSE(image_is_there(journey->there, BUSY));
	EXPECT_TRUE(image_is_there(journey->there, VIRT_PRIVATE "/filler"));
}

/* It takes nothing more, and is there all the same. */
TEST_F_LONG(moved, server_that_hangs_is_given_up, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	pid_t server;

	boot_one(journey);
	move_half(journey, SLOW);
	server = host_worker(journey->there->host, QEMU_NBD);
	ASSERT_LT(0, server);
	ASSERT_EQ(0, kill(server, SIGSTOP));
	expect_failed(journey, "vda");
	EXPECT_FALSE(image_is_there(journey->there, BUSY));
}

/* ---- refusals ----------------------------------------------------------- */

FIXTURE(refused) {
	struct journey journey;
};

FIXTURE_VARIANT(refused) {
	const char *path, *format;
	const char *there;		/* a command at the dest, before */
	const char *options;
	const char *words;
};

#define REFUSED(name_, path_, format_, there_, options_, words_)		\
	FIXTURE_VARIANT_ADD(refused, name_) {					\
		.path = path_, .format = format_, .there = there_,		\
		.options = "\"live\":true,\"dry_run\":true," options_,		\
		.words = words_,						\
	}

REFUSED(shared_disk, VIRT_SHARED "/work.raw", "raw", ":",
	"\"copy_storage\":\"all\"", "shared already");
REFUSED(another_size, BUSY, "raw", "truncate -s 20M " BUSY,
	"\"copy_storage\":\"all\"", "20971520");
REFUSED(no_directory, VIRT_PRIVATE "/deep/disk", "raw",
	"rm -rf " VIRT_PRIVATE "/deep",
	"\"copy_storage\":\"all\"", "there is no directory");
REFUSED(no_image, BUSY, "qcow2", "truncate -s 16M " BUSY,
	"\"copy_storage\":\"all\"", "no image of format qcow2");
REFUSED(no_room, BUSY, "raw",
	"mount -t tmpfs -o size=1M tmpfs " VIRT_PRIVATE,
	"\"copy_storage\":\"all\"", "make room");
REFUSED(not_asked_for, BUSY, "raw", ":", "\"postcopy\":true",
	"--copy-storage-all");

FIXTURE_SETUP(refused)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(refused)
{
	journey_down(&self->journey);
}

TEST_F_TIMEOUT(refused, says_why, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = {
		.disks = { PRIVATE(variant->path, variant->format, "virtio") },
	};
	struct journey *journey = &self->journey;
	struct move *move = &journey->move;
	struct fail *fail = &journey->ground.fail;

	image_run(journey->here, "mkdir -p " VIRT_PRIVATE "/deep");
	journey_prepare(journey, &domain, "");
	image_scribble(journey->here, variant->path, variant->format);
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	image_run(journey->there, variant->there);
	EXPECT_NE(0, move_run(move, journey->here->host, JOURNEY_GUEST,
			      journey->there->host->address, variant->options));
	EXPECT_NE(NULL, strstr(move->error, variant->words)) {
		TH_LOG("%s", move->error);
	}
	copy_expect_tidy(journey->here);
	copy_expect_tidy(journey->there);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
