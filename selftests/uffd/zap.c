// SPDX-License-Identifier: LGPL-2.1-or-later
/* zap.c - dropping another process's pages. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "peer.h"
#include "sys.h"
#include "uffd/uffd.h"

#define PAGES	(PEER_SIZE / 4096)

/* Touches all of its memory, waits, and reads all again on request. */
static int touch_twice(struct peer *peer)
{
	char byte;

	for (size_t i = 0; i < PAGES; i++)
		peer->memory[i * 4096] = 'o';
	peer->board->ready = 1;
	if (sys_ret(read(peer->wake[0], &byte, 1)) != 1)
		return 100;
	for (size_t i = 0; i < PAGES; i++)
		peer->board->work[peer->memory[i * 4096] == 'o']++;
	return 0;
}

FIXTURE(zapped) {
	struct peer peer;
	struct uffd_attachment attachment;
	int pagemap;
	struct range all;
	struct range odd[PAGES / 2];	/* every other page */
};

FIXTURE_VARIANT(zapped) { bool shared; };

FIXTURE_VARIANT_ADD(zapped, shared) { .shared = true };
FIXTURE_VARIANT_ADD(zapped, private) { .shared = false };

FIXTURE_SETUP(zapped)
{
	char path[64];

	self->peer = (struct peer){ .pidfd = -1 };
	ASSERT_EQ(0, peer_start(&self->peer, touch_twice, variant->shared));
	ASSERT_EQ(0, peer_await_call(&self->peer, __NR_read));
	self->all = (struct range){ (uintptr_t)self->peer.memory, PEER_SIZE };
	for (size_t i = 0; i < PAGES / 2; i++)
		self->odd[i] = (struct range){
			self->all.start + (2 * i + 1) * 4096, 4096,
		};
	snprintf(path, sizeof(path), "/proc/%d/pagemap", self->peer.pid);
	self->pagemap = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	ASSERT_LE(0, self->pagemap);
}

FIXTURE_TEARDOWN(zapped)
{
	close(self->pagemap);
	peer_end(&self->peer);
}

static int count_bytes(struct range run, void *arg)
{
	*(uint64_t *)arg += run.len;
	return 0;
}

static uint64_t populated(int pagemap, struct range range)
{
	uint64_t bytes = 0;

	ASSERT_EQ(0, uffd_populated(pagemap, range, count_bytes, &bytes));
	return bytes;
}

/* Fails if one call's limit (1024 ranges) ends the work. */
TEST_F(zapped, each_range_is_unmapped_and_no_other)
{
	struct range many[2 * PAGES];

	ASSERT_EQ(PEER_SIZE, populated(self->pagemap, self->all));
	for (size_t i = 0; i < 2 * PAGES; i++)
		many[i] = self->odd[i % (PAGES / 2)];
	EXPECT_EQ(0, uffd_zap(self->peer.pid, self->peer.pidfd, many,
			      2 * PAGES));
	EXPECT_EQ(PEER_SIZE / 2, populated(self->pagemap, self->all));
	EXPECT_EQ(0, populated(self->pagemap, self->odd[7]));
	peer_wake(&self->peer);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
	/* Shared memory keeps its content, private memory loses it. */
	EXPECT_EQ(variant->shared ? 0 : PAGES / 2, self->peer.board->work[0]);
	EXPECT_EQ(variant->shared ? PAGES : PAGES / 2,
		  self->peer.board->work[1]);
}

/* What a stale page at the switch relies on. */
TEST_F(zapped, next_touch_is_a_fault_again)
{
	uint64_t modes = UFFDIO_REGISTER_MODE_MISSING;
	struct uffd_event event = { .kind = UFFD_OTHER };
	struct range one = { self->all.start, 4096 };
	char page[4096] = "o";

	ASSERT_EQ(0, uffd_attach(self->peer.pid, &self->attachment));
	ASSERT_EQ(0, uffd_enable(self->attachment.uffd,
				 variant->shared ? UFFD_FEATURE_MINOR_SHMEM |
				 UFFD_FEATURE_MISSING_SHMEM : 0));
	if (variant->shared)
		modes |= UFFDIO_REGISTER_MODE_MINOR;
	ASSERT_EQ(0, uffd_register(self->attachment.uffd, self->all, modes));
	ASSERT_EQ(0, uffd_zap(self->peer.pid, self->peer.pidfd, &one, 1));
	peer_wake(&self->peer);
	ASSERT_EQ(0, sys_wait_fd(self->attachment.uffd, POLLIN, 10000));
	ASSERT_EQ(1, uffd_events(self->attachment.uffd, &event, 1));
	EXPECT_EQ(one.start, event.start);
	EXPECT_EQ(variant->shared ? UFFD_FAULT_MINOR : UFFD_FAULT_MISSING,
		  event.kind);
	if (variant->shared)
		EXPECT_EQ(0, uffd_continue(self->attachment.uffd, one, 4096,
					   0));
	else
		EXPECT_EQ(0, uffd_copy(self->attachment.uffd, one.start, page,
				       4096, 4096, 0));
	EXPECT_EQ(0, peer_exit_status(&self->peer));
	EXPECT_EQ(PAGES, self->peer.board->work[1]);
	uffd_attachment_close(&self->attachment);
}

TEST_F(zapped, unsound_ranges_are_refused)
{
	struct range empty = { self->all.start, 0 };
	struct range uneven = { self->all.start + 1, 4096 };
	struct range nowhere = { 4096, 4096 };

	EXPECT_EQ(0, uffd_zap(self->peer.pid, self->peer.pidfd, NULL, 0));
	EXPECT_EQ(-EINVAL, uffd_zap(self->peer.pid, self->peer.pidfd, &empty,
				    1));
	EXPECT_EQ(-EINVAL, uffd_zap(self->peer.pid, self->peer.pidfd, &uneven,
				    1));
	EXPECT_EQ(-ENOMEM, uffd_zap(self->peer.pid, self->peer.pidfd, &nowhere,
				    1));
	EXPECT_EQ(PEER_SIZE, populated(self->pagemap, self->all));
	peer_wake(&self->peer);
	EXPECT_EQ(0, peer_exit_status(&self->peer));
}

TEST_F(zapped, ranges_of_an_ended_process_are_gone)
{
	peer_wake(&self->peer);
	ASSERT_EQ(0, sys_wait_fd(self->peer.pidfd, POLLIN, 10000));
	EXPECT_EQ(-ESRCH, uffd_zap(self->peer.pid, self->peer.pidfd,
				   &self->all, 1));
}

TEST_HARNESS_MAIN
