/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology.c - two hosts come, run programs, and go without a trace. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "lib/process.h"
#include "lib/program.h"
#include "lib/topology.h"
#include "sys.h"

FIXTURE(hosts) {
	struct two_hosts *hosts;
	struct fail fail;
};

FIXTURE_SETUP(hosts)
{
	int ret = two_hosts_create(&self->hosts, NULL, &self->fail);

	if (ret == -EPERM)
		SKIP(return, "%s", self->fail.text);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(hosts)
{
	two_hosts_destroy(self->hosts);
}

static int host_shell(const struct host *host, const char *script, char *text,
		      size_t size)
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };

	return host_run(host, argv, text, size, NULL);
}

TEST_F(hosts, program_sees_its_host_only)
{
	char text[2048];

	EXPECT_EQ(0, host_shell(&self->hosts->source, "cat /proc/net/fib_trie",
				text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "-- 10.88.0.1\n"));
	EXPECT_EQ(NULL, strstr(text, "-- 10.88.0.2\n"));
	EXPECT_EQ(0, host_shell(&self->hosts->dest, "cat /proc/net/fib_trie",
				text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "-- 10.88.0.1\n"));
	EXPECT_NE(NULL, strstr(text, "-- 10.88.0.2\n"));
}

TEST_F(hosts, exit_code_and_output_are_the_programs)
{
	char text[64];

	EXPECT_EQ(7, host_shell(&self->hosts->source,
				"echo out; echo err >&2; exit 7", text,
				sizeof(text)));
	EXPECT_STREQ("out\nerr\n", text);
	EXPECT_EQ(128 + SIGKILL, host_shell(&self->hosts->source,
					    "kill -KILL $$", NULL, 0));
	EXPECT_EQ(127, host_run(&self->hosts->source,
				(const char *[]){ "no-such-program", NULL },
				text, sizeof(text), NULL));
	EXPECT_NE(NULL, strstr(text, "/no-such-program\n"));
}

TEST_F(hosts, destroy_ends_daemons_and_removes_the_folders)
{
	char dir[128], text[64];
	int daemon;

	EXPECT_EQ(0, host_shell(&self->hosts->dest,
				"setsid sleep 1000 & echo $!", text, sizeof(text)));
	snprintf(dir, sizeof(dir), "%s", self->hosts->dir);
	EXPECT_EQ(0, access(dir, F_OK));
	ASSERT_EQ(1, sscanf(text, "%d", &daemon));
	EXPECT_EQ(0, kill(daemon, 0));
	two_hosts_destroy(self->hosts);
	self->hosts = NULL;
	EXPECT_EQ(-ESRCH, sys_ret(kill(daemon, 0)));
	EXPECT_EQ(-ENOENT, sys_ret(access(dir, F_OK)));
}

TEST_F(hosts, stop_asks_before_it_kills)
{
	const char *const polite[] = { "/bin/sleep", "1000", NULL };
	pid_t pid = host_spawn(&self->hosts->source, polite, "log", NULL);

	ASSERT_LT(0, pid);
	EXPECT_EQ(-ETIMEDOUT, process_wait(pid, 0));
	EXPECT_EQ(128 + SIGTERM, process_stop(pid));
}

TEST_F(hosts, limit_holds_for_both)
{
	const struct net_rate rate = {
		.rate = 1000000000, .burst = 256 << 10, .latency_us = 50000,
	};
	struct net_link link;

	ASSERT_EQ(0, two_hosts_limit(self->hosts, &rate, NULL));
	ASSERT_EQ(0, net_link_get(self->hosts->source.net, HOST_LINK, &link,
				  NULL));
	EXPECT_EQ(rate.rate, net_link_rate(&link));
	ASSERT_EQ(0, net_link_get(self->hosts->dest.net, HOST_LINK, &link,
				  NULL));
	EXPECT_EQ(rate.rate, net_link_rate(&link));
}

TEST_F(hosts, certificates_are_where_libvirt_has_them)
{
	static const char *const files[] = {
		"CA/cacert.pem", "libvirt/servercert.pem",
		"libvirt/clientcert.pem", "libvirt/private/serverkey.pem",
		"libvirt/private/clientkey.pem",
	};
	char path[256];
	size_t i;

	ASSERT_EQ(0, two_hosts_issue(self->hosts, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s",
			 self->hosts->dest.pki_dir, files[i]);
		EXPECT_EQ(0, sys_ret(access(path, R_OK)));
	}
}

TEST_HARNESS_MAIN
