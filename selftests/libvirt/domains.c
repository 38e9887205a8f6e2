/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domains.c - domains of many kinds start, inside of their host, and boot. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ground.h"
#include "harness.h"
#include "selftests/lib/domain.h"
#include "selftests/lib/hugepages.h"
#include "sys.h"
#include "tools/net/netns.h"

#define GUEST		"guest"
#define GUEST_MAC	"52:54:00:99:00:10"
#define GUEST_ADDRESS	SEGMENT_GUESTS "16"
#define ECHO_PORT	7
#define BOOT_TIMEOUT_MS	120000
#define TIMEOUT_S	180

FIXTURE(started) {
	struct ground ground;
};

FIXTURE_VARIANT(started) {
	struct virt_options options;
	struct domain domain;
	const char *argument;	/* is in QEMU's command line */
	int hugepages;		/* that it takes */
};

#define SMALL	.name = GUEST, .memory_mib = 128

FIXTURE_VARIANT_ADD(started, pc_anonymous) {
	.domain = { SMALL, .machine = "pc-i440fx-7.2" },
	.argument = "pc-i440fx-7.2",
};

FIXTURE_VARIANT_ADD(started, q35_memfd) {
	.domain = { SMALL, .machine = "q35", .memory = DOMAIN_MEMFD_SHARED,
		    .vcpus = 2, .rng = true, .balloon = true },
	.argument = "memory-backend-memfd",
};

FIXTURE_VARIANT_ADD(started, pc_memfd_private) {
	.domain = { SMALL, .memory = DOMAIN_MEMFD_PRIVATE },
	.argument = "\"share\":false",
};

FIXTURE_VARIANT_ADD(started, pc_file_shared) {
	.domain = { SMALL, .memory = DOMAIN_FILE_SHARED },
	.argument = "memory-backend-file",
};

FIXTURE_VARIANT_ADD(started, pc_huge_shared) {
	.domain = { SMALL, .memory = DOMAIN_HUGE_SHARED },
	.argument = "/run/hugepages", .hugepages = 64,
};

FIXTURE_VARIANT_ADD(started, production) {
	.options.production = true,
	.domain = { SMALL, .mac = GUEST_MAC, .serial = DOMAIN_SERIAL_PTY,
		    .video = "vga", .usb = true, .channel = true },
	.argument = "-sandbox",
};

FIXTURE_VARIANT_ADD(started, production_ovmf_disks) {
	.options.production = true,
	/* OVMF does not get a kernel decompressed in 128 MiB. */
	.domain = { .name = GUEST, .memory_mib = 256, .machine = "q35",
		    .ovmf = true, .disks = {
		{ VIRT_SHARED "/a.qcow2", "qcow2", "virtio", "none", false, false },
		{ VIRT_SHARED "/b.raw", "raw", "scsi", NULL, false, false },
	} },
	.argument = "OVMF_CODE",
};

FIXTURE_VARIANT_ADD(started, qemu_10) {
	.options = { .production = true, .qemu = VIRT_QEMU_10 },
	.domain = { SMALL, .machine = "pc-i440fx-7.2", .mac = GUEST_MAC,
		    .video = "vga" },
	.argument = "qemu10/root/usr/bin/qemu-system-x86_64",
};

FIXTURE_SETUP(started)
{
	memset(self, 0, sizeof(*self));
	if (variant->hugepages && hugepages_add(variant->hugepages))
		SKIP(return, "there are no %d free pages of 2 MiB",
		     variant->hugepages);
	ground_up(&self->ground, &variant->options);
}

FIXTURE_TEARDOWN(started)
{
	ground_down(&self->ground);
	if (variant->hugepages)
		hugepages_add(-variant->hugepages);
}

/* Read a file of /proc; NUL bytes become spaces. */
static void proc_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t i, got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = read(fd, text, size - 1);
	for (i = 0; i < got; i++)
		text[i] = text[i] ? text[i] : ' ';
	text[got > 0 ? got : 0] = '\0';
	close(fd);
}

static bool same_namespace(pid_t a, pid_t b, const char *name)
{
	char path[64];
	struct stat stat_a, stat_b;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", a, name);
	ASSERT_EQ(0, stat(path, &stat_a));
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", b, name);
	ASSERT_EQ(0, stat(path, &stat_b));
	return stat_a.st_ino == stat_b.st_ino;
}

TEST_F_TIMEOUT(started, qemu_is_inside_of_its_host, TIMEOUT_S)
{
	static const char *const namespaces[] = { "mnt", "pid", "net", "uts" };
	struct virt_host *virt = &self->ground.virts->source;
	char state[128], text[16384];
	pid_t qemu;
	size_t i;

	ground_disks(virt, &variant->domain);
	ASSERT_EQ(0, domain_define(virt, &variant->domain, &self->ground.fail) ||
		     domain_start(virt, GUEST, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	EXPECT_EQ(0, domain_state(virt, GUEST, state, sizeof(state)));
	EXPECT_STREQ("running", state);
	EXPECT_NE(0, domain_state(&self->ground.virts->dest, GUEST, state,
				  sizeof(state)));
	qemu = domain_qemu(virt, GUEST);
	ASSERT_LT(0, qemu);
	for (i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		EXPECT_TRUE(same_namespace(qemu, virt->holder_pid, namespaces[i]));
		EXPECT_FALSE(same_namespace(qemu, getpid(), namespaces[i]));
	}
	proc_read(qemu, "cmdline", text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, variant->argument)) {
		TH_LOG("%s", text);
	}
	proc_read(qemu, "status", text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, variant->options.production ?
			       "Uid:\t64055" : "Uid:\t0"));
	if (variant->options.production) {
		EXPECT_NE(NULL, strstr(text, "CapPrm:\t0000000000000000"));
		EXPECT_NE(NULL, strstr(text, "Seccomp:\t2"));
	}
	EXPECT_EQ(0, domain_destroy(virt, GUEST, &self->ground.fail));
}

TEST_F_LONG(started, guest_boots, TIMEOUT_S)
{
	struct virt_host *virt = &self->ground.virts->source;
	struct domain domain = variant->domain;
	char text[2048] = "";

	if (domain_guest(virt, &domain))
		SKIP(return, "the guest of selftests/libvirt/guest is not built");
	domain.cmdline = "console=ttyS0 panic=-1";
	ground_disks(virt, &domain);
	ASSERT_EQ(0, domain_create(virt, &domain, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	EXPECT_EQ(0, domain_says(virt, GUEST, "straddle-guest: ",
				 BOOT_TIMEOUT_MS)) {
		domain_serial(virt, GUEST, text, sizeof(text));
		TH_LOG("%s", text);
	}
}

static int echo(void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(ECHO_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[6] = "";
	int ret;

	inet_pton(AF_INET, arg, &address.sin_addr);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		ret = sys_write_all(fd, "hello", 5);
	if (!ret)
		ret = sys_read_all(fd, text, 5);
	EXPECT_STREQ("hello", text);
	close(fd);
	return ret;
}

FIXTURE(guest) {
	struct ground ground;
};

FIXTURE_SETUP(guest)
{
	const struct virt_options options = { .production = true };

	ground_up(&self->ground, &options);
}

FIXTURE_TEARDOWN(guest)
{
	ground_down(&self->ground);
}

TEST_F_TIMEOUT(guest, answers_on_its_serial_line_and_to_the_client, TIMEOUT_S)
{
	struct virt_host *virt = &self->ground.virts->dest;
	const int client = self->ground.virts->segment->client.netns;
	char answer[256] = "";
	struct domain domain = {
		SMALL, .mac = GUEST_MAC, .serial = DOMAIN_SERIAL_UNIX,
		.cmdline = "console=ttyS0 panic=-1 straddle.mem=16 "
			   "straddle.ip=" GUEST_ADDRESS "/24",
	};

	if (domain_guest(virt, &domain))
		SKIP(return, "the guest of selftests/libvirt/guest is not built");
	ASSERT_EQ(0, domain_create(virt, &domain, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	ASSERT_EQ(0, domain_says(virt, GUEST, "straddle-guest: ready",
				 BOOT_TIMEOUT_MS));
	EXPECT_EQ(0, domain_ask(virt, GUEST, "verify", "verified", answer,
				sizeof(answer), BOOT_TIMEOUT_MS));
	EXPECT_NE(NULL, strstr(answer, " bad=0")) {
		TH_LOG("%s", answer);
	}
	EXPECT_EQ(0, netns_run(client, echo, GUEST_ADDRESS));
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
