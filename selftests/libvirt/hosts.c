/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hosts.c - two libvirt hosts come, run domains, and go without a trace. */
#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "ground.h"
#include "selftests/lib/domain.h"
#include "selftests/lib/process.h"
#include "sys.h"
#include "tools/net/netns.h"

#define GUEST		"guest"
#define TRY_MS		50
#define TIMEOUT_S	180

FIXTURE(virt) {
	struct ground ground;
};

FIXTURE_VARIANT(virt) {
	struct virt_options options;
};

FIXTURE_VARIANT_ADD(virt, root) { .options.production = false, };
FIXTURE_VARIANT_ADD(virt, production) { .options.production = true, };

FIXTURE_SETUP(virt)
{
	ground_up(&self->ground, &variant->options);
}

FIXTURE_TEARDOWN(virt)
{
	ground_down(&self->ground);
}

static int shell(struct virt_host *virt, const char *script, char *text,
		 size_t size)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	return virt_host_run(virt, argv, text, size, NULL);
}

TEST_F_TIMEOUT(virt, hosts_differ, TIMEOUT_S)
{
	struct virt_host *const both[] = { &self->ground.virts->source,
					   &self->ground.virts->dest };
	char text[8192], uuid[64];
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, shell(both[i], "virsh -c qemu:///system hostname",
				   text, sizeof(text)));
		text[strcspn(text, "\n")] = '\0';
		EXPECT_STREQ(both[i]->host->name, text);
		EXPECT_EQ(0, shell(both[i], "virsh -c qemu:///system "
				   "capabilities | head -n 5", text,
				   sizeof(text)));
		snprintf(uuid, sizeof(uuid), "<uuid>%s</uuid>", both[i]->uuid);
		EXPECT_NE(NULL, strstr(text, uuid)) {
			TH_LOG("%s", text);
		}
	}
	EXPECT_STRNE(both[0]->uuid, both[1]->uuid);
}

TEST_F_TIMEOUT(virt, storage_is_shared_or_private, TIMEOUT_S)
{
	struct virt_host *source = &self->ground.virts->source;
	struct virt_host *dest = &self->ground.virts->dest;
	char text[64];

	EXPECT_EQ(0, virt_host_write(source, VIRT_SHARED "/file", "shared"));
	EXPECT_EQ(0, virt_host_read(dest, VIRT_SHARED "/file", text,
				    sizeof(text)));
	EXPECT_STREQ("shared", text);
	EXPECT_EQ(0, virt_host_write(source, VIRT_PRIVATE "/file", "private"));
	EXPECT_EQ(-ENOENT, virt_host_read(dest, VIRT_PRIVATE "/file", text,
					  sizeof(text)));
	EXPECT_EQ(0, shell(source, "cat " VIRT_PRIVATE "/file", text,
			   sizeof(text)));
	EXPECT_STREQ("private", text);
}

/* In the namespace of who calls; netns_run() does. */
static int listen_anywhere(void *arg)
{
	struct sockaddr_in *address = arg;
	socklen_t size = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET };
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)address, size));
	ASSERT_EQ(0, listen(fd, 8));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)address, &size));
	return fd;
}

static int connect_to(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = sys_ret(connect(fd, arg, sizeof(struct sockaddr_in)));

	close(fd);
	return ret;
}

TEST_F_TIMEOUT(virt, hosts_meet_by_link_and_by_segment, TIMEOUT_S)
{
	const int client = self->ground.virts->segment->client.netns;
	const int source = self->ground.hosts->source.netns;
	const struct {
		int netns;
		const char *address;	/* of dest */
	} ways[] = {
		{ source, self->ground.hosts->dest.address },
		{ source, SEGMENT_DEST },
		{ client, SEGMENT_DEST },
	};
	struct sockaddr_in address;
	size_t i;
	int fd = netns_run(self->ground.hosts->dest.netns, listen_anywhere, &address);

	ASSERT_LE(0, fd);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		inet_pton(AF_INET, ways[i].address, &address.sin_addr);
		EXPECT_EQ(0, netns_run(ways[i].netns, connect_to, &address)) {
			TH_LOG("to %s", ways[i].address);
		}
	}
	inet_pton(AF_INET, self->ground.hosts->dest.address, &address.sin_addr);
	EXPECT_EQ(-ENETUNREACH, netns_run(client, connect_to, &address));
	close(fd);
}

TEST_F_TIMEOUT(virt, libvirtd_comes_back_and_its_domain_stays, TIMEOUT_S)
{
	const struct domain domain = { .name = GUEST, .memory_mib = 64 };
	struct virt_host *virt = &self->ground.virts->source;
	char state[128];
	pid_t qemu;

	ASSERT_EQ(0, domain_create(virt, &domain, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	qemu = domain_qemu(virt, GUEST);
	EXPECT_LT(0, qemu);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(virt, SIGKILL));
	ASSERT_EQ(0, virt_host_start_libvirtd(virt, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	EXPECT_EQ(0, virt_host_stop_libvirtd(virt, SIGTERM));
	ASSERT_EQ(0, virt_host_start_libvirtd(virt, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	EXPECT_EQ(0, domain_state(virt, GUEST, state, sizeof(state)));
	EXPECT_STREQ("running", state);
	EXPECT_EQ(qemu, domain_qemu(virt, GUEST));
}

/* Its sockets are files of the host's folder, so they are reached from here. */
TEST_F_TIMEOUT(virt, agent_runs_there, TIMEOUT_S)
{
	struct virt_host *virt = &self->ground.virts->source;
	const struct host *host = virt->host;
	const char *const agent[] = {
		"straddled", "--listen", host->address, "--tls", "off",
		"--state-dir", host->state_dir, "--run-dir", host->run_dir, NULL
	};
	char control[256], text[512] = "";
	const char *const list[] = { "straddle", "--agent", control, "list",
				     NULL };
	pid_t pid = virt_host_spawn(virt, agent, "straddled.log",
				    &self->ground.fail);
	int ret = -1;

	ASSERT_LT(0, pid);
	snprintf(control, sizeof(control), "%s/straddled.sock", host->run_dir);
	while (ret && process_wait(pid, TRY_MS) == -ETIMEDOUT)
		ret = host_run(host, list, text, sizeof(text), NULL);
	EXPECT_EQ(0, ret) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, virt_host_run(virt, list, NULL, 0, NULL));
	EXPECT_EQ(0, process_stop(pid));
}

/* Count the processes that are in a network namespace. */
static int processes_in(const struct stat *netns)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct stat stat_;
	char path[64];
	int count = 0;

	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net",
			 entry->d_name);
		count += !stat(path, &stat_) && stat_.st_ino == netns->st_ino;
	}
	closedir(proc);
	return count;
}

static int mounts_below(const char *dir)
{
	char line[4096];
	int count = 0;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, dir) != NULL;
	if (file)
		fclose(file);
	return count;
}

TEST_F_TIMEOUT(virt, stop_leaves_nothing, TIMEOUT_S)
{
	const struct domain domain = { .name = GUEST, .memory_mib = 64 };
	struct stat netns;
	pid_t qemu, libvirtd;
	char dir[128];

	ASSERT_EQ(0, domain_create(&self->ground.virts->dest, &domain, &self->ground.fail)) {
		TH_LOG("%s", self->ground.fail.text);
	}
	ASSERT_EQ(0, fstat(self->ground.hosts->dest.netns, &netns));
	qemu = domain_qemu(&self->ground.virts->dest, GUEST);
	libvirtd = self->ground.virts->dest.libvirtd;
	EXPECT_LE(3, processes_in(&netns));
	ASSERT_LT(0, qemu);
	snprintf(dir, sizeof(dir), "%s", self->ground.hosts->dir);
	virt_hosts_destroy(self->ground.virts);
	self->ground.virts = NULL;
	EXPECT_EQ(-ESRCH, sys_ret(kill(qemu, 0)));
	EXPECT_EQ(-ESRCH, sys_ret(kill(libvirtd, 0)));
	EXPECT_EQ(0, processes_in(&netns));
	EXPECT_EQ(0, mounts_below(dir));
	two_hosts_destroy(self->ground.hosts);
	self->ground.hosts = NULL;
	EXPECT_EQ(-ENOENT, sys_ret(access(dir, F_OK)));
}

TEST_HARNESS_MAIN
