/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.c - device state that is wrong is refused, and harms nothing. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "machine.h"
#include "sys.h"
#include "tools/vmm/state.h"

#define STATE_ROOM	(1u << 20)

FIXTURE(state) {
	struct test_vmm from, to;
	uint8_t *bytes;		/* a good state, STATE_ROOM bytes of room */
	size_t size;
};

FIXTURE_VARIANT(state) {
	struct machine_kind kind;
};

FIXTURE_VARIANT_ADD(state, threads) { .kind = { "threads", 0, 0 } };
FIXTURE_VARIANT_ADD(state, kvm) { .kind = { "kvm", 0, 0 } };

FIXTURE_SETUP(state)
{
	const char *missing = machine_missing(&variant->kind, 2);
	__cleanup_fd int fd = -1;
	ssize_t got;

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, machine_spawn(&self->from, "from", &variant->kind,
				   NULL, NULL));
	ASSERT_EQ(0, machine_spawn(&self->to, "to", &variant->kind,
				   "--incoming", NULL));
	ASSERT_EQ(0, vmm_wait_ticks(&self->from, 500));
	EXPECT_EQ(-EBUSY, vmm_fd(&self->from, "save"));
	ASSERT_EQ(0, vmm_do(&self->from, "pause"));
	fd = vmm_fd(&self->from, "save");
	ASSERT_LE(0, fd);
	self->bytes = calloc(1, STATE_ROOM);
	got = sys_retry(pread(fd, self->bytes, STATE_ROOM, 0));
	ASSERT_LT(0, got);
	self->size = (size_t)got;
	ASSERT_GT(STATE_ROOM, self->size);
}

FIXTURE_TEARDOWN(state)
{
	free(self->bytes);
	vmm_kill(&self->from);
	vmm_kill(&self->to);
}

static int load_bytes(struct test_vmm *vmm, const uint8_t *bytes, size_t size)
{
	__cleanup_fd int fd = sys_ret(memfd_create("state", MFD_CLOEXEC));

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_pwrite_all(fd, bytes, size, 0));
	return vmm_load_state(vmm, fd);
}

/* After all that was refused, the good one is still taken. */
static void expect_good_is_taken(FIXTURE_DATA(state) *self)
{
	EXPECT_EQ(-EINVAL, vmm_do(&self->to, "resume"));
	EXPECT_EQ(0, load_bytes(&self->to, self->bytes, self->size)) {
		TH_LOG("%s", self->to.fail.text);
	}
}

TEST_F(state, any_cut_is_refused)
{
	size_t step = self->size / test_sample(200) + 1;

	for (size_t size = 0; size < self->size; size += step)
		ASSERT_GT(0, load_bytes(&self->to, self->bytes, size)) {
			TH_LOG("%zu of %zu bytes", size, self->size);
		}
	ASSERT_GT(0, load_bytes(&self->to, self->bytes, self->size + 8));
	expect_good_is_taken(self);
}

TEST_F(state, any_wrong_byte_of_a_header_is_refused)
{
	const struct state_header *header = (struct state_header *)self->bytes;
	size_t at = sizeof(*header);

	for (size_t i = 0; i < sizeof(*header); i++) {
		self->bytes[i] ^= 0x80;
		ASSERT_GT(0, load_bytes(&self->to, self->bytes, self->size)) {
			TH_LOG("header byte %zu", i);
		}
		self->bytes[i] ^= 0x80;
	}
	for (size_t i = 0; i < sizeof(struct state_section); i++) {
		self->bytes[at + i] ^= 0x80;
		ASSERT_GT(0, load_bytes(&self->to, self->bytes, self->size)) {
			TH_LOG("section byte %zu", i);
		}
		self->bytes[at + i] ^= 0x80;
	}
	expect_good_is_taken(self);
}

TEST_F(state, length_near_the_largest_number_is_refused)
{
	struct state_section *section =
		(struct state_section *)(self->bytes +
					 sizeof(struct state_header));
	uint32_t before = section->length;

	section->length = 0xffffffff;
	EXPECT_GT(0, load_bytes(&self->to, self->bytes, self->size));
	section->length = 0xfffffff8;
	EXPECT_GT(0, load_bytes(&self->to, self->bytes, self->size));
	section->length = before;
	expect_good_is_taken(self);
}

TEST_F(state, what_is_no_file_is_refused)
{
	__cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int ends[2];

	EXPECT_GT(0, vmm_load_state(&self->to, null));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	EXPECT_GT(0, vmm_load_state(&self->to, ends[0]));
	EXPECT_GT(0, vmm_load_state(&self->to, -1));
	close(ends[0]);
	close(ends[1]);
	expect_good_is_taken(self);
}

TEST_F(state, machine_of_another_shape_refuses_it)
{
	struct test_vmm wide;
	const char *more[] = { "--engine", variant->kind.engine, "--memory",
			       "16M", "--vcpus", "3", "--incoming", NULL };
	struct test_vmm_options options = { .more = more };

	ASSERT_EQ(0, vmm_spawn(&wide, "wide", &options));
	EXPECT_EQ(-EINVAL, load_bytes(&wide, self->bytes, self->size));
	EXPECT_TRUE(strstr(wide.fail.text, "2 vCPUs"));
	vmm_kill(&wide);
}

/* The threads engine runs in the VMM: hostile memory must not lead it out. */
TEST_F(state, memory_of_no_guest_does_not_run)
{
	ASSERT_EQ(0, load_bytes(&self->to, self->bytes, self->size));
	ASSERT_EQ(0, vmm_do(&self->to, "resume"));
	EXPECT_NE(0, vmm_wait_ticks(&self->to, 1000)) {
		TH_LOG("it ran on empty memory");
	}
	EXPECT_EQ(0, vmm_do(&self->to, "quit"));
	EXPECT_EQ(0, vmm_wait_exit(&self->to));
}

TEST_HARNESS_MAIN
