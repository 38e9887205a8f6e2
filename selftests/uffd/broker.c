// SPDX-License-Identifier: LGPL-2.1-or-later
/* broker.c - the process that alone may trace, and what it refuses. */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "harness.h"
#include "peer.h"
#include "sys.h"
#include "tools/lib/parcel.h"
#include "tools/straddled/broker.h"

#define HEADER	offsetof(struct broker_request, ranges)

static int wait_for_the_end(struct peer *peer)
{
	char byte;

	memset(peer->memory, 'o', PEER_SIZE);
	peer->board->ready = 1;
	return sys_ret(read(peer->wake[0], &byte, 1)) != 1;
}

FIXTURE(broker) {
	pid_t pid;
	int control;
	int client, binder;
	struct peer peer;
	struct peer other;
	struct fail fail;
};

/* As a worker whose steward says that this is the guest. */
static void connect_for(FIXTURE_DATA(broker) *self, const struct peer *peer)
{
	if (self->client >= 0)
		close(self->client);
	if (self->binder >= 0)
		close(self->binder);
	ASSERT_EQ(0, broker_connect(self->control, &self->client, &self->binder));
	ASSERT_EQ(0, broker_bind(self->binder, peer->pidfd, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_SETUP(broker)
{
	self->control = -1;
	self->client = self->binder = -1;
	self->peer = (struct peer){ .pidfd = -1 };
	self->other = (struct peer){ .pidfd = -1 };
	/* First, so that they hold no copy of the control descriptor. */
	ASSERT_EQ(0, peer_start(&self->peer, wait_for_the_end, true));
	ASSERT_EQ(0, peer_start(&self->other, wait_for_the_end, true));
	self->pid = broker_start(&self->control, &self->fail);
	if (self->pid == -EPERM)
		SKIP(return, "no CAP_SYS_PTRACE: run as root");
	ASSERT_LT(0, self->pid);
	connect_for(self, &self->peer);
	ASSERT_EQ(0, peer_await_call(&self->peer, __NR_read));
	ASSERT_EQ(0, peer_await_call(&self->other, __NR_read));
}

FIXTURE_TEARDOWN(broker)
{
	if (self->client >= 0)
		close(self->client);
	if (self->binder >= 0)
		close(self->binder);
	if (self->control >= 0)
		close(self->control);
	if (self->pid > 0)
		sys_retry(waitpid(self->pid, NULL, 0));
	peer_end(&self->peer);
	peer_end(&self->other);
}

TEST_F(broker, attaches_zaps_and_detaches)
{
	struct range all = { (uintptr_t)self->peer.memory, PEER_SIZE };
	struct uffd_attachment made;
	char before[4096], after[4096];

	ASSERT_EQ(0, peer_list_fds(&self->peer, before, sizeof(before)));
	ASSERT_EQ(0, broker_attach(self->client, self->peer.pid, &made,
				   &self->fail));
	EXPECT_EQ(self->peer.pid, made.pid);
	EXPECT_EQ(0, uffd_enable(made.uffd, 0));
	EXPECT_EQ(0, broker_zap(self->client, &all, 1, &self->fail));
	EXPECT_EQ(0, broker_detach(self->client, &made, &self->fail));
	EXPECT_EQ(-1, made.uffd);
	ASSERT_EQ(0, peer_list_fds(&self->peer, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_STREQ("", self->fail.text);
}

static int wait_as_nobody(struct peer *peer)
{
	if (sys_ret(setresuid(65534, 65534, 65534)))
		return 1;
	return wait_for_the_end(peer);
}

/* The broker keeps no right to signal it, which it does not need. */
TEST_F(broker, attaches_to_another_users_process_zaps_and_detaches)
{
	struct peer peer = { .pidfd = -1 };
	struct uffd_attachment made;
	struct range all;
	char before[4096], after[4096];

	ASSERT_EQ(0, peer_start(&peer, wait_as_nobody, true));
	ASSERT_EQ(0, peer_await_call(&peer, __NR_read));
	connect_for(self, &peer);
	all = (struct range){ (uintptr_t)peer.memory, PEER_SIZE };
	ASSERT_EQ(0, peer_list_fds(&peer, before, sizeof(before)));
	ASSERT_EQ(0, broker_attach(self->client, peer.pid, &made,
				   &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_EQ(0, uffd_enable(made.uffd, 0));
	EXPECT_EQ(0, broker_zap(self->client, &all, 1, &self->fail));
	EXPECT_EQ(0, broker_detach(self->client, &made, &self->fail));
	ASSERT_EQ(0, peer_list_fds(&peer, after, sizeof(after)));
	EXPECT_STREQ(before, after);
	peer_end(&peer);
}

/* Fails if who parses what strangers send can reach a process by its number. */
TEST_F(broker, connection_that_is_not_bound_names_nobody)
{
	struct range all = { (uintptr_t)self->peer.memory, PEER_SIZE };
	const struct parcel_fds itself = { { self->peer.pidfd }, 1 };
	struct uffd_attachment made;
	uint32_t bind = BROKER_BIND;
	struct broker_reply reply;
	struct parcel_fds none;
	int client, binder;

	ASSERT_EQ(0, broker_connect(self->control, &client, &binder));
	EXPECT_EQ(-EACCES, broker_attach(client, self->peer.pid, &made, NULL));
	EXPECT_EQ(-EACCES, broker_adopt(client, self->peer.pid, 0, &made, NULL));
	EXPECT_EQ(-EACCES, broker_zap(client, &all, 1, NULL));
	EXPECT_EQ(-EINVAL, broker_bind(binder, client, NULL));	/* no pidfd */
	/* Nor does it bind itself: that ends it. */
	ASSERT_EQ(0, parcel_send(client, &bind, sizeof(bind), &itself));
	EXPECT_EQ(0, parcel_receive(client, &reply, sizeof(reply), &none));
	close(client);
	close(binder);
}

/* Fails if a worker can reach a process that is not its guest. */
TEST_F(broker, connection_belongs_to_one_process)
{
	struct uffd_attachment made, second;

	ASSERT_EQ(0, broker_attach(self->client, self->peer.pid, &made,
				   NULL));
	EXPECT_EQ(-EACCES, broker_attach(self->client, self->other.pid,
					 &second, NULL));
	EXPECT_EQ(-EACCES, broker_adopt(self->client, self->other.pid, 0,
					&second, NULL));
	/* What is bound stays so when nobody binds any more. */
	close(self->binder);
	self->binder = -1;
	EXPECT_EQ(0, broker_attach(self->client, self->peer.pid, &second,
				   NULL));
	EXPECT_EQ(0, broker_detach(self->client, &second, NULL));
	EXPECT_EQ(0, broker_detach(self->client, &made, NULL));
}

TEST_F(broker, descriptor_is_adopted_over_a_new_connection)
{
	struct uffd_attachment first, second;

	ASSERT_EQ(0, broker_attach(self->client, self->peer.pid, &first,
				   NULL));
	uffd_attachment_close(&first);
	connect_for(self, &self->peer);
	ASSERT_EQ(0, broker_adopt(self->client, self->peer.pid,
				  first.remote_fd, &second, &self->fail));
	EXPECT_EQ(0, broker_detach(self->client, &second, NULL));
}

TEST_F(broker, failure_says_what_and_why)
{
	struct uffd_attachment made;
	char expected[128];

	ASSERT_EQ(0, kill(self->peer.pid, SIGKILL));
	ASSERT_EQ(0, sys_wait_fd(self->peer.pidfd, POLLIN, 10000));
	EXPECT_EQ(-ESRCH, broker_attach(self->client, self->peer.pid, &made,
					&self->fail));
	snprintf(expected, sizeof(expected), "cannot attach to process %d: "
		 "the process is gone", self->peer.pid);
	EXPECT_STREQ(expected, self->fail.text);
	EXPECT_EQ(-ESRCH, self->fail.err);
}

/* It went away, and the broker serves on. */
static void expect_dropped(FIXTURE_DATA(broker) *self)
{
	struct uffd_attachment made;
	struct broker_reply reply;
	struct parcel_fds fds;

	EXPECT_EQ(0, parcel_receive(self->client, &reply, sizeof(reply),
				    &fds));
	connect_for(self, &self->peer);
	EXPECT_EQ(0, broker_attach(self->client, self->peer.pid, &made, NULL));
	uffd_attachment_close(&made);
}

TEST_F(broker, malformed_request_ends_the_connection)
{
	struct broker_request request = { .verb = BROKER_ZAP };

	ASSERT_EQ(0, parcel_send(self->client, &request, 3, NULL));
	expect_dropped(self);
	request.range_count = 2;	/* and sends one */
	ASSERT_EQ(0, parcel_send(self->client, &request, HEADER +
				 sizeof(struct range), NULL));
	expect_dropped(self);
	request.range_count = UINT32_MAX;
	ASSERT_EQ(0, parcel_send(self->client, &request, HEADER, NULL));
	expect_dropped(self);
}

static int ask_raw(int client, const struct broker_request *request)
{
	struct broker_reply reply = { .err = 1 };
	struct parcel_fds fds;

	ASSERT_EQ(0, parcel_send(client, request, HEADER +
				 request->range_count * sizeof(struct range),
				 NULL));
	ASSERT_EQ(sizeof(reply), parcel_receive(client, &reply, sizeof(reply),
						&fds));
	EXPECT_EQ(0, fds.count);
	parcel_fds_close(&fds);
	return reply.err;
}

TEST_F(broker, unsound_request_is_refused)
{
	struct broker_request request = { .verb = 99 };
	struct uffd_attachment made;

	ASSERT_EQ(0, broker_attach(self->client, self->peer.pid, &made, NULL));
	EXPECT_EQ(-EINVAL, ask_raw(self->client, &request));
	request.verb = BROKER_DETACH;		/* without a descriptor */
	EXPECT_EQ(-EINVAL, ask_raw(self->client, &request));
	request.verb = BROKER_ZAP;
	request.range_count = 1;
	request.ranges[0] = (struct range){ UINT64_MAX - 4095, 8192 };
	EXPECT_EQ(-EINVAL, ask_raw(self->client, &request));
	request.ranges[0] = (struct range){ 4096, 17 };
	EXPECT_EQ(-EINVAL, ask_raw(self->client, &request));
	uffd_attachment_close(&made);
}

/* Fails if a capability is kept that no verb needs. */
TEST_F(broker, keeps_what_its_verbs_need_and_nothing_else)
{
	const uint64_t allowed = UINT64_C(1) << CAP_SYS_PTRACE |
				 UINT64_C(1) << CAP_SYS_NICE |
				 UINT64_C(1) << CAP_SYS_ADMIN;
	struct peer broker = { .pid = self->pid };
	unsigned long long effective = 0, bounding = 0;
	char status[8192];

	ASSERT_EQ(0, peer_read_proc(&broker, "status", status,
				    sizeof(status)));
	sscanf(strstr(status, "CapEff:"), "CapEff: %llx", &effective);
	sscanf(strstr(status, "CapBnd:"), "CapBnd: %llx", &bounding);
	EXPECT_NE(0, effective & UINT64_C(1) << CAP_SYS_PTRACE);
	EXPECT_EQ(0, effective & ~allowed);
	EXPECT_EQ(0, bounding);
	EXPECT_TRUE(strstr(status, "NoNewPrivs:\t1") != NULL);
}

TEST_F(broker, ends_when_the_agent_is_gone)
{
	struct uffd_attachment made;
	int status;

	close(self->control);
	self->control = -1;
	ASSERT_EQ(self->pid, sys_retry(waitpid(self->pid, &status, 0)));
	self->pid = 0;
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EPIPE, broker_attach(self->client, self->peer.pid, &made,
					&self->fail));
}

TEST(agent_without_the_right_is_told)
{
	struct fail fail = { .err = 0 };
	int control = -1;

	if (sys_ret(setresuid(65534, 65534, 65534)))
		SKIP(return, "cannot become nobody: run as root");
	EXPECT_EQ(-EPERM, broker_start(&control, &fail));
	EXPECT_EQ(-1, control);
	EXPECT_TRUE(strstr(fail.text, "CAP_SYS_PTRACE") != NULL);
}

TEST_HARNESS_MAIN
