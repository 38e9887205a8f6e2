/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - the guest alone: it runs, stops, moves, and finds what is wrong. */
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "machine.h"
#include "sys.h"

#define VISITS	2000		/* a moment, also where KVM emulates */

FIXTURE(guest) {
	struct test_vmm vmm;
	struct test_vmm other;	/* a second one, for tests that need it */
};

FIXTURE_VARIANT(guest) {
	struct machine_kind kind;
};

FIXTURE_VARIANT_ADD(guest, threads_memfd) { .kind = { "threads", 0, 0 } };
FIXTURE_VARIANT_ADD(guest, threads_private) { .kind = { "threads", 1, 0 } };
FIXTURE_VARIANT_ADD(guest, threads_huge) { .kind = { "threads", 0, 1 } };
FIXTURE_VARIANT_ADD(guest, kvm_memfd) { .kind = { "kvm", 0, 0 } };
FIXTURE_VARIANT_ADD(guest, kvm_private) { .kind = { "kvm", 1, 0 } };
FIXTURE_VARIANT_ADD(guest, kvm_huge) { .kind = { "kvm", 0, 1 } };

FIXTURE_SETUP(guest)
{
	const char *missing = machine_missing(&variant->kind, 2);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(0, machine_spawn(&self->vmm, "one", &variant->kind, NULL,
				   NULL)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
}

FIXTURE_TEARDOWN(guest)
{
	vmm_kill(&self->vmm);
	vmm_kill(&self->other);
	machine_give_back(&variant->kind, 2);
}

TEST_F(guest, runs_and_finds_nothing_wrong)
{
	uint64_t pages = 0, bad = 1;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_walk(&self->vmm, &pages, &bad));
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, vmm_stat(&self->vmm, "bad"));
	/* All but a few pages of its own are walked. */
	EXPECT_LT(MACHINE_MIB * 256 - 200, pages);
}

TEST_F(guest, paused_it_changes_nothing)
{
	uint64_t ticks, digest;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ticks = vmm_stat(&self->vmm, "ticks");
	digest = machine_digest(&self->vmm);
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(digest, machine_digest(&self->vmm));
	EXPECT_EQ(ticks, vmm_stat(&self->vmm, "ticks"));
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	EXPECT_NE(digest, machine_digest(&self->vmm));
}

TEST_F(guest, workload_finds_a_flipped_bit)
{
	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ASSERT_EQ(0, machine_corrupt(&self->vmm, true));
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	ASSERT_EQ(0, vmm_wait_for(&self->vmm, "bad", 1));
}

/* The last pages are not in the working set: only a walk goes there. */
TEST_F(guest, walk_finds_a_bit_in_a_page_never_visited)
{
	uint64_t pages, bad = 0;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ASSERT_EQ(0, machine_corrupt(&self->vmm, false));
	ASSERT_EQ(0, vmm_do(&self->vmm, "resume"));
	ASSERT_EQ(0, vmm_walk(&self->vmm, &pages, &bad));
	EXPECT_EQ(1, bad);
}

static void expect_healthy(struct test_vmm *vmm)
{
	uint64_t pages, bad = 1;

	ASSERT_EQ(0, vmm_wait_ticks(vmm, VISITS));
	ASSERT_EQ(0, vmm_walk(vmm, &pages, &bad));
	EXPECT_EQ(0, bad);
	EXPECT_EQ(0, vmm_stat(vmm, "bad"));
}

TEST_F(guest, goes_on_elsewhere_with_its_memory_and_state)
{
	__cleanup_fd int state = -1;
	uint64_t ticks;

	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ticks = vmm_stat(&self->vmm, "ticks");
	ASSERT_EQ(0, machine_spawn(&self->other, "two", &variant->kind,
				   "--incoming", NULL));
	EXPECT_EQ(-EINVAL, vmm_do(&self->other, "resume"));
	ASSERT_EQ(0, vmm_copy_memory(&self->vmm, &self->other));
	state = vmm_fd(&self->vmm, "save");
	ASSERT_LE(0, state);
	ASSERT_EQ(0, vmm_load_state(&self->other, state)) {
		TH_LOG("%s", self->other.fail.text);
	}
	EXPECT_EQ(machine_digest(&self->vmm), machine_digest(&self->other));
	ASSERT_EQ(0, vmm_do(&self->other, "resume"));
	expect_healthy(&self->other);
	EXPECT_LT(ticks, vmm_stat(&self->other, "ticks"));
}

/* Run until the guest has written @old's page again; leaves it paused. */
static void outlive_page(struct test_vmm *vmm, const struct machine_page *old)
{
	struct machine_page now = { .number = old->number };

	do {
		ASSERT_EQ(0, vmm_do(vmm, "resume"));
		ASSERT_EQ(0, vmm_wait_ticks(vmm, VISITS));
		ASSERT_EQ(0, vmm_do(vmm, "pause"));
		ASSERT_EQ(0, machine_page_read(vmm, &now));
	} while (!memcmp(old->bytes, now.bytes, sizeof(now.bytes)));
}

/* What a migration must never do: bring a page as it was a round ago. */
TEST_F(guest, one_page_from_a_round_ago_is_found)
{
	struct machine_page old = { .number = 0 };
	__cleanup_fd int state = -1;
	uint64_t pages, bad = 0;

	ASSERT_EQ(0, machine_spawn(&self->other, "two", &variant->kind,
				   "--incoming", NULL));
	ASSERT_EQ(0, vmm_wait_ticks(&self->vmm, VISITS));
	ASSERT_EQ(0, vmm_do(&self->vmm, "pause"));
	ASSERT_EQ(0, machine_page_read(&self->vmm, &old));
	outlive_page(&self->vmm, &old);
	ASSERT_EQ(0, vmm_copy_memory(&self->vmm, &self->other));
	ASSERT_EQ(0, machine_page_write(&self->other, &old));
	state = vmm_fd(&self->vmm, "save");
	ASSERT_LE(0, state);
	ASSERT_EQ(0, vmm_load_state(&self->other, state));
	ASSERT_EQ(0, vmm_do(&self->other, "resume"));
	ASSERT_EQ(0, vmm_walk(&self->other, &pages, &bad));
	EXPECT_LT(0, bad + vmm_stat(&self->other, "bad"));
}

TEST_F(guest, incoming_memory_is_untouched)
{
	__cleanup_fd int pagemap = -1;
	struct range range;
	char path[64];
	uint64_t entry;

	ASSERT_EQ(0, machine_spawn(&self->other, "two", &variant->kind,
				   "--incoming", NULL));
	range = vmm_memory_range(&self->other);
	ASSERT_LT(0, range.len);
	snprintf(path, sizeof(path), "/proc/%d/pagemap",
		 (int)self->other.pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, pagemap);
	for (uint64_t at = 0; at < range.len; at += 4096) {
		ASSERT_EQ(8, pread(pagemap, &entry, 8,
				   (off_t)((range.start + at) / 4096 * 8)));
		ASSERT_EQ(0, entry >> 62) {	/* neither there nor swapped */
			TH_LOG("offset %#llx", (unsigned long long)at);
		}
	}
}

TEST_HARNESS_MAIN
