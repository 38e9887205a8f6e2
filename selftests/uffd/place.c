// SPDX-License-Identifier: LGPL-2.1-or-later
/* place.c - what the guest sees, and when, as pages are placed. */
#include <string.h>

#include "harness.h"
#include "memory.h"
#include "sys.h"

#define PAGES	8
#define ASLEEP	100	/* ms in which a thread that was woken would run */
#define AWAKE	10000	/* ms within which it must */

FIXTURE(place) {
	struct memory memory;
	char *bytes;		/* a page of 'a' */
	int uffd;
};

FIXTURE_VARIANT(place) { struct memory_kind kind; };

FIXTURE_VARIANT_ADD(place, anonymous) { .kind = { false, false, false } };
FIXTURE_VARIANT_ADD(place, memfd) { .kind = { true, true, false } };
FIXTURE_VARIANT_ADD(place, memfd_private) { .kind = { true, false, false } };
FIXTURE_VARIANT_ADD(place, huge) { .kind = { true, true, true } };
FIXTURE_VARIANT_ADD(place, huge_private) { .kind = { true, false, true } };

FIXTURE_SETUP(place)
{
	int ret = memory_create(&self->memory, variant->kind, PAGES);
	uint64_t modes = UFFDIO_REGISTER_MODE_MISSING;

	self->uffd = -1;
	if (variant->kind.huge && (ret == -ENOMEM || ret == -ENOENT))
		SKIP(return, "no 2 MiB pages: free some memory");
	ASSERT_EQ(0, ret);
	self->uffd = uffd_open();
	if (self->uffd == -EPERM)
		SKIP(return, "no userfaultfd: run as root");
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, uffd_enable(self->uffd, UFFD_FEATURE_THREAD_ID |
				 (variant->kind.shared ?
				  UFFD_FEATURE_MINOR_SHMEM |
				  UFFD_FEATURE_MINOR_HUGETLBFS : 0)));
	if (variant->kind.shared)
		modes |= UFFDIO_REGISTER_MODE_MINOR;
	ASSERT_EQ(0, uffd_register(self->uffd, memory_range(&self->memory, 0,
				   PAGES), modes));
	self->bytes = malloc(self->memory.page_size);
	memset(self->bytes, 'a', self->memory.page_size);
}

FIXTURE_TEARDOWN(place)
{
	if (self->uffd >= 0)
		close(self->uffd);
	memory_destroy(&self->memory);
	free(self->bytes);
}

static uint64_t page_address(const struct memory *memory, size_t page)
{
	return memory_range(memory, page, 1).start;
}

static char *page_bytes(char *base, const struct memory *memory, size_t page)
{
	return base + page * memory->page_size;
}

/* One thread that touches a page, and the fault that tells of it. */
static struct uffd_event start_and_read(int uffd, struct toucher *toucher,
					void *addr, bool write)
{
	struct uffd_event event = { .kind = UFFD_OTHER };

	ASSERT_EQ(0, toucher_start(toucher, addr, write));
	ASSERT_EQ(1, await_events(uffd, &event, 1));
	return event;
}

static int copy_page(FIXTURE_DATA(place) *self, size_t page,
		     unsigned int flags)
{
	return uffd_copy(self->uffd, page_address(&self->memory, page),
			 self->bytes, self->memory.page_size,
			 self->memory.page_size, flags);
}

TEST_F(place, missing_page_is_told_and_copied)
{
	struct toucher toucher;
	char *addr = page_bytes(self->memory.guest, &self->memory, 3);
	struct uffd_event event = start_and_read(self->uffd, &toucher,
						 addr + 5, false);

	EXPECT_EQ(UFFD_FAULT_MISSING, event.kind);
	EXPECT_EQ(page_address(&self->memory, 3), event.start);
	EXPECT_FALSE(event.write);
	EXPECT_NE(0, event.thread);
	EXPECT_EQ(0, copy_page(self, 3, 0));
	EXPECT_EQ('a', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
	EXPECT_EQ(0, memcmp(addr, self->bytes, self->memory.page_size));
}

TEST_F(place, write_fault_is_told_as_one)
{
	struct toucher toucher;
	struct uffd_event event = start_and_read(self->uffd, &toucher,
						 self->memory.guest, true);

	EXPECT_TRUE(event.write);
	EXPECT_EQ(0, copy_page(self, 0, 0));
	EXPECT_EQ('w', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

TEST_F(place, no_event_is_zero_events)
{
	struct uffd_event event;

	EXPECT_EQ(0, uffd_events(self->uffd, &event, 1));
	EXPECT_EQ(0, uffd_events(self->uffd, &event, 0));
}

/* Fails if place() forgets DONTWAKE, or uffd_wake() does nothing. */
TEST_F(place, thread_sleeps_on_until_the_wake)
{
	struct toucher toucher;

	start_and_read(self->uffd, &toucher, self->memory.guest, false);
	EXPECT_EQ(0, copy_page(self, 0, UFFD_PLACE_DONTWAKE));
	EXPECT_EQ(-ETIMEDOUT, toucher_done(&toucher, ASLEEP));
	EXPECT_EQ(0, uffd_wake(self->uffd, memory_range(&self->memory, 0, 1)));
	EXPECT_EQ('a', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

/* Fails if place() takes EEXIST for the end, or does not wake on it. */
TEST_F(place, page_placed_twice_is_placed_and_woken)
{
	struct toucher toucher;

	start_and_read(self->uffd, &toucher, self->memory.guest, false);
	EXPECT_EQ(0, copy_page(self, 0, UFFD_PLACE_DONTWAKE));
	memset(self->bytes, 'b', self->memory.page_size);
	EXPECT_EQ(0, copy_page(self, 0, 0));
	EXPECT_EQ('a', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

TEST_F(place, copy_goes_on_over_pages_that_are_there)
{
	size_t size = PAGES * self->memory.page_size;
	char *all = malloc(size);

	ASSERT_EQ(0, copy_page(self, 2, 0));
	ASSERT_EQ(0, copy_page(self, 5, 0));
	memset(all, 'c', size);
	EXPECT_EQ(0, uffd_copy(self->uffd, page_address(&self->memory, 0), all,
			       size, self->memory.page_size, 0));
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(i == 2 || i == 5 ? 'a' : 'c', *page_bytes(
			  self->memory.guest, &self->memory, i));
	free(all);
}

/* By bytes of ours that end early: whatever ends it, what is there counts. */
TEST_F(place, insert_says_how_far_it_got)
{
	size_t done, size = self->memory.page_size;
	void *two = NULL;

	ASSERT_EQ(0, sys_mmap(&two, 2 * size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	memset(two, 'i', size);
	ASSERT_EQ(0, sys_ret(mprotect((char *)two + size, size, PROT_NONE)));
	ASSERT_EQ(0, copy_page(self, 3, 0));
	EXPECT_EQ(-EFAULT, uffd_insert(self->uffd, page_address(&self->memory, 1), two,
				       2 * size, size, &done));
	EXPECT_EQ(size, done);
	EXPECT_EQ('i', *page_bytes(self->memory.guest, &self->memory, 1));
	EXPECT_EQ(0, uffd_insert(self->uffd, page_address(&self->memory, 3), two, size,
				 size, &done));
	EXPECT_EQ(size, done);
	EXPECT_EQ('a', *page_bytes(self->memory.guest, &self->memory, 3));
	munmap(two, 2 * size);
}

TEST_F(place, zero_page_reads_zero_and_keeps_what_is_there)
{
	ASSERT_EQ(0, copy_page(self, 1, 0));
	EXPECT_EQ(0, uffd_zeropage(self->uffd, memory_range(&self->memory, 0,
				   PAGES), self->memory.page_size, 0));
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(i == 1 ? 'a' : 0, *page_bytes(self->memory.guest,
			  &self->memory, i));
}

TEST_F(place, wake_brings_an_unanswered_fault_again)
{
	struct toucher toucher;
	struct uffd_event again = { .kind = UFFD_OTHER };

	start_and_read(self->uffd, &toucher, self->memory.guest, false);
	EXPECT_EQ(0, uffd_wake(self->uffd, memory_range(&self->memory, 0,
			       PAGES)));
	ASSERT_EQ(1, await_events(self->uffd, &again, 1));
	EXPECT_EQ(page_address(&self->memory, 0), again.start);
	EXPECT_EQ(0, copy_page(self, 0, 0));
	EXPECT_EQ('a', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

TEST_F(place, unregistered_range_has_no_flags_and_wakes)
{
	struct toucher toucher;

	EXPECT_TRUE(memory_has_flag(self->memory.guest, "um"));
	start_and_read(self->uffd, &toucher, self->memory.guest, false);
	EXPECT_EQ(0, uffd_unregister(self->uffd, memory_range(&self->memory, 0,
				     PAGES)));
	EXPECT_EQ(0, toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
	EXPECT_FALSE(memory_has_flag(self->memory.guest, "um"));
	EXPECT_FALSE(memory_has_flag(self->memory.guest, "ui"));
	EXPECT_EQ(-ENOENT, copy_page(self, 1, 0));
}

TEST_F(place, unsound_ranges_are_refused)
{
	struct range empty = memory_range(&self->memory, 0, 0);
	struct range half = memory_range(&self->memory, 0, 1);
	struct range wraps = { UINT64_MAX - 4095, 8192 };
	size_t page_size = self->memory.page_size;

	half.len /= 2;
	EXPECT_EQ(-EINVAL, uffd_zeropage(self->uffd, empty, page_size, 0));
	EXPECT_EQ(-EINVAL, uffd_zeropage(self->uffd, half, page_size, 0));
	EXPECT_EQ(-EINVAL, uffd_continue(self->uffd, half, page_size, 0));
	EXPECT_EQ(-EINVAL, uffd_continue(self->uffd, empty, page_size,
					 UFFD_PLACE_PROTECTED));
	EXPECT_EQ(-EINVAL, uffd_copy(self->uffd, half.start, self->bytes,
				     half.len, page_size, 0));
	EXPECT_EQ(-EINVAL, uffd_copy(self->uffd, half.start, self->bytes,
				     page_size, 0, 0));
	EXPECT_EQ(-EINVAL, uffd_unregister(self->uffd, wraps));
	EXPECT_EQ(-EINVAL, uffd_protect(self->uffd, empty));
}

TEST_HARNESS_MAIN
