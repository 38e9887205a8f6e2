// SPDX-License-Identifier: LGPL-2.1-or-later
/* minor.c - shared memory: pages that are in the file, not yet mapped. */
#include <string.h>

#include "harness.h"
#include "memory.h"
#include "sys.h"

#define PAGES	8
#define ASLEEP	100	/* ms in which a thread that was woken would run */
#define AWAKE	10000	/* ms within which it must */

FIXTURE(minor) {
	struct memory memory;
	int uffd;
};

FIXTURE_VARIANT(minor) { struct memory_kind kind; };

FIXTURE_VARIANT_ADD(minor, memfd) { .kind = { true, true, false } };
FIXTURE_VARIANT_ADD(minor, huge) { .kind = { true, true, true } };

FIXTURE_SETUP(minor)
{
	int ret = memory_create(&self->memory, variant->kind, PAGES);
	uint64_t modes = UFFDIO_REGISTER_MODE_MISSING |
			 UFFDIO_REGISTER_MODE_MINOR;

	self->uffd = -1;
	if (variant->kind.huge && (ret == -ENOMEM || ret == -ENOENT))
		SKIP(return, "no 2 MiB pages: free some memory");
	ASSERT_EQ(0, ret);
	self->uffd = uffd_open();
	if (self->uffd == -EPERM)
		SKIP(return, "no userfaultfd: run as root");
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, uffd_enable(self->uffd, UFFD_FEATURE_MINOR_SHMEM |
				 UFFD_FEATURE_MINOR_HUGETLBFS));
	ASSERT_EQ(0, uffd_register(self->uffd, memory_range(&self->memory, 0,
				   PAGES), modes));
}

FIXTURE_TEARDOWN(minor)
{
	if (self->uffd >= 0)
		close(self->uffd);
	memory_destroy(&self->memory);
}

static char *page_bytes(char *base, const struct memory *memory, size_t page)
{
	return base + page * memory->page_size;
}

/* One thread that touches a page, and the fault that tells of it. */
static struct uffd_event start_and_read(int uffd, struct toucher *toucher,
					void *addr)
{
	struct uffd_event event = { .kind = UFFD_OTHER };

	ASSERT_EQ(0, toucher_start(toucher, addr, false));
	ASSERT_EQ(1, await_events(uffd, &event, 1));
	return event;
}

/* Fails with MISSING alone: the first byte would show the page half full. */
TEST_F(minor, half_received_page_is_never_visible)
{
	size_t half = self->memory.page_size / 2;
	struct toucher toucher;
	struct uffd_event event;

	memset(self->memory.alias, 'a', half);
	event = start_and_read(self->uffd, &toucher,
			       self->memory.guest + half + 1);
	EXPECT_EQ(UFFD_FAULT_MINOR, event.kind);
	EXPECT_EQ(-ETIMEDOUT, toucher_done(&toucher, ASLEEP));
	memset(self->memory.alias + half, 'b', half);
	EXPECT_EQ(0, uffd_continue(self->uffd, memory_range(&self->memory, 0,
				   1), self->memory.page_size, 0));
	EXPECT_EQ('b', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

TEST_F(minor, stale_page_is_replaced_without_unmapping)
{
	struct toucher toucher;
	struct uffd_event event;

	memset(self->memory.alias, 'o', self->memory.page_size);
	event = start_and_read(self->uffd, &toucher, self->memory.guest);
	EXPECT_EQ(UFFD_FAULT_MINOR, event.kind);
	memset(self->memory.alias, 'n', self->memory.page_size);
	EXPECT_EQ(0, uffd_continue(self->uffd, memory_range(&self->memory, 0,
				   1), self->memory.page_size, 0));
	EXPECT_EQ('n', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
}

TEST_F(minor, page_continued_twice_is_mapped_and_woken)
{
	struct range all = memory_range(&self->memory, 0, PAGES);
	struct range third = memory_range(&self->memory, 3, 1);
	struct toucher toucher;

	memset(self->memory.alias, 'a', self->memory.size);
	start_and_read(self->uffd, &toucher, page_bytes(self->memory.guest,
		       &self->memory, 3));
	EXPECT_EQ(0, uffd_continue(self->uffd, third, self->memory.page_size,
				   UFFD_PLACE_DONTWAKE));
	EXPECT_EQ(0, uffd_continue(self->uffd, all, self->memory.page_size,
				   0));
	EXPECT_EQ('a', toucher_done(&toucher, AWAKE));
	toucher_end(&toucher);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ('a', *page_bytes(self->memory.guest, &self->memory,
					   i));
}

static int count_bytes(struct range run, void *arg)
{
	*(uint64_t *)arg += run.len;
	return 0;
}

TEST_F(minor, continue_stops_at_a_hole)
{
	struct range all = memory_range(&self->memory, 0, PAGES);
	int pagemap;
	uint64_t mapped = 0;

	for (size_t i = 0; i < PAGES; i++)
		if (i != 4)
			*page_bytes(self->memory.alias, &self->memory, i) = 'a';
	EXPECT_EQ(-ENOENT, uffd_continue(self->uffd, all,
					 self->memory.page_size, 0));
	pagemap = sys_ret(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	ASSERT_LE(0, pagemap);
	EXPECT_EQ(0, uffd_populated(pagemap, all, count_bytes, &mapped));
	EXPECT_EQ(4 * self->memory.page_size, mapped);
	close(pagemap);
}

TEST_F(minor, continue_of_an_unregistered_range_is_no_hole)
{
	struct range one = memory_range(&self->memory, 0, 1);

	*self->memory.alias = 'a';
	ASSERT_EQ(0, uffd_unregister(self->uffd, one));
	EXPECT_EQ(-EFAULT, uffd_continue(self->uffd, one,
					 self->memory.page_size, 0));
}

TEST_HARNESS_MAIN
