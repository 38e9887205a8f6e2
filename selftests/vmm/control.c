/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - the control socket: what is asked well, badly, and too much. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "harness.h"
#include "machine.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/textfile.h"

#define LINE_MAX_BYTES	(2u << 20)
#define FAULT_MS	20000

static const struct machine_kind threads_memfd = { "threads", false, false };

FIXTURE(control) {
	struct test_vmm vmm;
	struct test_vmm other;
	int fd;			/* a plain connection */
	char persistent[300];
	char witness[300];
};

FIXTURE_VARIANT(control) {
	struct machine_kind kind;
};

FIXTURE_VARIANT_ADD(control, threads) { .kind = { "threads", 0, 0 } };
FIXTURE_VARIANT_ADD(control, kvm) { .kind = { "kvm", 0, 0 } };

static int plain_connect(const struct test_vmm *vmm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "%.70s/guests/%.20s.sock", vmm->run_dir, vmm->name);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ?
	       -1 : fd;
}

FIXTURE_SETUP(control)
{
	const char *missing = machine_missing(&variant->kind, 1);
	const char *more[] = {
		"--engine", variant->kind.engine, "--memory", "16M",
		"--persistent", self->persistent, "--witness", self->witness,
		NULL
	};
	struct test_vmm_options options = { .more = more };

	if (missing)
		SKIP(return, "%s", missing);
	snprintf(self->persistent, sizeof(self->persistent), "%s/one.json",
		 test_dir());
	snprintf(self->witness, sizeof(self->witness), "%s/witness",
		 test_dir());
	ASSERT_EQ(0, vmm_spawn(&self->vmm, "one", &options)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
	self->fd = plain_connect(&self->vmm);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(control)
{
	close(self->fd);
	vmm_kill(&self->vmm);
	vmm_kill(&self->other);
}

/* One answer; *ok says what it says. False: the connection ended. */
static bool answer_is(int fd, bool *ok)
{
	char text[4096];
	size_t used = 0;
	ssize_t got;

	do {
		got = sys_retry(recv(fd, text + used, sizeof(text) - 1 - used,
				     0));
		if (got <= 0)
			return false;
		used += (size_t)got;
	} while (text[used - 1] != '\n');
	text[used] = '\0';
	*ok = strstr(text, "\"ok\":true");
	return true;
}

TEST_F(control, malformed_requests_are_refused_one_by_one)
{
	static const char *const lines[] = {
		"\n", "null\n", "[]\n", "{\n", "{}\n", "{\"verb\":1}\n",
		"{\"verb\":\"fly\"}\n", "{\"verb\":\"pause\"} x\n",
		"{\"verb\":\"set\"}\n", "{\"verb\":\"set\",\"rate\":-1}\n",
		"{\"verb\":\"set\",\"rate\":1.5}\n",
		"{\"verb\":\"set\",\"rate\":\"1\"}\n",
		"{\"verb\":\"set\",\"rate\":1,\"live\":3}\n",
		"{\"verb\":\"define\"}\n",
		"{\"verb\":\"define\",\"text\":\"{\\\"vcpus\\\":65}\"}\n",
		"{\"verb\":\"define\",\"text\":\"{\\\"wings\\\":2}\"}\n",
		"{\"verb\":\"load\"}\n", "{\"verb\":\"userfaultfd-close\"}\n",
		"{\"verb\":\"wait\",\"ticks\":\"many\"}\n",
		"{\"verb\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}\n",
		"\x01\xff\xfe\n",
		/* the answer would be none for whoever asks for UTF-8 */
		"{\"verb\":\"define\",\"text\":\"{}\xff\"}\n",
	};
	bool ok;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ASSERT_EQ(0, sys_write_all(self->fd, lines[i],
					   strlen(lines[i])));
		ASSERT_TRUE(answer_is(self->fd, &ok));
		EXPECT_FALSE(ok) {
			TH_LOG("accepted: %s", lines[i]);
		}
	}
	EXPECT_EQ(0, vmm_wait_ticks(&self->vmm, 1000));
}

TEST_F(control, line_that_never_ends_is_cut_off)
{
	__cleanup_free char *line = malloc(LINE_MAX_BYTES);
	bool ok = true;

	memset(line, 'x', LINE_MAX_BYTES);
	ASSERT_EQ(0, sys_write_all(self->fd, line, LINE_MAX_BYTES));
	send(self->fd, "x", 1, MSG_NOSIGNAL);
	ASSERT_TRUE(answer_is(self->fd, &ok));
	EXPECT_FALSE(ok);
	EXPECT_FALSE(answer_is(self->fd, &ok));	/* and closed */
	EXPECT_EQ(0, vmm_wait_ticks(&self->vmm, 1000));
}

TEST_F(control, more_clients_than_there_is_room_for_do_no_harm)
{
	int fds[100];

	for (int i = 0; i < 100; i++)
		fds[i] = plain_connect(&self->vmm);
	EXPECT_LT(0, vmm_stat(&self->vmm, "uptime_ms"));
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	EXPECT_EQ(0, vmm_wait_ticks(&self->vmm, 1000));
}

TEST_F(control, discard_outside_of_memory_or_while_running_is_refused)
{
	struct range memory = vmm_memory_range(&self->vmm);
	char line[200];
	bool ok = true;

	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	for (int i = 0; i < 3; i++) {
		const unsigned long long bad[3][2] = {
			{ memory.start + memory.len, 4096 },
			{ memory.start - 4096, 8192 },
			{ memory.start + 1, 4096 },
		};

		snprintf(line, sizeof(line),
			 "{\"verb\":\"discard\",\"ranges\":[[%llu,%llu]]}\n",
			 bad[i][0], bad[i][1]);
		ASSERT_EQ(0, sys_write_all(self->fd, line, strlen(line)));
		ASSERT_TRUE(answer_is(self->fd, &ok));
		EXPECT_FALSE(ok);
	}
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	snprintf(line, sizeof(line), "{\"verb\":\"discard\",\"ranges\":[]}\n");
	ASSERT_EQ(0, sys_write_all(self->fd, line, strlen(line)));
	ASSERT_TRUE(answer_is(self->fd, &ok));
	EXPECT_FALSE(ok);
}

static uint64_t rate_in(const char *text)
{
	struct json_object *object = NULL;
	uint64_t rate;

	if (json_parse(text, strlen(text), &object))
		return UINT64_MAX;
	rate = vmm_number(object, "rate");
	json_object_put(object);
	return rate;
}

static void rates(struct test_vmm *vmm, uint64_t *live, uint64_t *persistent)
{
	struct vmm_call call = {
		.request = vmm_request("describe"),
		.send_fd = -1,
		.timeout_ms = FAULT_MS,
	};

	ASSERT_EQ(0, vmm_call(vmm->client, &call, &vmm->fail));
	*live = rate_in(vmm_text(call.answer, "live"));
	*persistent = rate_in(vmm_text(call.answer, "persistent"));
	json_object_put(call.answer);
}

TEST_F(control, live_and_persistent_rate_change_apart)
{
	uint64_t live, persistent;

	ASSERT_EQ(0, vmm_set_rate(&self->vmm, 500, true, false));
	rates(&self->vmm, &live, &persistent);
	EXPECT_EQ(500, live);
	EXPECT_EQ(0, persistent);
	ASSERT_EQ(0, vmm_set_rate(&self->vmm, 700, false, true));
	rates(&self->vmm, &live, &persistent);
	EXPECT_EQ(500, live);
	EXPECT_EQ(700, persistent);
	ASSERT_EQ(0, vmm_do(&self->vmm, "undefine"));
	EXPECT_EQ(-ENOENT, vmm_set_rate(&self->vmm, 1, false, true));
}

TEST_F(control, name_of_a_live_guest_is_refused_and_of_a_dead_one_taken)
{
	ASSERT_NE(0, machine_spawn(&self->other, "one", &threads_memfd, NULL,
				   NULL));
	EXPECT_TRUE(strstr(self->other.fail.text, "runs here already"));
	vmm_kill(&self->other);
	EXPECT_LT(0, vmm_stat(&self->vmm, "uptime_ms"));
	vmm_kill(&self->vmm);		/* leaves its socket behind */
	EXPECT_EQ(0, machine_spawn(&self->other, "one", &threads_memfd, NULL,
				   NULL));
}

TEST_F(control, witness_tells_of_every_start_and_stop)
{
	static const char *const wanted[] = { "start", "stop", "start",
					      "stop" };
	unsigned long long at, before = 0;
	__cleanup_file FILE *file = NULL;
	char name[32], what[16];
	int pid, lines = 0;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, 100));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, 100));
	ASSERT_EQ(0, vmm_do(&self->vmm, "quit"));
	ASSERT_EQ(0, vmm_wait_exit(&self->vmm));
	file = fopen(self->witness, "re");
	ASSERT_NE(NULL, file);
	while (fscanf(file, "%llu %d %31s %15s", &at, &pid, name, what) == 4) {
		ASSERT_GT(4, lines);
		EXPECT_LT(before, at);
		EXPECT_STREQ("one", name);
		EXPECT_STREQ(wanted[lines], what);
		before = at;
		lines++;
	}
	EXPECT_EQ(4, lines);
}

static void try_witness(FIXTURE_DATA(control) *self, const char *path,
			const char *why)
{
	EXPECT_GT(0, machine_spawn(&self->other, "other", &threads_memfd,
				   "--witness", path));
	EXPECT_TRUE(strstr(self->other.fail.text, why)) {
		TH_LOG("%s", self->other.fail.text);
	}
	vmm_kill(&self->other);
}

TEST_F(control, witness_is_a_regular_file)
{
	__cleanup_fd int reader = -1;
	char path[300];

	snprintf(path, sizeof(path), "%s/fifo", test_dir());
	ASSERT_EQ(0, sys_ret(mkfifo(path, 0600)));
	try_witness(self, path, "cannot open the witness file");
	reader = sys_ret(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	ASSERT_LE(0, reader);
	try_witness(self, path, "no regular file");
	snprintf(path, sizeof(path), "%s/link", test_dir());
	ASSERT_EQ(0, sys_ret(symlink(self->witness, path)));
	try_witness(self, path, "cannot open the witness file");
}

/* ---- vCPUs that wait for a page that nobody brings ---------------------- */

/* A paused guest whose pages are missing; resumed, its vCPU blocks. */
static void block_vcpus(struct test_vmm *vmm, int *uffd, struct range *memory)
{
	ASSERT_EQ(0, vmm_do(vmm, "pause"));
	*memory = vmm_memory_range(vmm);
	*uffd = vmm_fd(vmm, "userfaultfd");
	ASSERT_LE(0, *uffd);
	ASSERT_EQ(0, uffd_enable(*uffd, UFFD_FEATURE_MISSING_SHMEM));
	/* Not the VMM's and the guest's own first pages: data only. */
	memory->start += memory->len / 4;
	memory->len -= memory->len / 4;
	ASSERT_EQ(0, uffd_register(*uffd, *memory,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, vmm_do(vmm, "resume"));
	ASSERT_EQ(0, sys_wait_fd(*uffd, POLLIN, FAULT_MS));
}

TEST_F(control, blocked_vcpu_stops_nobody_from_asking)
{
	static const char pause[] = "{\"verb\":\"pause\"}\n";
	__cleanup_fd int uffd = -1;
	struct range memory;
	bool ok = false;

	vmm_kill(&self->vmm);
	ASSERT_EQ(0, machine_spawn(&self->other, "blocked", &variant->kind,
				   "--paused", NULL));
	block_vcpus(&self->other, &uffd, &memory);
	close(self->fd);
	self->fd = plain_connect(&self->other);
	ASSERT_EQ(0, sys_write_all(self->fd, pause, sizeof(pause) - 1));
	EXPECT_EQ(0, vmm_do(&self->other, "stats"));
	ASSERT_EQ(0, uffd_unregister(uffd, memory));
	ASSERT_TRUE(answer_is(self->fd, &ok));
	EXPECT_TRUE(ok);
	ASSERT_EQ(0, vmm_do(&self->other, "resume"));
	EXPECT_EQ(0, vmm_wait_ticks(&self->other, 100));
}

TEST_F(control, blocked_vcpu_does_not_keep_it_from_quitting)
{
	__cleanup_fd int uffd = -1;
	struct range memory;

	ASSERT_EQ(0, machine_spawn(&self->other, "blocked", &variant->kind,
				   "--paused", NULL));
	block_vcpus(&self->other, &uffd, &memory);
	ASSERT_EQ(0, vmm_do(&self->other, "quit"));
	EXPECT_EQ(0, vmm_wait_exit(&self->other));
}

TEST_F(control, one_userfaultfd_is_handed_to_all_who_ask)
{
	__cleanup_fd int first = vmm_fd(&self->vmm, "userfaultfd");
	__cleanup_fd int second = vmm_fd(&self->vmm, "userfaultfd");

	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	EXPECT_EQ(0, uffd_enable(first, 0));
	EXPECT_NE(0, uffd_enable(second, 0));	/* the same: enabled already */
	EXPECT_EQ(0, vmm_do(&self->vmm, "userfaultfd-close"));
}

TEST_HARNESS_MAIN
