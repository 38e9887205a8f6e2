/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * zap.c - drop another process's memory.
 *
 * MADV_DONTNEED is refused from outside (-EINVAL), so it is called inside,
 * many ranges at once where the kernel takes it for oneself (6.13).
 */
#include "uffd/uffd.h"
#include "uffd/inject.h"
#include "uffd/sys.h"

#define CHUNK		(UINT64_C(1) << 30)	/* bytes under one mmap_lock */
#define BATCH		1024			/* IOV_MAX */

/* What is left of the ranges; runs inside one stop. */
struct zap {
	int pidfd;
	const struct range *ranges;
	size_t count;
	uint64_t done;			/* bytes of the first range */
	int self;			/* pidfd of itself there, or < 0 */
	uint64_t scratch;		/* BATCH iovecs there */
	struct iovec iov[BATCH];
};

static void zap_advance(struct zap *zap, uint64_t bytes)
{
	while (zap->count && bytes >= zap->ranges->len - zap->done) {
		bytes -= zap->ranges->len - zap->done;
		zap->done = 0;
		zap->ranges++;
		zap->count--;
	}
	if (zap->count)
		zap->done += bytes;
}

/* The next ranges, up to a chunk of memory. */
static size_t zap_fill(struct zap *zap)
{
	uint64_t done = zap->done, room = CHUNK;
	size_t n = 0;

	while (n < BATCH && n < zap->count && room) {
		uint64_t len = zap->ranges[n].len - done;

		if (len > room)
			len = room;
		zap->iov[n].iov_base = (void *)(zap->ranges[n].start + done);
		zap->iov[n].iov_len = len;
		room -= len;
		done = 0;
		n++;
	}
	return n;
}

static int64_t zap_batch(struct inject *inject, struct zap *zap, size_t n)
{
	int ret = sys_poke(inject->pid, zap->scratch, zap->iov,
			   n * sizeof(zap->iov[0]));

	if (ret)
		return ret;
	return inject_call(inject, __NR_process_madvise, INJECT_ARGS(
			   (uint64_t)zap->self, zap->scratch, n,
			   MADV_DONTNEED_LOCKED, 0));
}

static int64_t zap_one(struct inject *inject, const struct iovec *iov)
{
	uint64_t start = (uintptr_t)iov->iov_base;
	int64_t ret;

	ret = inject_call(inject, __NR_madvise, INJECT_ARGS(
			  start, iov->iov_len, MADV_DONTNEED_LOCKED));
	if (ret == -EINVAL)		/* before 5.18 */
		ret = inject_call(inject, __NR_madvise, INJECT_ARGS(
				  start, iov->iov_len, MADV_DONTNEED));
	return ret ? ret : (int64_t)iov->iov_len;
}

static int zap_all(struct inject *inject, struct zap *zap)
{
	while (zap->count) {
		size_t n = zap_fill(zap);
		int64_t ret = -EINVAL;

		if (zap->self >= 0)
			ret = zap_batch(inject, zap, n);
		if (ret <= 0)
			ret = zap_one(inject, &zap->iov[0]);
		if (ret < 0)
			return (int)ret;
		zap_advance(zap, (uint64_t)ret);
	}
	return 0;
}

static int zap_inside(struct inject *inject, void *arg)
{
	struct zap *zap = arg;
	int64_t self;
	int ret;

	if (sys_pidfd_alive(zap->pidfd))
		return -ESRCH;
	ret = inject_scratch(inject, sizeof(zap->iov), &zap->scratch);
	if (ret)
		return ret;
	self = inject_call(inject, __NR_getpid, INJECT_ARGS(0));
	if (self > 0)
		self = inject_call(inject, __NR_pidfd_open,
				   INJECT_ARGS((uint64_t)self, 0));
	zap->self = (int)self;
	ret = zap_all(inject, zap);
	if (zap->self >= 0)
		inject_call(inject, __NR_close,
			    INJECT_ARGS((uint64_t)zap->self));
	inject_scratch_free(inject, sizeof(zap->iov), zap->scratch);
	return ret;
}

/**
 * uffd_zap() - unmap ranges in another process
 * @pid: the process
 * @pidfd: of the same process
 * @ranges: whole pages, in any order
 * @count: how many
 *
 * Shared memory keeps its content and is MINOR at the next touch; private
 * memory is dropped and MISSING. With UFFD_FEATURE_EVENT_REMOVE enabled on a
 * registered range somebody else must be reading events meanwhile.
 *
 * Return: 0; -EINVAL: a range that is empty, unaligned or of memory that
 * cannot be dropped; -ENOMEM: not mapped; or -errno as inject_run(). On an
 * error a part may be unmapped.
 */
int uffd_zap(pid_t pid, int pidfd, const struct range *ranges, size_t count)
{
	struct zap zap = { .pidfd = pidfd, .ranges = ranges, .count = count };

	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!ranges[i].len || ranges[i].len > INT64_MAX)
			return -EINVAL;
	return inject_run(pid, zap_inside, &zap);
}
