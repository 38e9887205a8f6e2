// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storage.c - disks that two hosts do not share go along with their domain.
 *
 * The guest works on its first disk all the time, past the page cache, and
 * checks what it reads; a second one holds what nobody writes, and is compared
 * afterwards.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "cleanup.h"
#include "harness.h"
#include "journey.h"
#include "selftests/lib/inspect.h"
#include "sys.h"
#include "tools/lib/migration_json.h"

#define BUSY		VIRT_PRIVATE "/busy"
#define STILL		VIRT_PRIVATE "/still"
#define BASE		VIRT_SHARED "/base.qcow2"
#define RANDOM_MIB	"8"	/* of each disk's 16 MiB */
#define QEMU_NBD	"qemu-nbd"
#define GONE_TRIES	400
#define TRY_MS		50
#define SLOW		"\"live\":true,\"copy_storage\":\"all\",\"bandwidth\":1048576"

/* ---- images ------------------------------------------------------------- */

static void run(struct virt_host *virt, const char *command)
{
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	struct fail fail = { 0 };

	EXPECT_EQ(0, virt_host_run(virt, argv, NULL, 0, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

/* What no guest writes, in the second half of an image that may be in use. */
static void scribble(struct virt_host *virt, const char *path,
		     const char *format)
{
	char command[600];

	snprintf(command, sizeof(command),
		 "head -c " RANDOM_MIB "M /dev/urandom > " VIRT_PRIVATE "/noise && "
		 "qemu-io -f %s -c 'write -s " VIRT_PRIVATE "/noise 8M 8M' %s && "
		 "rm " VIRT_PRIVATE "/noise", format, path);
	run(virt, command);
}

static void image_make(struct virt_host *virt, const struct domain_disk *disk,
		       bool overlay)
{
	char command[400];

	if (!overlay) {
		scribble(virt, disk->path, disk->format);
		return;
	}
	snprintf(command, sizeof(command),
		 "qemu-img create -q -f qcow2 " BASE " 16M && "
		 "qemu-io -f qcow2 -c 'write -P 5 12M 2M' " BASE " && "
		 "chown libvirt-qemu:libvirt-qemu " BASE " && "
		 "qemu-img create -q -f qcow2 -b " BASE " -F qcow2 %s && "
		 "qemu-io -f qcow2 -c 'write -P 6 13M 2M' %s",
		 disk->path, disk->path);
	run(virt, command);
}

/* The image of a host under the path of the other's. */
static void expect_same(struct journey *journey, const struct domain_disk *disk)
{
	char other[300], text[400] = "";
	const char *const argv[] = {
		"/usr/bin/qemu-img", "compare", "-U", "-f", disk->format, "-F",
		disk->format, disk->path, other, NULL
	};
	struct fail fail = { 0 };

	snprintf(other, sizeof(other), "%s/lib/private/%s", journey->there->dir,
		 strrchr(disk->path, '/') + 1);
	EXPECT_EQ(0, virt_host_run(journey->here, argv, text, sizeof(text),
				   &fail)) {
		TH_LOG("%s%s", fail.text, text);
	}
}

static bool is_there(const struct virt_host *virt, const char *path)
{
	char outside[300];

	snprintf(outside, sizeof(outside), "/proc/%d/root%s", virt->holder_pid,
		 path);
	return !access(outside, F_OK);
}

/* ---- what is left ------------------------------------------------------- */

/* Entries of a host's /run that begin with the name of our directories. */
static int sockets_left(const struct virt_host *virt)
{
	struct dirent *entry;
	char path[64];
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/root/run", virt->holder_pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		found += !strncmp(entry->d_name, "straddle-disks-", 15);
	if (dir)
		closedir(dir);
	return found;
}

static void expect_tidy(const struct virt_host *virt)
{
	int tries;

	for (tries = 0; tries < GONE_TRIES &&
	     host_processes(virt->host, QEMU_NBD); tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, host_processes(virt->host, QEMU_NBD));
	EXPECT_EQ(0, host_files(virt->host, "nbd-"));
	EXPECT_EQ(0, host_files(virt->host, "disks-"));
	EXPECT_EQ(0, sockets_left(virt));
}

static bool job_runs(struct virt_host *virt, const char *target)
{
	char text[400] = "";

	journey_virsh(virt, text, sizeof(text), "blockjob", JOURNEY_GUEST,
		      target, "--info", NULL);
	return strstr(text, "Copy");
}

/* Nothing but the guest, with the disks that it had. */
static void expect_unharmed(struct journey *journey, const char *target)
{
	char is[128] = "";
	int tries;

	EXPECT_EQ(0, host_settle(journey->here->host));
	EXPECT_EQ(0, host_settle(journey->there->host));
	for (tries = 0; tries < GONE_TRIES &&
	     job_runs(journey->here, target); tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_FALSE(job_runs(journey->here, target));
	expect_tidy(journey->here);
	expect_tidy(journey->there);
	EXPECT_EQ(0, domain_state(journey->here, JOURNEY_GUEST, is, sizeof(is)));
	EXPECT_STREQ("running", is);
	EXPECT_EQ(0, host_processes(journey->there->host, "qemu-system-x86"));
	journey_proves_itself(journey);
}

/* ---- they arrive -------------------------------------------------------- */

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

#define PRIVATE(path_, format_, bus_)						\
	{ path_, format_, bus_, "none", false, false }

#define POSTCOPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":1,"	\
			"\"downtime_ns\":1000"
#define PRECOPY		"\"live\":true,\"downtime_ns\":30000000000"
#define ALL		",\"copy_storage\":\"all\""
#define INC		",\"copy_storage\":\"inc\""

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

static void boot(struct journey *journey, const struct domain *domain,
		 const char *words, bool overlay)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, domain, words);
	image_make(journey->here, &journey->domain.disks[1], overlay);
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
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

	boot(journey, &variant->domain, variant->words, variant->overlay);
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
		expect_tidy(journey->here);
		expect_tidy(journey->there);
		expect_same(journey, &variant->domain.disks[1]);
		if (variant->overlay) {
			image_explain(journey->here, &variant->domain.disks[1],
				      text, sizeof(text));
			EXPECT_EQ(!!strstr(variant->options, "inc"),
				  !!strstr(text, "backing file:"));
		}
		/* It would be in the way there, or stay what it is. */
		if (variant->overlay)
			run(journey->there, "rm " STILL);
	}
}

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

	boot(journey, &two_disks, "straddle.witness=none straddle.disk_rate=2000",
	     false);
	EXPECT_EQ(0, journey_virsh(journey->here, NULL, 0, "suspend",
				   JOURNEY_GUEST, NULL));
	journey_move(journey, POSTCOPY ALL);
	journey_arrived(journey, "paused");
	expect_same(journey, &two_disks.disks[0]);
	expect_same(journey, &two_disks.disks[1]);
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
	EXPECT_TRUE(is_there(journey->there, BUSY));
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
	expect_unharmed(journey, "vda");
}

static const struct domain one_disk = {
	.disks = { PRIVATE(BUSY, "raw", "virtio") },
};

static void boot_one(struct journey *journey)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, &one_disk, "straddle.witness=none");
	scribble(journey->here, BUSY, "raw");
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
	EXPECT_FALSE(is_there(journey->there, BUSY));
	/* Nothing is in the way of the next. */
	journey_move(journey, PRECOPY ALL);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
}

TEST_F_TIMEOUT(moved, dest_worker_that_dies_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	pid_t worker;

	boot_one(journey);
	move_half(journey, SLOW);
	worker = host_worker(journey->there->host, "dest");
	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	expect_failed(journey, "");
	EXPECT_FALSE(is_there(journey->there, BUSY));
}

TEST_F_TIMEOUT(moved, source_worker_that_dies_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	pid_t worker;

	boot_one(journey);
	move_half(journey, SLOW);
	worker = host_worker(journey->here->host, "source");
	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	expect_failed(journey, "");
	EXPECT_FALSE(is_there(journey->there, BUSY));
}

TEST_F_LONG(moved, full_disk_at_the_dest_leaves_nothing, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;

	boot_one(journey);
	run(journey->there, "mount -t tmpfs -o size=20M,uid=64055,gid=64055 tmpfs "
			    VIRT_PRIVATE);
	move_half(journey, SLOW);
	run(journey->there, "fallocate -l 19M " VIRT_PRIVATE "/filler || "
			    "head -c 20M /dev/zero > " VIRT_PRIVATE "/filler; :");
	expect_failed(journey, "No space left on device");
	EXPECT_FALSE(is_there(journey->there, BUSY));
	EXPECT_TRUE(is_there(journey->there, VIRT_PRIVATE "/filler"));
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
	EXPECT_FALSE(is_there(journey->there, BUSY));
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

	run(journey->here, "mkdir -p " VIRT_PRIVATE "/deep");
	journey_prepare(journey, &domain, "");
	scribble(journey->here, variant->path, variant->format);
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	run(journey->there, variant->there);
	EXPECT_NE(0, move_run(move, journey->here->host, JOURNEY_GUEST,
			      journey->there->host->address, variant->options));
	EXPECT_NE(NULL, strstr(move->error, variant->words)) {
		TH_LOG("%s", move->error);
	}
	expect_tidy(journey->here);
	expect_tidy(journey->there);
}

TEST_HARNESS_MAIN
