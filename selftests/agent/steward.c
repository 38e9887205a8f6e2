/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward.c - a steward does what its migration is about, and nothing else.
 *
 * The worker is this test, and lies: as one that was broken into would.
 */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/process.h"
#include "lib/vmm.h"
#include "proc.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "tools/straddled/port.h"
#include "tools/straddled/steward.h"
#include "tools/straddled/steward_wire.h"

#define ID	"00112233445566778899aabbccddeeff"

FIXTURE(steward) {
	pid_t pid;
	int fd, agent;		/* what it asks, and what the agent hears */
	struct steward_job job;
	char run_dir[300];
	struct test_vmm vmm;
	struct fail fail;
};

FIXTURE_VARIANT(steward) {
	enum side side;
};

FIXTURE_VARIANT_ADD(steward, source) { SIDE_SOURCE };
FIXTURE_VARIANT_ADD(steward, dest) { SIDE_DEST };

/* Where a worker finds it; the sockets out of the way. */
static void steward_become(FIXTURE_DATA(steward) *self, int socket, int agent)
{
	int above = fcntl(socket, F_DUPFD_CLOEXEC, 64);

	if (above < 0 || dup2(agent, PORT_GUEST_FD) < 0)
		_exit(1);
	close(PORT_BINDER_FD);		/* whatever that is here */
	steward_main(&self->job, &above, 1);
}

static void steward_fork(FIXTURE_DATA(steward) *self)
{
	int fds[2], told[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, told));
	self->pid = fork();
	ASSERT_LE(0, self->pid);
	if (!self->pid)
		steward_become(self, fds[1], told[1]);
	close(fds[1]);
	close(told[1]);
	self->fd = fds[0];
	self->agent = told[0];
}

static void steward_leave(FIXTURE_DATA(steward) *self)
{
	close(self->fd);
	close(self->agent);
	if (self->pid)
		EXPECT_EQ(0, process_wait(self->pid, 20000));
}

FIXTURE_SETUP(steward)
{
	snprintf(self->run_dir, sizeof(self->run_dir), "%s/run", test_dir());
	ASSERT_EQ(0, mkdir(self->run_dir, 0700));
	self->job = (struct steward_job){
		.side = variant->side, .id = ID, .guest = "mine",
		.peer = "127.0.0.1:1",
		.host = { .run_dir = self->run_dir, .definitions_dir = self->run_dir },
	};
	steward_fork(self);
}

FIXTURE_TEARDOWN(steward)
{
	steward_leave(self);
	vmm_kill(&self->vmm);
}

/* Return: its answer; @reply: NULL, or receives what came with it. */
static int ask(FIXTURE_DATA(steward) *self, int verb, uint32_t driver, struct wire *request,
	       struct wire *reply)
{
	struct wire_head head = { .verb = verb, .about = driver };
	struct wire none, answer;

	wire_init(&none);
	ASSERT_EQ(0, wire_send(self->fd, &head, request ? request : &none));
	if (request)
		wire_fini(request);
	ASSERT_EQ(0, wire_receive(self->fd, &head, &answer));
	memset(&self->fail, 0, sizeof(self->fail));
	if (head.verb < 0)
		wire_fail(&answer, &self->fail);
	if (reply)
		*reply = answer;
	else
		wire_fini(&answer);
	return head.verb;
}

static int ask_about(FIXTURE_DATA(steward) *self, int verb, const char *name)
{
	char text[GUEST_NAME_MAX] = "";
	struct wire request;

	snprintf(text, sizeof(text), "%s", name);
	wire_init(&request);
	wire_chars(&request, text, sizeof(text));
	return ask(self, verb, 0, &request, NULL);
}

TEST_F(steward, another_guest_is_not_opened)
{
	EXPECT_EQ(-EACCES, ask_about(self, STEWARD_OPEN, "other"));
	EXPECT_NE(NULL, strstr(self->fail.text, "'other' is not the one of this migration"));
	EXPECT_EQ(-ENOENT, ask_about(self, STEWARD_OPEN, "mine"));
}

/* What the agent hears next; it has to be of "mine". Return: the process, 0: none. */
static pid_t told(FIXTURE_DATA(steward) *self, const char *verb, bool expected)
{
	struct json_object *packet, *private = NULL;
	int pidfd = -1;
	pid_t pid = 0;

	ASSERT_EQ(0, packet_receive(self->agent, &packet, &pidfd));
	EXPECT_STREQ(verb, json_text(packet, "do"));
	EXPECT_STREQ("mine", json_text(packet, "guest"));
	EXPECT_TRUE(json_object_object_get_ex(packet, "private", &private));
	EXPECT_EQ(expected, json_object_get_boolean(private));
	json_object_put(packet);
	if (pidfd >= 0) {
		pid = proc_of_pidfd(pidfd);
		close(pidfd);
	}
	return pid;
}

static void nothing_told(FIXTURE_DATA(steward) *self)
{
	struct json_object *packet;

	EXPECT_EQ(-EAGAIN, packet_receive(self->agent, &packet, NULL));
}

static void run(FIXTURE_DATA(steward) *self, const char *name, const char *how)
{
	const char *more[] = { "--engine", "threads", "--memory", "16M", "--workload", "idle",
			       how, NULL };
	struct test_vmm_options options = { .run_dir = self->run_dir, .more = more };

	ASSERT_EQ(0, vmm_spawn(&self->vmm, name, &options)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
}

TEST_F(steward, agent_hears_which_guest_was_opened)
{
	run(self, "mine", "--paused");
	ASSERT_EQ(0, ask_about(self, STEWARD_OPEN, "mine"));
	EXPECT_EQ(0, ask(self, STEWARD_DESCRIBE, 0, NULL, NULL));
	EXPECT_EQ(self->vmm.pid, told(self, "guest", false));
	EXPECT_EQ(0, ask(self, STEWARD_DESCRIBE, 0, NULL, NULL));
	nothing_told(self);
}

/* Return: the descriptor, or -errno. */
static int process_file(FIXTURE_DATA(steward) *self, enum process_file file)
{
	struct wire request, reply;
	int fd = -1, ret;

	wire_init(&request);
	wire_value(&request, &file);
	ret = ask(self, STEWARD_PROCESS_OPEN, STEWARD_ITS, &request, &reply);
	if (!ret)
		wire_fd(&reply, &fd);
	wire_fini(&reply);
	return ret ? ret : fd;
}

/* With a region that it made up: of the hypervisor's own memory, say. */
static void map_with(FIXTURE_DATA(steward) *self, const struct guest_region *region)
{
	struct guest_description description = { .region_count = 1, .regions = { *region } };
	struct wire request;

	wire_init(&request);
	wire_description(&request, &description);
	ASSERT_EQ(0, ask(self, STEWARD_MAP, STEWARD_ITS, &request, NULL));
}

/* All that it has to touch are files, and it is not to touch its hypervisor. */
TEST_F(steward, memory_in_files_takes_no_process_s_memory)
{
	struct guest_region region = { .size = 4096, .page_size = 4096, .fd = -1 };
	int fd;

	run(self, "mine", "--paused");
	ASSERT_EQ(0, ask_about(self, STEWARD_OPEN, "mine"));
	EXPECT_EQ(-EACCES, process_file(self, PROCESS_MEMORY));
	map_with(self, &region);
	EXPECT_EQ(-EACCES, process_file(self, PROCESS_MEMORY));
	fd = process_file(self, PROCESS_PAGEMAP);
	EXPECT_LE(0, fd);
	close(fd);
}

TEST_F(steward, private_memory_is_written_at_the_dest_only)
{
	struct guest_region region = { .fd = -1 };
	int fd;

	run(self, "mine", "--private");
	ASSERT_EQ(0, ask_about(self, STEWARD_OPEN, "mine"));
	ASSERT_EQ(0, ask(self, STEWARD_DESCRIBE, 0, NULL, NULL));
	EXPECT_EQ(self->vmm.pid, told(self, "guest", false));
	map_with(self, &region);
	EXPECT_EQ(self->vmm.pid, told(self, "guest", true));
	fd = process_file(self, PROCESS_MEMORY);
	ASSERT_LE(0, fd);
	EXPECT_EQ(variant->side == SIDE_DEST ? O_RDWR : O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	close(fd);
}

static int open_as_successor(FIXTURE_DATA(steward) *self, pid_t process)
{
	steward_leave(self);
	self->job.process = process;
	steward_fork(self);
	return ask_about(self, STEWARD_OPEN, "mine");
}

/* The name may be another one's by now. */
TEST_F(steward, successor_opens_the_process_of_its_row)
{
	run(self, "mine", "--paused");
	EXPECT_EQ(-ESTALE, open_as_successor(self, getpid()));
	EXPECT_EQ(-ENOENT, open_as_successor(self, -1));
	EXPECT_EQ(0, open_as_successor(self, self->vmm.pid));
	EXPECT_EQ(0, open_as_successor(self, 0));
}

/* It asks no guest where its memory is: the agent knows of its predecessor. */
TEST_F(steward, successor_has_the_memory_that_its_predecessor_had)
{
	int fd;

	run(self, "mine", "--private");
	ASSERT_EQ(0, open_as_successor(self, self->vmm.pid));
	EXPECT_EQ(-EACCES, process_file(self, PROCESS_MEMORY));
	self->job.private = true;
	ASSERT_EQ(0, open_as_successor(self, self->vmm.pid));
	fd = process_file(self, PROCESS_MEMORY);
	EXPECT_LE(0, fd);
	close(fd);
}

/* Else who settles what was left would take it for the one that was to come. */
TEST_F(steward, guest_that_is_here_does_not_come)
{
	bool source = variant->side == SIDE_SOURCE;

	run(self, "other", "--paused");
	EXPECT_EQ(source ? -EACCES : -EEXIST, ask_about(self, STEWARD_CLAIM, "other"));
	nothing_told(self);
	EXPECT_EQ(source ? -EACCES : 0, ask_about(self, STEWARD_CLAIM, "mine"));
	if (!source)
		EXPECT_EQ(0, told(self, "claim", false));
	EXPECT_EQ(-EACCES, ask_about(self, STEWARD_CLAIM, "third"));
	nothing_told(self);
}

TEST_F(steward, guest_that_was_not_told_of_is_not_made)
{
	struct guest_incoming incoming = { .live = "{}", .name = "other", .version = "",
					   .boot_id = "" };
	struct incoming_parts none;
	struct wire request;

	if (variant->side == SIDE_SOURCE)
		return;
	ASSERT_EQ(0, ask_about(self, STEWARD_CLAIM, "mine"));
	wire_init(&request);
	wire_incoming(&request, &incoming, &none);
	EXPECT_EQ(-EACCES, ask(self, STEWARD_CREATE, 0, &request, NULL));
	EXPECT_NE(NULL, strstr(self->fail.text, "'other' is not the one of this migration"));
}

static int define(FIXTURE_DATA(steward) *self, const char *name, char *text)
{
	char called[GUEST_NAME_MAX] = "";
	struct wire request;

	snprintf(called, sizeof(called), "%s", name);
	wire_init(&request);
	wire_chars(&request, called, sizeof(called));
	wire_text(&request, &text, DEFINITION_MAX);
	return ask(self, STEWARD_DEFINE, 0, &request, NULL);
}

TEST_F(steward, another_definition_is_not_touched)
{
	char text[] = "{}";

	EXPECT_EQ(-EACCES, define(self, "other", text));
	EXPECT_EQ(-EACCES, define(self, "other", NULL));
	/* A source stores none at all. */
	if (variant->side == SIDE_SOURCE)
		EXPECT_EQ(-EACCES, define(self, "mine", text));
}

static int dial(FIXTURE_DATA(steward) *self, const char *host)
{
	char peer[256] = "", congestion[16] = "";
	struct wire request;
	int timeout_ms = 1000;

	snprintf(peer, sizeof(peer), "%s", host);
	wire_init(&request);
	wire_chars(&request, peer, sizeof(peer));
	wire_chars(&request, congestion, sizeof(congestion));
	wire_value(&request, &timeout_ms);
	return ask(self, STEWARD_DIAL, STEWARD_ITS, &request, NULL);
}

TEST_F(steward, another_host_is_not_called)
{
	EXPECT_EQ(-EACCES, dial(self, "127.0.0.1:22"));
	EXPECT_EQ(variant->side == SIDE_SOURCE ? -ECONNREFUSED : -EACCES,
		  dial(self, "127.0.0.1:1"));
}

static int states(FIXTURE_DATA(steward) *self, const char *path, int flags, struct wire *reply)
{
	char full[512] = "";
	struct wire request;

	snprintf(full, sizeof(full), "%s", path);
	wire_init(&request);
	wire_chars(&request, full, sizeof(full));
	wire_value(&request, &flags);
	return ask(self, STEWARD_FILE_OPEN, STEWARD_ITS, &request, reply);
}

TEST_F(steward, another_file_is_not_opened)
{
	char mine[400], other[400];
	struct wire reply;
	int fd = -1;

	snprintf(mine, sizeof(mine), "%s/pages-" ID, self->run_dir);
	snprintf(other, sizeof(other), "%s/../run/pages-" ID, self->run_dir);
	EXPECT_EQ(-EACCES, states(self, "/etc/passwd", O_RDWR, NULL));
	EXPECT_EQ(-EACCES, states(self, other, O_RDWR, NULL));
	if (variant->side == SIDE_SOURCE) {
		EXPECT_EQ(-EACCES, states(self, mine, O_RDWR, NULL));
		return;
	}
	EXPECT_EQ(-EINVAL, states(self, mine, O_RDWR | O_PATH, NULL));
	ASSERT_EQ(0, states(self, mine, O_RDWR | O_CREAT | O_EXCL, &reply));
	wire_fd(&reply, &fd);
	wire_fini(&reply);
	EXPECT_LE(0, fd);
	close(fd);
	/* What lies there by that name has to be a file. */
	ASSERT_EQ(0, unlink(mine));
	ASSERT_EQ(0, symlink("/etc/passwd", mine));
	EXPECT_EQ(-ELOOP, states(self, mine, O_RDWR, NULL));
}

TEST_F(steward, there_is_no_process_before_there_is_a_guest)
{
	enum process_file file = PROCESS_MEMORY;
	int signal = SIGKILL;
	struct wire request;

	wire_init(&request);
	wire_value(&request, &signal);
	EXPECT_EQ(-ENOENT, ask(self, STEWARD_PROCESS_SIGNAL, STEWARD_ITS, &request, NULL));
	wire_init(&request);
	wire_value(&request, &file);
	EXPECT_EQ(-ENOENT, ask(self, STEWARD_PROCESS_OPEN, STEWARD_ITS, &request, NULL));
}

TEST_F(steward, other_side_s_verbs_are_refused)
{
	static const int dest[] = { STEWARD_CREATE, STEWARD_LOAD, STEWARD_IMAGE_MAKE };
	static const int source[] = { STEWARD_SAVE, STEWARD_COPY_START, STEWARD_DISK_LISTEN };
	size_t i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EACCES, ask(self, variant->side == SIDE_SOURCE ? dest[i] : source[i],
				       0, NULL, NULL));
}

/* It answers each, and goes on: of verbs that there are, and that there are not. */
TEST_F(steward, requests_of_any_bytes_are_answered)
{
	unsigned int seed = 1, size, i;
	int verb;

	for (verb = -1; verb <= STEWARD_VERBS + 1; verb++) {
		for (size = 0; size < 4096; size = size * 3 + 1) {
			uint8_t bytes[4096];
			struct wire request;

			for (i = 0; i < size; i++)
				bytes[i] = (uint8_t)rand_r(&seed);
			wire_init(&request);
			wire_bytes(&request, bytes, size);
			/* Only what needs nothing, and does nothing, succeeds. */
			if (verb == STEWARD_CLOSE || verb == STEWARD_DISKS_OVER ||
			    verb == STEWARD_PROCESS_STARTED)
				ask(self, verb, seed % 4, &request, NULL);
			else
				EXPECT_GT(0, ask(self, verb, seed % 4, &request, NULL)) {
					TH_LOG("verb %d, %u bytes", verb, size);
				}
		}
	}
}

/* No length makes it allocate more than it would take. */
TEST_F(steward, message_that_is_too_long_is_the_end)
{
	struct wire_head head = { .size = WIRE_MAX + 1, .verb = STEWARD_CLOSE };

	ASSERT_EQ(0, sys_write_all(self->fd, &head, sizeof(head)));
	EXPECT_EQ(0, process_wait(self->pid, 20000));
	self->pid = 0;
}

/* ---- what they speak ----------------------------------------------------- */

static void wire_turn(struct wire *wire)
{
	wire->reading = true;
}

TEST(description_comes_back_as_it_went)
{
	struct guest_description there = { .pid = 7, .vcpus = 3, .running = true }, back;
	struct wire wire;
	char byte = 0;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	strcpy(there.name, "db");
	there.live = (char *)"<domain/>";
	there.disks = calloc(GUEST_DISKS_MAX, sizeof(*there.disks));
	ASSERT_NE(NULL, there.disks);
	there.disk_count = 1;
	strcpy(there.disks[0].target, "vda");
	there.region_count = 2;
	there.regions[0] = (struct guest_region){ .size = 4096, .fd = fds[1], .shared = true };
	there.regions[1] = (struct guest_region){ .size = 8192, .fd = -1 };
	wire_init(&wire);
	wire_description(&wire, &there);
	ASSERT_EQ(0, wire_end(&wire));
	wire_turn(&wire);
	wire_description(&wire, &back);
	EXPECT_EQ(0, wire_end(&wire));
	EXPECT_STREQ("db", back.name);
	EXPECT_STREQ("<domain/>", back.live);
	EXPECT_NULL(back.persistent);
	EXPECT_EQ(7, back.pid);
	EXPECT_EQ(1, back.disk_count);
	EXPECT_STREQ("vda", back.disks[0].target);
	EXPECT_EQ(2, back.region_count);
	EXPECT_EQ(8192, back.regions[1].size);
	EXPECT_EQ(-1, back.regions[1].fd);
	/* A copy, which is its reader's. */
	EXPECT_NE(fds[1], back.regions[0].fd);
	EXPECT_EQ(1, write(back.regions[0].fd, "x", 1));
	EXPECT_EQ(1, read(fds[0], &byte, 1));
	guest_description_fini(&back);
	wire_fini(&wire);
	free(there.disks);
	close(fds[0]);
	close(fds[1]);
}

TEST(counts_that_are_too_large_are_refused)
{
	struct guest_description there = { .disk_count = 0 }, back;
	struct wire wire;
	size_t size, at;

	wire_init(&wire);
	wire_description(&wire, &there);
	size = wire.size;
	wire_fini(&wire);
	/* Each place, the counts among them. */
	for (at = 0; at + 4 <= size; at++) {
		wire_init(&wire);
		wire_description(&wire, &there);
		memset(wire.data + at, 0x7f, 4);
		wire_turn(&wire);
		wire_description(&wire, &back);
		EXPECT_GE(GUEST_REGIONS_MAX, back.region_count);
		EXPECT_GE(GUEST_DISKS_MAX, back.disk_count);
		EXPECT_GT(sizeof(back.name), strnlen(back.name, sizeof(back.name)));
		guest_description_fini(&back);
		wire_fini(&wire);
	}
}

TEST_HARNESS_MAIN
