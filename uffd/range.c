/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * range.c - registration, protection and wakes of address ranges.
 *
 * Protecting and unregistering walk page tables under the guest's mmap_lock,
 * which its page faults need too: they go in chunks of 1 GiB.
 */
#include "uffd/uffd.h"
#include "uffd/sys.h"

#define CHUNK		(UINT64_C(64) << 20)	/* bytes under one mmap_lock */
#define RETRIES_MAX	64			/* -EAGAIN: layout in motion */

typedef int chunk_fn(int uffd, struct range range);

static int for_each_chunk(int uffd, struct range range, chunk_fn *chunk)
{
	uint64_t end, step;
	int ret;

	if (!range.len || __builtin_add_overflow(range.start, range.len, &end))
		return -EINVAL;
	for (; range.start < end; range.start += step) {
		step = end - range.start < CHUNK ? end - range.start : CHUNK;
		ret = chunk(uffd, (struct range){ range.start, step });
		if (ret)
			return ret;
	}
	return 0;
}

static int unregister_chunk(int uffd, struct range range)
{
	struct uffdio_range arg = { range.start, range.len };

	return sys_ioctl(uffd, UFFDIO_UNREGISTER, &arg);
}

/* Idempotent, and the kernel does not say how far it came: do it again. */
static int writeprotect(int uffd, struct range range, uint64_t mode)
{
	struct uffdio_writeprotect arg = {
		.range = { range.start, range.len },
		.mode = mode,
	};
	int ret = -EAGAIN;

	for (int i = 0; ret == -EAGAIN && i < RETRIES_MAX; i++)
		ret = sys_ioctl(uffd, UFFDIO_WRITEPROTECT, &arg);
	return ret;
}

static int protect_chunk(int uffd, struct range range)
{
	return writeprotect(uffd, range, UFFDIO_WRITEPROTECT_MODE_WP);
}

static int unprotect_chunk(int uffd, struct range range)
{
	return writeprotect(uffd, range, 0);
}

/**
 * uffd_register() - have faults of a range told by a userfaultfd
 * @uffd: an enabled descriptor
 * @range: whole pages
 * @modes: UFFDIO_REGISTER_MODE_*
 *
 * Touches no page tables, so it is one call whatever the size.
 *
 * Return: 0; -EBUSY: registered with another userfaultfd; -EINVAL: not
 * mapped, not aligned, or memory of a kind that cannot be registered so.
 */
int uffd_register(int uffd, struct range range, uint64_t modes)
{
	struct uffdio_register arg = {
		.range = { range.start, range.len },
		.mode = modes,
	};

	return sys_ioctl(uffd, UFFDIO_REGISTER, &arg);
}

/**
 * uffd_unregister() - tell no more faults of a range, and wake who waits
 * @uffd: the descriptor it was registered with
 * @range: whole pages; parts that are not registered are passed over
 *
 * Return: 0 or -errno; on an error a part may be unregistered.
 */
int uffd_unregister(int uffd, struct range range)
{
	return for_each_chunk(uffd, range, unregister_chunk);
}

/**
 * uffd_protect() - write-protect a range
 * @uffd: the descriptor it was registered with, UFFDIO_REGISTER_MODE_WP
 * @range: whole pages
 *
 * Return: 0; -ENOENT: not registered for it; -EAGAIN: the layout has been
 * changing all the time. On an error a part may be protected.
 */
int uffd_protect(int uffd, struct range range)
{
	return for_each_chunk(uffd, range, protect_chunk);
}

/**
 * uffd_unprotect() - allow writes to a range again and wake who waits
 * @uffd: the descriptor it was registered with
 * @range: whole pages
 *
 * Return: 0 or -errno as uffd_protect().
 */
int uffd_unprotect(int uffd, struct range range)
{
	return for_each_chunk(uffd, range, unprotect_chunk);
}

/**
 * uffd_wake() - let the threads that wait in a range try again
 * @uffd: the descriptor it was registered with
 * @range: whole pages
 *
 * A thread whose page is still missing faults again and is told again: after
 * a handler died this brings back the faults it had read.
 *
 * Return: 0 or -errno.
 */
int uffd_wake(int uffd, struct range range)
{
	struct uffdio_range arg = { range.start, range.len };

	return sys_ioctl(uffd, UFFDIO_WAKE, &arg);
}
