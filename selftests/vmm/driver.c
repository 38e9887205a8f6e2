/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the guest driver of straddle-vmm, operation by operation. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/program.h"
#include "machine.h"
#include "protocol/guest.h"
#include "sys.h"

FIXTURE(driver) {
	struct test_vmm vmm;	/* "one", running */
	struct guest_host host;
	char definitions[300];
	struct guest *guest;
	struct guest *incoming;
	struct fail fail;
};

FIXTURE_VARIANT(driver) {
	struct machine_kind kind;
};

FIXTURE_VARIANT_ADD(driver, threads_memfd) { .kind = { "threads", 0, 0 } };
FIXTURE_VARIANT_ADD(driver, threads_private) { .kind = { "threads", 1, 0 } };
FIXTURE_VARIANT_ADD(driver, kvm_memfd) { .kind = { "kvm", 0, 0 } };

FIXTURE_SETUP(driver)
{
	const char *missing = machine_missing(&variant->kind, 2);
	char path[512];

	if (missing)
		SKIP(return, "%s", missing);
	build_path(path, sizeof(path), "straddle-vmm");
	setenv("STRADDLE_VMM", path, 1);
	snprintf(self->definitions, sizeof(self->definitions),
		 "%s/definitions", test_dir());
	self->host.run_dir = test_dir();
	self->host.definitions_dir = self->definitions;
	ASSERT_EQ(0, machine_spawn(&self->vmm, "one", &variant->kind, NULL,
				   NULL));
	ASSERT_EQ(0, vmm_driver.open(&self->host, "one", &self->guest,
				     &self->fail));
}

FIXTURE_TEARDOWN(driver)
{
	if (self->incoming)
		vmm_driver.destroy(self->incoming, NULL);
	vmm_driver.close(self->incoming);
	vmm_driver.close(self->guest);
	vmm_kill(&self->vmm);
}

static int count_guest(const char *name, void *arg)
{
	int *count = arg;

	*count += strcmp(name, "one") ? 1000 : 1;
	return 0;
}

TEST_F(driver, live_guests_are_listed_and_dead_ones_are_not)
{
	int count = 0;

	ASSERT_EQ(0, vmm_driver.list(&self->host, count_guest, &count,
				     &self->fail));
	EXPECT_EQ(1, count);
	vmm_kill(&self->vmm);		/* leaves its socket behind */
	EXPECT_FALSE(vmm_driver.alive(self->guest));
	EXPECT_EQ(0, sys_wait_fd(vmm_driver.pidfd(self->guest), POLLIN, 0));
	count = 0;
	ASSERT_EQ(0, vmm_driver.list(&self->host, count_guest, &count,
				     &self->fail));
	EXPECT_EQ(0, count);
}

TEST_F(driver, guest_that_is_not_there_is_named)
{
	struct guest *guest;

	EXPECT_EQ(-ENOENT, vmm_driver.open(&self->host, "nobody", &guest,
					   &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "nobody"));
	self->fail.err = 0;
	EXPECT_EQ(-EINVAL, vmm_driver.open(&self->host, "../one", &guest,
					   &self->fail));
}

TEST_F(driver, description_is_of_the_process)
{
	struct range memory = vmm_memory_range(&self->vmm);
	struct guest_description got = { 0 };
	struct stat st;

	ASSERT_EQ(0, vmm_driver.describe(self->guest, &got, &self->fail));
	EXPECT_EQ(0, got.region_count);
	EXPECT_EQ(memory.len, got.memory_bytes);
	ASSERT_EQ(0, vmm_driver.map(self->guest, &got, &self->fail));
	EXPECT_STREQ("one", got.name);
	EXPECT_EQ(36, strlen(got.uuid));
	EXPECT_EQ(self->vmm.pid, got.pid);
	EXPECT_EQ(2, got.vcpus);
	EXPECT_TRUE(got.running);
	EXPECT_FALSE(got.incoming);
	EXPECT_NULL(got.persistent);
	ASSERT_EQ(1, got.region_count);
	EXPECT_EQ(memory.start, got.regions[0].address);
	EXPECT_EQ(memory.len, got.regions[0].size);
	EXPECT_EQ(!variant->kind.private_memory, got.regions[0].shared);
	if (got.regions[0].shared) {
		ASSERT_EQ(0, fstat(got.regions[0].fd, &st));
		EXPECT_EQ(memory.len, st.st_size);
	} else {
		EXPECT_EQ(-1, got.regions[0].fd);
	}
	guest_description_fini(&got);
}

/* What a migration does, but for the memory that it carries itself. */
static void make_incoming(FIXTURE_DATA(driver) *self, const char *name)
{
	struct guest_description source = { 0 };
	struct guest_incoming incoming = { .name = name };

	ASSERT_EQ(0, vmm_driver.describe(self->guest, &source, &self->fail));
	incoming.live = source.live;
	ASSERT_EQ(0, vmm_driver.check(&self->host, &incoming, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, vmm_driver.create_incoming(&self->host, &incoming,
						&self->incoming,
						&self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	guest_description_fini(&source);
}

TEST_F(driver, guest_moves_by_its_operations)
{
	struct guest_description got = { 0 };
	struct test_vmm there = { .name = "two" };
	__cleanup_fd int state = -1;
	uint64_t pages, bad = 1;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, 1000));
	make_incoming(self, "two");
	ASSERT_EQ(0, vmm_driver.describe(self->incoming, &got, &self->fail));
	EXPECT_TRUE(got.incoming);
	EXPECT_FALSE(got.running);
	there.pid = got.pid;
	guest_description_fini(&got);
	snprintf(there.run_dir, sizeof(there.run_dir), "%s", test_dir());
	ASSERT_EQ(0, vmm_connect(there.run_dir, "two", &there.client, NULL));
	ASSERT_EQ(0, vmm_driver.pause(self->guest, &self->fail));
	ASSERT_EQ(0, vmm_driver.save(self->guest, &state, &self->fail));
	ASSERT_EQ(0, vmm_driver.load(self->incoming, state, &self->fail));
	ASSERT_EQ(0, vmm_copy_memory(&self->vmm, &there));
	ASSERT_EQ(0, vmm_driver.resume(self->incoming, &self->fail));
	ASSERT_EQ(0, vmm_walk(&there, &pages, &bad));
	EXPECT_EQ(0, bad);
	vmm_disconnect(there.client);
	EXPECT_TRUE(vmm_driver.alive(self->incoming));
	ASSERT_EQ(0, vmm_driver.destroy(self->incoming, &self->fail));
	EXPECT_FALSE(vmm_driver.alive(self->incoming));
	ASSERT_EQ(0, vmm_driver.destroy(self->incoming, &self->fail));
}

TEST_F(driver, incoming_guest_outlives_who_made_it)
{
	struct fail fail = { 0 };
	pid_t maker = fork();
	int status;

	if (!maker) {
		make_incoming(self, "two");
		_exit(0);
	}
	ASSERT_LT(0, maker);
	ASSERT_EQ(maker, waitpid(maker, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(0, vmm_driver.open(&self->host, "two", &self->incoming,
				     &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_TRUE(vmm_driver.alive(self->incoming));
}

static void discard_all(FIXTURE_DATA(driver) *self, struct range memory)
{
	struct json_object *range = json_object_new_array();
	struct json_object *ranges = json_object_new_array();
	struct vmm_call call = {
		.request = vmm_request("discard"),
		.send_fd = -1,
		.timeout_ms = 20000,
	};

	json_object_array_add(range, json_object_new_uint64(memory.start));
	json_object_array_add(range, json_object_new_uint64(memory.len));
	json_object_array_add(ranges, range);
	json_object_object_add(call.request, "ranges", ranges);
	ASSERT_EQ(0, vmm_call(self->vmm.client, &call, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	json_object_put(call.answer);
}

/* Its vCPUs run into missing pages and stay there. */
TEST_F(driver, blocked_guest_is_destroyed)
{
	__cleanup_fd int uffd = -1;
	struct range memory = vmm_memory_range(&self->vmm);

	ASSERT_EQ(0, vmm_driver.pause(self->guest, &self->fail));
	ASSERT_EQ(0, vmm_driver.userfaultfd(self->guest, &uffd, &self->fail));
	ASSERT_EQ(0, uffd_enable(uffd, variant->kind.private_memory ? 0 :
				 UFFD_FEATURE_MINOR_SHMEM));
	ASSERT_EQ(0, uffd_register(uffd, memory,
				   variant->kind.private_memory ?
				   UFFDIO_REGISTER_MODE_MISSING :
				   UFFDIO_REGISTER_MODE_MINOR));
	discard_all(self, memory);
	ASSERT_EQ(0, vmm_driver.resume(self->guest, &self->fail));
	ASSERT_EQ(0, sys_wait_fd(uffd, POLLIN, 20000));
	ASSERT_EQ(0, vmm_driver.destroy(self->guest, &self->fail));
	EXPECT_FALSE(vmm_driver.alive(self->guest));
}

TEST_F(driver, every_obstacle_is_named_at_once)
{
	struct guest_incoming incoming = {
		.live = "{\"memory\":1152921504606846976}",
		.name = "one",
	};

	setenv("STRADDLE_VMM", "/nowhere/straddle-vmm", 1);
	EXPECT_EQ(-EEXIST, vmm_driver.check(&self->host, &incoming,
					    &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "runs here already"));
	EXPECT_TRUE(strstr(self->fail.text, "MiB of memory"));
	EXPECT_TRUE(strstr(self->fail.text, "/nowhere/straddle-vmm"));
}

TEST_F(driver, memory_is_checked_however_it_is_written)
{
	static const struct {
		const char *live, *why;
	} table[] = {
		{ "{\"memory\":1152921504606846976}", "1099511627776 MiB" },
		{ "{\"memory\":\"1048576T\"}", "1099511627776 MiB" },
		{ "{\"memory\":\"1048576t\"}", "1099511627776 MiB" },
		{ "{\"memory\":\"64Q\"}", "no size" },
		{ "{\"memory\":\"99999999T\"}", "no size" },
		{ "{\"memory\":null}", "no size" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct guest_incoming incoming = {
			.live = table[i].live, .name = "two",
		};
		struct fail fail = { 0 };

		EXPECT_GT(0, vmm_driver.check(&self->host, &incoming, &fail));
		EXPECT_TRUE(strstr(fail.text, table[i].why)) {
			TH_LOG("%s: %s", table[i].live, fail.text);
		}
	}
}

static bool is_there(const char *path)
{
	return !sys_ret(access(path, F_OK));
}

TEST_F(driver, witness_of_an_incoming_guest_is_this_hosts)
{
	struct guest_incoming incoming = { .name = "two" };
	char live[400], theirs[300], ours[300];
	struct guest *guest;

	snprintf(theirs, sizeof(theirs), "%s/theirs", test_dir());
	snprintf(ours, sizeof(ours), "%s/ours", test_dir());
	snprintf(live, sizeof(live), "{\"name\":\"x\",\"witness\":\"%s\"}",
		 theirs);
	incoming.live = live;
	setenv("STRADDLE_WITNESS", ours, 1);
	EXPECT_GT(0, vmm_driver.create_incoming(&self->host, &incoming,
						&guest, &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "no field \"witness\""));
	EXPECT_FALSE(is_there(theirs));
	EXPECT_FALSE(is_there(ours));
	make_incoming(self, "two");
	unsetenv("STRADDLE_WITNESS");
	EXPECT_TRUE(is_there(ours));
}

TEST_F(driver, what_the_vmm_refuses_is_passed_on)
{
	struct guest_incoming incoming = {
		.live = "{\"name\":\"x\",\"vcpus\":77}", .name = "two",
	};
	struct guest *guest;

	EXPECT_GT(0, vmm_driver.create_incoming(&self->host, &incoming,
						&guest, &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "vcpus is \"77\"")) {
		TH_LOG("%s", self->fail.text);
	}
	self->fail.err = 0;
	EXPECT_EQ(-ENOENT, vmm_driver.open(&self->host, "two", &guest,
					   &self->fail));
}

TEST_HARNESS_MAIN
