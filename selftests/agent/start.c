/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.c - where the agent listens, what it refuses, that it is alone. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "lib/program.h"
#include "sys.h"
#include "tools/net/net.h"

/* A host of its own, where the default port is free. */
FIXTURE(host)
{
	struct agent_process agent;
	char pki[320];		/* nothing is there */
	char psk[320];
};

FIXTURE_SETUP(host)
{
	struct fail fail = { 0 };
	struct net *net = NULL;
	int fd;

	if (sys_ret(unshare(CLONE_NEWNET)))
		SKIP(return, "no right to make a network namespace: run as root");
	ASSERT_EQ(0, net_open(&net, &fail));
	ASSERT_EQ(0, net_link_up(net, "lo", &fail));
	net_close(net);
	agent_dirs(&self->agent, "a");
	snprintf(self->pki, sizeof(self->pki), "%s/pki", test_dir());
	snprintf(self->psk, sizeof(self->psk), "%s/psk", test_dir());
	fd = open(self->psk, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	dprintf(fd, "host:00112233445566778899aabbccddeeff\n");
	close(fd);
}

FIXTURE_TEARDOWN(host)
{
	(void)self;
}

TEST_F(host, without_keys_it_listens_on_loopback_and_says_so)
{
	const char *more[] = { "--pki", self->pki, NULL };

	ASSERT_EQ(0, agent_start(&self->agent, more));
	EXPECT_TRUE(strstr(self->agent.log, "listening on 127.0.0.1:49300 (no TLS)"));
	EXPECT_TRUE(strstr(self->agent.log, "on loopback only"));
	EXPECT_TRUE(strstr(self->agent.log, "--psk-file"));
	EXPECT_TRUE(agent_lives(&self->agent));
}

TEST_F(host, with_a_key_it_listens_on_all_addresses)
{
	const char *more[] = { "--psk-file", self->psk, NULL };

	ASSERT_EQ(0, agent_start(&self->agent, more));
	EXPECT_TRUE(strstr(self->agent.log, "listening on [::]:49300 (psk)") ||
		    strstr(self->agent.log, "listening on 0.0.0.0:49300 (psk)"));
}

TEST_F(host, with_a_key_ipv4_reaches_it)
{
	const char *more[] = { "--psk-file", self->psk, NULL };
	int fd;

	ASSERT_EQ(0, agent_start(&self->agent, more));
	self->agent.port = 49300;
	fd = agent_connect_peer(&self->agent, "127.0.0.1");
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(host, without_keys_other_hosts_are_refused)
{
	const char *more[] = { "--pki", self->pki, "--listen", "0.0.0.0", NULL };

	EXPECT_EQ(1, agent_start(&self->agent, more));
	EXPECT_TRUE(strstr(self->agent.log, "--listen 0.0.0.0"));
	EXPECT_TRUE(strstr(self->agent.log, "--psk-file"));
	EXPECT_TRUE(strstr(self->agent.log, "--tls off"));
}

TEST_F(host, tls_off_by_name_is_obeyed_with_a_warning)
{
	const char *more[] = { "--tls", "off", "--listen", "0.0.0.0", NULL };

	ASSERT_EQ(0, agent_start(&self->agent, more));
	EXPECT_TRUE(strstr(self->agent.log, "in clear"));
	EXPECT_TRUE(strstr(self->agent.log, "listening on 0.0.0.0:49300 (no TLS)"));
}

TEST_F(host, keys_that_are_asked_for_have_to_be_there)
{
	const char *more[] = { "--tls", "x509", "--pki", self->pki, NULL };

	EXPECT_EQ(1, agent_start(&self->agent, more));
	EXPECT_TRUE(strstr(self->agent.log, self->pki));
}

/* Each names the option that is wrong, or what it was given, and a way out. */
FIXTURE(wrong_option)
{
	struct agent_process agent;
};

FIXTURE_VARIANT(wrong_option)
{
	const char *more[5];
	const char *said[3];
};

FIXTURE_SETUP(wrong_option)
{
	agent_dirs(&self->agent, "w");
}

FIXTURE_TEARDOWN(wrong_option)
{
	(void)self;
}

#define MORE(...) { __VA_ARGS__ }
#define WRONG(name, said, ...) \
	FIXTURE_VARIANT_ADD(wrong_option, name) { { __VA_ARGS__ }, said }

WRONG(state_dir_is_a_file, MORE("--state-dir /etc/passwd", "give a directory"),
      "--state-dir", "/etc/passwd");
WRONG(run_dir_is_a_file, MORE("--run-dir /etc/passwd", "give a directory"),
      "--run-dir", "/etc/passwd");
WRONG(listen_elsewhere, MORE("192.0.2.1", "no address of this host", "--listen"),
      "--listen", "192.0.2.1", "--tls", "off");
WRONG(listen_five_numbers, MORE("'1.2.3.4.5' is no address"),
      "--listen", "1.2.3.4.5", "--tls", "off");
WRONG(psk_file_is_not_there, MORE("--psk-file /nosuch", "openssl rand -hex 32", "0600"),
      "--psk-file", "/nosuch");
WRONG(psk_file_is_a_directory, MORE("--psk-file /etc", "openssl rand -hex 32"),
      "--psk-file", "/etc");
WRONG(allow_peer_without_tls, MORE("--allow-peer host-a", "set up certificates", "--psk-file"),
      "--allow-peer", "host-a", "--tls", "off");
WRONG(psk_without_a_file, MORE("needs --psk-file", "openssl rand -hex 32"), "--tls", "psk");

TEST_F(wrong_option, is_told_with_a_way_out)
{
	size_t i;

	EXPECT_EQ(1, agent_start(&self->agent, (const char **)variant->more));
	for (i = 0; i < 3 && variant->said[i]; i++)
		EXPECT_TRUE(strstr(self->agent.log, variant->said[i])) {
			TH_LOG("it said: %s", self->agent.log);
		}
}

TEST_F(host, state_directory_has_one_agent)
{
	struct agent_process second;

	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	agent_dirs(&second, "b");
	strcpy(second.state_dir, self->agent.state_dir);
	EXPECT_EQ(1, agent_start(&second, NULL));
	EXPECT_TRUE(strstr(second.log, "another straddled uses"));
	EXPECT_TRUE(strstr(second.log, second.state_dir));
	EXPECT_TRUE(agent_lives(&self->agent));
}

TEST_F(host, control_socket_has_one_agent)
{
	struct agent_process second;

	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	agent_dirs(&second, "b");
	strcpy(second.run_dir, self->agent.run_dir);
	EXPECT_EQ(1, agent_start(&second, NULL));
	EXPECT_TRUE(strstr(second.log, "another straddled uses"));
	EXPECT_TRUE(agent_lives(&self->agent));
}

TEST_F(host, agent_follows_one_that_was_killed)
{
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	EXPECT_EQ(128 + SIGKILL, agent_kill(&self->agent));
	EXPECT_EQ(0, access(self->agent.socket, F_OK));
	self->agent.log[0] = '\0';
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	EXPECT_TRUE(agent_lives(&self->agent));
}

TEST_F(host, sigterm_ends_it_and_removes_its_socket)
{
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	EXPECT_EQ(0, access(self->agent.socket, F_OK));
	EXPECT_EQ(0, agent_stop(&self->agent));
	EXPECT_NE(0, access(self->agent.socket, F_OK));
}

TEST_F(host, what_it_makes_is_for_its_user_only)
{
	struct stat found;

	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	ASSERT_EQ(0, stat(self->agent.socket, &found));
	EXPECT_EQ(0600, found.st_mode & 07777);
	ASSERT_EQ(0, stat(self->agent.run_dir, &found));
	EXPECT_EQ(0700, found.st_mode & 07777);
	ASSERT_EQ(0, stat(self->agent.state_dir, &found));
	EXPECT_EQ(0700, found.st_mode & 07777);
}

TEST_F(host, port_that_is_taken_is_named)
{
	const char *more[] = { "--pki", self->pki, NULL };
	struct agent_process second;

	ASSERT_EQ(0, agent_start(&self->agent, more));
	agent_dirs(&second, "b");
	EXPECT_EQ(1, agent_start(&second, more));
	EXPECT_TRUE(strstr(second.log, "port 49300"));
	EXPECT_TRUE(strstr(second.log, "--listen"));
}

FIXTURE(wrong) { int unused; };

FIXTURE_VARIANT(wrong)
{
	const char *arguments[3];
	const char *said;
};

FIXTURE_SETUP(wrong)
{
	(void)self;
}

FIXTURE_TEARDOWN(wrong)
{
	(void)self;
}

FIXTURE_VARIANT_ADD(wrong, option) { { "--nonsense" }, "--nonsense" };
FIXTURE_VARIANT_ADD(wrong, argument) { { "nonsense" }, "'nonsense'" };
FIXTURE_VARIANT_ADD(wrong, value_missing) { { "--listen" }, "listen" };
FIXTURE_VARIANT_ADD(wrong, tls) { { "--tls", "ssl" }, "x509, psk or off" };
FIXTURE_VARIANT_ADD(wrong, workers) { { "--workers", "0" }, "from 1 to 1024" };
FIXTURE_VARIANT_ADD(wrong, workers_sign) { { "--workers", "-1" }, "from 1 to 1024" };

TEST_F(wrong, command_line_is_refused)
{
	const char *argv[5] = { "straddled", variant->arguments[0], variant->arguments[1] };
	char text[2048];

	EXPECT_EQ(2, program_output(argv, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, variant->said)) {
		TH_LOG("it said: %s", text);
	}
}

TEST_HARNESS_MAIN
