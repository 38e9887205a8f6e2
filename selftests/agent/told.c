/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * told.c - an agent believes the steward which guest it is, and not the worker.
 *
 * Both are this test; the worker lies, as one that was broken into would.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "harness.h"
#include "proc.h"
#include "protocol/journal.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "tools/straddled/workers.h"

#define ID	"00112233445566778899aabbccddeeff"
#define UUID	"c0ffee00-0000-4000-8000-000000000001"

FIXTURE(told) {
	struct agent_options options;
	struct agent agent;
	struct worker *worker;
	int rpc, steward;	/* the other ends */
	pid_t guest;
	int guest_fd;		/* of that process */
	char run_dir[300];
};

FIXTURE_VARIANT(told) {
	enum worker_kind kind;
	const char *verb;	/* what a steward says before there is a row */
};

FIXTURE_VARIANT_ADD(told, source) { WORKER_SOURCE, "guest" };
FIXTURE_VARIANT_ADD(told, dest) { WORKER_DEST, "claim" };

static void pair_make(int *agents, int *theirs)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK));
	*agents = fds[0];
	*theirs = fds[1];
}

FIXTURE_SETUP(told)
{
	snprintf(self->run_dir, sizeof(self->run_dir), "%s/run", test_dir());
	ASSERT_EQ(0, mkdir(self->run_dir, 0700));
	self->options.run_dir = self->run_dir;
	self->agent.options = &self->options;
	ASSERT_EQ(0, journal_open(self->run_dir, &self->agent.journal, NULL));
	self->worker = worker_new(&self->agent, variant->kind, ID);
	ASSERT_NE(NULL, self->worker);
	pair_make(&self->worker->rpc, &self->rpc);
	pair_make(&self->worker->guest_told, &self->steward);
	self->guest = fork();
	ASSERT_LE(0, self->guest);
	if (!self->guest)
		for (;;)
			pause();
	self->guest_fd = (int)sys_ret(syscall(SYS_pidfd_open, self->guest, 0));
	ASSERT_LE(0, self->guest_fd);
}

FIXTURE_TEARDOWN(told)
{
	kill(self->guest, SIGKILL);
	sys_retry(waitpid(self->guest, NULL, 0));
	close(self->guest_fd);
	close(self->rpc);
	close(self->steward);
	worker_close(self->worker);
	journal_close(self->agent.journal);
}

static void packet(int fd, int passed, const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	ASSERT_NE(NULL, object);
	ASSERT_EQ(0, packet_send(fd, object, passed));
	json_object_put(object);
}

static void say(FIXTURE_DATA(told) *self, const char *verb, const char *guest)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"do\":\"%s\",\"guest\":\"%s\"}", verb, guest);
	packet(self->steward, strcmp(verb, "guest") ? -1 : self->guest_fd, text);
}

static int ask(FIXTURE_DATA(told) *self, const char *text)
{
	struct json_object *answer, *error = NULL;
	int ret = 0;

	packet(self->rpc, -1, text);
	worker_rpc_drain(self->worker);
	ASSERT_EQ(0, packet_receive(self->rpc, &answer, NULL));
	if (json_object_object_get_ex(answer, "errno", &error))
		ret = -json_object_get_int(error);
	json_object_put(answer);
	return ret;
}

/* It says that this very process is its guest's. */
static int begin(FIXTURE_DATA(told) *self, const char *guest)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"do\":\"begin\",\"row\":{\"guest\":\"%s\",\"uuid\":\""
		 UUID "\",\"peer\":\"127.0.0.1:1\",\"guest_pid\":%d}}", guest, (int)getpid());
	return ask(self, text);
}

static int process(FIXTURE_DATA(told) *self)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"do\":\"process\",\"pid\":%d}", (int)getpid());
	return ask(self, text);
}

static void expect_process(FIXTURE_DATA(told) *self, const char *expected)
{
	struct journal_row row;

	ASSERT_EQ(0, journal_get(self->agent.journal, ID, self->worker->side, &row, NULL));
	EXPECT_STREQ("mine", row.guest);
	EXPECT_STREQ(expected, row.process);
	EXPECT_NE(getpid(), row.guest_pid);
	journal_row_fini(&row);
}

static void expect_guests_process(FIXTURE_DATA(told) *self)
{
	char identity[96];

	proc_identity(self->guest, identity, sizeof(identity));
	expect_process(self, identity);
}

TEST_F(told, another_guest_has_no_row)
{
	EXPECT_EQ(-EACCES, begin(self, "mine"));	/* nobody has said so */
	say(self, variant->verb, "mine");
	EXPECT_EQ(-EACCES, begin(self, "other"));
	EXPECT_EQ(0, begin(self, "mine"));
	EXPECT_STREQ("mine", self->worker->guest);
}

TEST_F(told, another_process_is_in_no_row)
{
	say(self, variant->verb, "mine");
	ASSERT_EQ(0, begin(self, "mine"));
	if (variant->kind == WORKER_SOURCE) {
		expect_guests_process(self);
		return;
	}
	EXPECT_EQ(-EINVAL, process(self));		/* it has none yet */
	expect_process(self, "");
	say(self, "guest", "mine");
	EXPECT_EQ(0, process(self));
	expect_guests_process(self);
}

/* Else a successor would be handed whoever has that name later. */
TEST_F(told, guest_without_process_is_never_loaded)
{
	if (variant->kind == WORKER_SOURCE)
		return;
	say(self, "claim", "mine");
	ASSERT_EQ(0, begin(self, "mine"));
	EXPECT_EQ(-EACCES, ask(self, "{\"do\":\"move\",\"to\":\"LOADED\"}"));
	say(self, "guest", "mine");
	EXPECT_EQ(0, process(self));
	EXPECT_EQ(0, ask(self, "{\"do\":\"move\",\"to\":\"LOADED\"}"));
}

/* Its number may be somebody else's by now. */
TEST_F(told, process_that_has_ended_is_none)
{
	say(self, variant->verb, "mine");
	ASSERT_EQ(0, kill(self->guest, SIGKILL));
	ASSERT_EQ(0, sys_wait_fd(self->guest_fd, POLLIN, 20000));
	ASSERT_EQ(0, begin(self, "mine"));
	expect_process(self, "");
}

/* Its steward asks no guest, which may stand still. */
TEST_F(told, private_memory_is_told_to_a_successor)
{
	struct json_object *job = json_tokener_parse("{\"private_memory\":false}"), *private;

	ASSERT_EQ(0, predecessor_job_store(&self->agent, ID, self->worker->side, job));
	json_object_put(job);
	packet(self->steward, self->guest_fd,
	       "{\"do\":\"guest\",\"guest\":\"mine\",\"private\":true}");
	ASSERT_EQ(0, begin(self, "mine"));
	ASSERT_EQ(0, predecessor_job(&self->agent, ID, self->worker->side, &job, NULL));
	ASSERT_TRUE(json_object_object_get_ex(job, "private_memory", &private));
	EXPECT_TRUE(json_object_get_boolean(private));
	json_object_put(job);
}

TEST_F(told, what_no_steward_says_is_nothing)
{
	packet(self->steward, self->guest_fd, "{\"do\":\"guest\"}");
	packet(self->steward, self->guest_fd, "{\"guest\":\"mine\"}");
	EXPECT_EQ(-EACCES, begin(self, "mine"));
}

TEST_HARNESS_MAIN
