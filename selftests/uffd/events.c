// SPDX-License-Identifier: LGPL-2.1-or-later
/* events.c - what the kernel can do and what it tells besides missing pages. */
#include <dirent.h>
#include <sys/wait.h>

#include "harness.h"
#include "memory.h"
#include "sys.h"

#define PAGES	8

FIXTURE(events) {
	struct memory memory;
	struct range all;
	int uffd;
};

FIXTURE_VARIANT(events) { uint64_t features, modes; };

FIXTURE_VARIANT_ADD(events, missing) {
	.features = UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP,
	.modes = UFFDIO_REGISTER_MODE_MISSING,
};

FIXTURE_VARIANT_ADD(events, protected) {
	.features = UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |
		    UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	.modes = UFFDIO_REGISTER_MODE_WP,
};

FIXTURE_SETUP(events)
{
	struct memory_kind anonymous = { false, false, false };

	ASSERT_EQ(0, memory_create(&self->memory, anonymous, PAGES));
	self->all = memory_range(&self->memory, 0, PAGES);
	self->uffd = uffd_open();
	if (self->uffd == -EPERM)
		SKIP(return, "no userfaultfd: run as root");
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, uffd_enable(self->uffd, variant->features));
	ASSERT_EQ(0, uffd_register(self->uffd, self->all, variant->modes));
}

FIXTURE_TEARDOWN(events)
{
	if (self->uffd >= 0)
		close(self->uffd);
	memory_destroy(&self->memory);
}

static void *discard(void *arg)
{
	struct range *range = arg;

	return (void *)(intptr_t)sys_ret(madvise((void *)range->start,
						 range->len, MADV_DONTNEED));
}

TEST_F(events, discarded_range_is_told)
{
	struct range two = memory_range(&self->memory, 2, 2);
	struct uffd_event event = { .kind = UFFD_OTHER };
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, discard, &two));
	ASSERT_EQ(1, await_events(self->uffd, &event, 1));
	pthread_join(thread, &ret);
	EXPECT_NULL(ret);
	EXPECT_EQ(UFFD_REMOVED, event.kind);
	EXPECT_EQ(two.start, event.start);
	EXPECT_EQ(two.len, event.len);
}

/* Nobody reads: without it they wait until the descriptor is closed. */
TEST_F(events, those_who_discard_are_let_go_at_the_end)
{
	struct range ranges[3];
	pthread_t threads[3];
	void *ret;
	int i;

	for (i = 0; i < 3; i++) {
		ranges[i] = memory_range(&self->memory, (uint64_t)i * 2, 2);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, discard,
					    &ranges[i]));
	}
	ASSERT_EQ(0, sys_wait_fd(self->uffd, POLLIN, -1));
	ASSERT_EQ(0, uffd_unregister(self->uffd, self->all));
	EXPECT_EQ(0, uffd_events_end(self->uffd));
	for (i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		EXPECT_NULL(ret);
	}
}

TEST_F(events, what_was_removed_lies_in_the_inbox_until_it_is_cleared)
{
	struct range one = memory_range(&self->memory, 3, 1), left[UFFD_INBOX];
	struct uffd_inbox inbox = { .messages = { { .event = 0 } } };
	struct uffd_event events[UFFD_INBOX];
	pthread_t thread;
	void *ret;

	EXPECT_EQ(0, uffd_inbox_read(self->uffd, &inbox, events));
	ASSERT_EQ(0, pthread_create(&thread, NULL, discard, &one));
	ASSERT_EQ(0, sys_wait_fd(self->uffd, POLLIN, -1));
	ASSERT_EQ(1, uffd_inbox_read(self->uffd, &inbox, events));
	pthread_join(thread, &ret);
	EXPECT_EQ(UFFD_REMOVED, events[0].kind);
	ASSERT_EQ(1, uffd_inbox_removed(&inbox, left));
	EXPECT_EQ(one.start, left[0].start);
	EXPECT_EQ(one.len, left[0].len);
	uffd_inbox_clear(&inbox);
	EXPECT_EQ(0, uffd_inbox_removed(&inbox, left));
}

TEST_F(events, write_to_a_protected_page_waits_for_its_release)
{
	struct uffd_event event = { .kind = UFFD_OTHER };
	struct toucher toucher;

	if (!(variant->modes & UFFDIO_REGISTER_MODE_WP)) {
		EXPECT_EQ(-ENOENT, uffd_protect(self->uffd, self->all));
		return;
	}
	self->memory.guest[0] = 'o';
	ASSERT_EQ(0, uffd_protect(self->uffd, self->all));
	ASSERT_EQ(0, toucher_start(&toucher, self->memory.guest, true));
	ASSERT_EQ(1, await_events(self->uffd, &event, 1));
	EXPECT_EQ(UFFD_FAULT_WP, event.kind);
	EXPECT_EQ(self->all.start, event.start);
	EXPECT_TRUE(event.write);
	EXPECT_EQ(-ETIMEDOUT, toucher_done(&toucher, 100));
	EXPECT_EQ(0, uffd_unprotect(self->uffd, self->all));
	EXPECT_EQ('w', toucher_done(&toucher, 10000));
	toucher_end(&toucher);
}

TEST_F(events, range_of_another_descriptor_is_busy)
{
	int second = uffd_open();

	ASSERT_LE(0, second);
	ASSERT_EQ(0, uffd_enable(second, 0));
	EXPECT_EQ(-EBUSY, uffd_register(second, self->all,
					UFFDIO_REGISTER_MODE_MISSING));
	close(second);
}

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void *fork_once(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (!pid)
		_exit(0);
	return (void *)(intptr_t)sys_retry(waitpid(pid, NULL, 0));
}

/* Fails if the child's userfaultfd, which the kernel opens here, is kept. */
TEST(fork_leaves_no_descriptor_behind)
{
	struct memory_kind anonymous = { false, false, false };
	struct uffd_event event = { .kind = UFFD_REMOVED };
	struct memory memory;
	pthread_t thread;
	size_t before;
	int uffd;

	ASSERT_EQ(0, memory_create(&memory, anonymous, PAGES));
	uffd = uffd_open();
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, uffd_enable(uffd, UFFD_FEATURE_EVENT_FORK));
	ASSERT_EQ(0, uffd_register(uffd, memory_range(&memory, 0, PAGES),
				   UFFDIO_REGISTER_MODE_MISSING));
	before = open_descriptors();
	ASSERT_EQ(0, pthread_create(&thread, NULL, fork_once, NULL));
	ASSERT_EQ(1, await_events(uffd, &event, 1));
	pthread_join(thread, NULL);
	EXPECT_EQ(UFFD_OTHER, event.kind);
	EXPECT_EQ(before, open_descriptors());
	close(uffd);
	memory_destroy(&memory);
}

/*
 * The limit that Documentation/memory.rst tells: a child has no registration. It
 * reads zeroes and can write what is its own; the guest waits for its page.
 */
TEST(child_of_a_registered_process_reads_zero_and_harms_nobody)
{
	struct memory_kind anonymous = { false, false, false };
	static uint8_t page[4096];
	struct memory memory;
	int uffd, status = 0;
	pid_t pid;

	ASSERT_EQ(0, memory_create(&memory, anonymous, PAGES));
	uffd = uffd_open();
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, uffd_enable(uffd, UFFD_FEATURE_EVENT_REMOVE));
	ASSERT_EQ(0, uffd_register(uffd, memory_range(&memory, 0, PAGES),
				   UFFDIO_REGISTER_MODE_MISSING));
	pid = fork();
	if (!pid) {
		uint8_t read = *(volatile uint8_t *)memory.guest;

		memory.guest[0] = 'c';
		_exit(read);
	}
	ASSERT_EQ(pid, sys_retry(waitpid(pid, &status, 0)));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	page[0] = 'g';
	EXPECT_EQ(0, uffd_copy(uffd, (uintptr_t)memory.guest, page, 4096, 4096,
			       0));
	EXPECT_EQ('g', memory.guest[0]);
	close(uffd);
	memory_destroy(&memory);
}

TEST(feature_that_is_missing_is_named)
{
	uint64_t have = 0;
	const struct uffd_feature *lacks;

	ASSERT_EQ(0, uffd_supported(&have));
	EXPECT_NE(0, have);
	EXPECT_NULL(uffd_feature_missing(0));
	EXPECT_NULL(uffd_feature_missing(have));
	for (size_t i = 0; i < uffd_features_count; i++) {
		lacks = uffd_feature_missing(uffd_features[i].bit);
		EXPECT_EQ(have & uffd_features[i].bit ? NULL :
			  &uffd_features[i], lacks);
		EXPECT_TRUE(uffd_features[i].name && uffd_features[i].since);
	}
}

TEST(descriptor_is_enabled_once_and_with_known_features)
{
	int uffd = uffd_open();

	ASSERT_LE(0, uffd);
	EXPECT_EQ(-EINVAL, uffd_enable(uffd, UINT64_C(1) << 62));
	EXPECT_EQ(0, uffd_enable(uffd, 0));
	EXPECT_EQ(-EINVAL, uffd_enable(uffd, 0));
	close(uffd);
}

TEST_HARNESS_MAIN
