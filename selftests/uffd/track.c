// SPDX-License-Identifier: LGPL-2.1-or-later
/* track.c - which writes dirty tracking sees, and which it does not. */
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>

#include "harness.h"
#include "memory.h"
#include "sys.h"

#define FEATURES (UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED | \
		  UFFD_FEATURE_WP_HUGETLBFS_SHMEM)
#define SMALL_PAGES	2048	/* 8 MiB */
#define HUGE_PAGES	4

FIXTURE(track) {
	struct memory memory;
	struct uffd_tracker tracker;
	struct range all;
};

FIXTURE_VARIANT(track) {
	struct memory_kind kind;
	bool thp;
};

FIXTURE_VARIANT_ADD(track, anonymous) { .kind = { false, false, false } };
FIXTURE_VARIANT_ADD(track, thp) { .kind = { false, false, false },
				  .thp = true };
FIXTURE_VARIANT_ADD(track, memfd) { .kind = { true, true, false } };
FIXTURE_VARIANT_ADD(track, memfd_private) { .kind = { true, false, false } };
FIXTURE_VARIANT_ADD(track, huge) { .kind = { true, true, true } };
FIXTURE_VARIANT_ADD(track, huge_private) { .kind = { true, false, true } };

FIXTURE_SETUP(track)
{
	const struct uffd_feature *lacks = uffd_feature_missing(FEATURES);
	int uffd, ret;

	self->tracker.uffd = -1;
	self->tracker.pagemap = -1;
	if (lacks)
		SKIP(return, "kernel lacks %s: it came with Linux %s",
		     lacks->name, lacks->since);
	ret = memory_create(&self->memory, variant->kind, variant->kind.huge ?
			    HUGE_PAGES : SMALL_PAGES);
	if (variant->kind.huge && (ret == -ENOMEM || ret == -ENOENT))
		SKIP(return, "no 2 MiB pages: free some memory");
	ASSERT_EQ(0, ret);
	if (!variant->kind.huge)
		ASSERT_EQ(0, sys_ret(madvise(self->memory.guest,
					     self->memory.size, variant->thp ?
					     MADV_HUGEPAGE :
					     MADV_NOHUGEPAGE)));
	uffd = uffd_open();
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, uffd_enable(uffd, FEATURES));
	ASSERT_EQ(0, uffd_tracker_open(&self->tracker, getpid(), uffd));
	self->all = memory_range(&self->memory, 0, self->memory.pages);
}

FIXTURE_TEARDOWN(track)
{
	if (self->tracker.pagemap >= 0)
		uffd_tracker_close(&self->tracker);
	if (self->tracker.uffd >= 0)
		close(self->tracker.uffd);
	memory_destroy(&self->memory);
}

/* One bit a 4 KiB page of the fixture's memory. */
struct seen {
	uint64_t base;
	uint64_t bytes;
	bool page[SMALL_PAGES * 2];
};

static int see(struct range run, void *arg)
{
	struct seen *seen = arg;

	seen->bytes += run.len;
	for (uint64_t at = 0; at < run.len; at += 4096)
		seen->page[(run.start - seen->base + at) / 4096] = true;
	return 0;
}

static struct seen scan(FIXTURE_DATA(track) *self)
{
	struct seen seen = { .base = self->all.start };

	ASSERT_EQ(0, uffd_written(&self->tracker, self->all, see, &seen));
	return seen;
}

/* Fails if a scan does not protect again what it returns. */
TEST_F(track, page_written_is_reported_once)
{
	static const size_t written[] = { 3, 4, 900, 1023 };
	char *guest = self->memory.guest;
	struct seen seen;

	memset(guest, 1, self->memory.size);
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	seen = scan(self);
	EXPECT_EQ(0, seen.bytes);
	for (size_t i = 0; i < 4; i++)
		guest[written[i] * 4096] = 2;
	seen = scan(self);
	for (size_t i = 0; i < 4; i++)
		EXPECT_TRUE(seen.page[written[i]]);
	EXPECT_FALSE(seen.page[1024]);		/* in the next huge page */
	if (self->memory.page_size == 4096 && !variant->thp)
		EXPECT_EQ(4 * 4096, seen.bytes);
	seen = scan(self);
	EXPECT_EQ(0, seen.bytes);
	guest[3 * 4096] = 3;
	seen = scan(self);
	EXPECT_TRUE(seen.page[3]);
}

TEST_F(track, page_never_touched_before_is_reported)
{
	struct seen seen;

	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	self->memory.guest[5 * 4096] = 1;
	seen = scan(self);
	EXPECT_TRUE(seen.page[5]);
	EXPECT_FALSE(seen.page[1024]);
}

TEST_F(track, read_is_no_write)
{
	volatile char *guest = self->memory.guest;
	struct seen seen;

	memset(self->memory.guest, 1, self->memory.size);
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	EXPECT_EQ(1, guest[7 * 4096]);
	seen = scan(self);
	EXPECT_EQ(0, seen.bytes);
}

TEST_F(track, all_written_is_all_reported)
{
	struct seen seen;

	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	memset(self->memory.guest, 1, self->memory.size);
	seen = scan(self);
	EXPECT_EQ(self->memory.size, seen.bytes);
}

/* More runs than one call of the kernel returns. */
TEST_F(track, every_other_page_is_every_other_run)
{
	struct seen seen;

	memset(self->memory.guest, 1, self->memory.size);
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	for (size_t i = 0; i < self->memory.size / 4096; i += 2)
		self->memory.guest[i * 4096] = 2;
	seen = scan(self);
	for (size_t i = 0; i < self->memory.size / 4096; i += 2)
		ASSERT_TRUE(seen.page[i]);
	if (self->memory.page_size == 4096 && !variant->thp)
		EXPECT_EQ(self->memory.size / 2, seen.bytes);
}

/* Fails if asking hides it from the next scan, or if it stays after that. */
TEST_F(track, rewritten_page_is_shown_until_the_next_scan)
{
	struct seen first = { .base = self->all.start }, second = first, last = first;

	memset(self->memory.guest, 1, self->memory.size);
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	self->memory.guest[9 * 4096] = 2;
	ASSERT_EQ(0, uffd_rewritten(self->tracker.pagemap, self->all, see, &first));
	ASSERT_EQ(0, uffd_rewritten(self->tracker.pagemap, self->all, see, &second));
	EXPECT_TRUE(first.page[9]);
	EXPECT_FALSE(first.page[1024]);
	EXPECT_EQ(first.bytes, second.bytes);
	EXPECT_EQ(first.bytes, scan(self).bytes);
	ASSERT_EQ(0, uffd_rewritten(self->tracker.pagemap, self->all, see, &last));
	EXPECT_EQ(0, last.bytes);
}

static void drop(FIXTURE_DATA(track) *self, size_t offset, size_t size)
{
	ASSERT_EQ(0, sys_ret(madvise(self->memory.guest + offset, size, MADV_DONTNEED)));
}

/* The second of four times 2 MiB as the scan left it, the third written since. */
static void drop_two(FIXTURE_DATA(track) *self)
{
	const size_t large = 2u << 20;

	memset(self->memory.guest, 1, self->memory.size);
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	ASSERT_EQ(0, scan(self).bytes);
	memset(self->memory.guest + 2 * large, 2, large);
	drop(self, large, large);
	drop(self, 2 * large, large);
}

static void expect_two(const struct seen *seen)
{
	EXPECT_EQ(4u << 20, seen->bytes);
	EXPECT_TRUE(seen->page[512]);
	EXPECT_TRUE(seen->page[1535]);
}

/*
 * Why the source need not look for holes there. Not so in a private mapping of
 * a file: a marker stays behind.
 */
TEST_F(track, anonymous_memory_that_was_dropped_is_written)
{
	struct seen seen;

	if (variant->kind.file)
		SKIP(return, "a file is behind it");
	drop_two(self);
	seen = scan(self);
	expect_two(&seen);
}

/* Fails for huge pages if only markers are found: what was written has none. */
TEST_F(track, memory_that_was_dropped_is_unmapped)
{
	struct seen seen = { .base = self->all.start };

	drop_two(self);
	ASSERT_EQ(0, uffd_unmapped(&self->tracker, self->all, see, &seen));
	expect_two(&seen);
}

static int stop_at_first(struct range run, void *arg)
{
	(void)run;
	++*(int *)arg;
	return -ECANCELED;
}

TEST_F(track, callback_stops_the_walk)
{
	int calls = 0;

	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	self->memory.guest[0] = 1;
	self->memory.guest[self->memory.size - 1] = 1;
	EXPECT_EQ(-ECANCELED, uffd_written(&self->tracker, self->all,
					   stop_at_first, &calls));
	EXPECT_EQ(1, calls);
}

TEST_F(track, untracked_memory_cannot_be_scanned)
{
	struct seen seen = { .base = self->all.start };
	struct range empty = { self->all.start, 0 };

	self->memory.guest[0] = 1;
	EXPECT_EQ(-EPERM, uffd_written(&self->tracker, self->all, see, &seen));
	EXPECT_EQ(-EPERM, uffd_rewritten(self->tracker.pagemap, self->all, see, &seen));
	EXPECT_EQ(-EINVAL, uffd_written(&self->tracker, empty, see, &seen));
}

TEST_F(track, untracked_memory_has_no_flag_left)
{
	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	EXPECT_TRUE(memory_has_flag(self->memory.guest, "uw"));
	self->memory.guest[0] = 1;
	ASSERT_EQ(0, uffd_untrack(&self->tracker, self->all));
	EXPECT_FALSE(memory_has_flag(self->memory.guest, "uw"));
	self->memory.guest[4096] = 1;
}

TEST_F(track, populated_is_what_was_touched)
{
	struct seen seen = { .base = self->all.start };

	self->memory.guest[9 * 4096] = 1;
	EXPECT_EQ(0, uffd_populated(self->tracker.pagemap, self->all, see,
				    &seen));
	EXPECT_TRUE(seen.page[9]);
	EXPECT_FALSE(seen.page[1024]);
}

/* ---- a device that writes to pinned memory ------------------------------ */

/* The least of an io_uring: one entry, one buffer that stays pinned. */
struct ring {
	int fd;
	struct io_uring_params params;
	char *sq;
	struct io_uring_sqe *sqe;
};

static int ring_open(struct ring *ring, void *pinned, size_t size)
{
	struct iovec iov = { pinned, size };
	void *sq = NULL, *sqe = NULL;
	int ret;

	ring->params = (struct io_uring_params){ .flags = 0 };
	ring->fd = (int)sys_ret(syscall(__NR_io_uring_setup, 1,
					&ring->params));
	if (ring->fd < 0)
		return ring->fd;
	ret = sys_mmap(&sq, ring->params.sq_off.array + sizeof(uint32_t),
		       PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
		       IORING_OFF_SQ_RING);
	if (!ret)
		ret = sys_mmap(&sqe, sizeof(struct io_uring_sqe),
			       PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			       IORING_OFF_SQES);
	ring->sq = sq;
	ring->sqe = sqe;
	if (!ret)
		ret = (int)sys_ret(syscall(__NR_io_uring_register, ring->fd,
					   IORING_REGISTER_BUFFERS, &iov, 1));
	return ret;
}

/* Read from @file into the pinned buffer, and wait for it. */
static int ring_read(struct ring *ring, int file, void *pinned, size_t size)
{
	uint32_t *tail = (uint32_t *)(ring->sq + ring->params.sq_off.tail);
	uint32_t *array = (uint32_t *)(ring->sq + ring->params.sq_off.array);

	*ring->sqe = (struct io_uring_sqe){
		.opcode = IORING_OP_READ_FIXED,
		.fd = file,
		.addr = (uintptr_t)pinned,
		.len = (uint32_t)size,
	};
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return (int)sys_ret(syscall(__NR_io_uring_enter, ring->fd, 1, 1,
				    IORING_ENTER_GETEVENTS, NULL, 0));
}

/*
 * The limit of tracking by page tables, which is why rounds scan with device
 * I/O drained. If this fails the kernel has learned to see such writes.
 */
TEST_F(track, pinned_write_is_not_seen)
{
	size_t size = self->memory.page_size;
	char *guest = self->memory.guest;
	struct ring ring;
	struct seen seen;
	int file, ret;

	memset(guest, 'o', self->memory.size);
	ret = ring_open(&ring, guest, size);
	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "no io_uring: see kernel.io_uring_disabled");
	ASSERT_EQ(0, ret);
	file = sys_ret(memfd_create("disk", MFD_CLOEXEC));
	ASSERT_LE(0, file);
	ASSERT_EQ(4, write(file, "nnnn", 4));
	ASSERT_EQ(0, lseek(file, 0, SEEK_SET));

	ASSERT_EQ(0, uffd_track(&self->tracker, self->all));
	ASSERT_EQ(1, ring_read(&ring, file, guest, 4));
	EXPECT_EQ(0, memcmp(guest, "nnnn", 4));
	seen = scan(self);
	EXPECT_EQ(0, seen.bytes);
	close(file);
	close(ring.fd);
}

TEST_HARNESS_MAIN
