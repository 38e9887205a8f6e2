/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c - make pages visible to the guest.
 *
 * What the kernel's answers mean (mm/userfaultfd.c, fs/userfaultfd.c):
 * partial progress is -EAGAIN with the bytes done beside it; -EAGAIN with
 * nothing done is a layout in motion (an event waits for its reader);
 * -EEXIST is about the first page only, does not wake, and means that the
 * page is there, so that somebody may still sleep on it.
 */
#include "uffd/uffd.h"
#include "uffd/sys.h"

#define RETRIES_MAX	64	/* -EAGAIN in a row with nothing done */

/* One placement under way: what is left of it. */
struct placing {
	int uffd;
	uint64_t dst;
	uint64_t src;		/* copy only */
	uint64_t len;
	uint64_t mode;
};

/* Try all that is left; @done receives bytes (> 0) or the kernel's error. */
typedef int place_fn(const struct placing *placing, int64_t *done);

static int try_copy(const struct placing *placing, int64_t *done)
{
	struct uffdio_copy arg = {
		.dst = placing->dst,
		.src = placing->src,
		.len = placing->len,
		.mode = placing->mode,
	};
	int ret = sys_ioctl(placing->uffd, UFFDIO_COPY, &arg);

	*done = arg.copy;
	return ret;
}

static int try_continue(const struct placing *placing, int64_t *done)
{
	struct uffdio_continue arg = {
		.range = { placing->dst, placing->len },
		.mode = placing->mode,
	};
	int ret = sys_ioctl(placing->uffd, UFFDIO_CONTINUE, &arg);

	*done = arg.mapped;
	return ret;
}

static int try_zeropage(const struct placing *placing, int64_t *done)
{
	struct uffdio_zeropage arg = {
		.range = { placing->dst, placing->len },
		.mode = placing->mode,
	};
	int ret = sys_ioctl(placing->uffd, UFFDIO_ZEROPAGE, &arg);

	*done = arg.zeropage;
	return ret;
}

static int try_poison(const struct placing *placing, int64_t *done)
{
	struct uffdio_poison arg = {
		.range = { placing->dst, placing->len },
		.mode = placing->mode,
	};
	int ret = sys_ioctl(placing->uffd, UFFDIO_POISON, &arg);

	*done = arg.updated;
	return ret;
}

static void advance(struct placing *placing, uint64_t bytes)
{
	if (bytes > placing->len)
		bytes = placing->len;
	placing->dst += bytes;
	placing->src += bytes;
	placing->len -= bytes;
}

static int place(struct placing *placing, size_t page_size, bool wake,
		 place_fn *try)
{
	unsigned int idle = 0;
	int64_t done;
	int ret;

	if (!page_size || !placing->len || placing->len % page_size)
		return -EINVAL;
	while (placing->len) {
		done = 0;
		ret = try(placing, &done);
		if (!ret)
			return 0;
		if (done > 0) {
			advance(placing, (uint64_t)done);
			idle = 0;
		} else if (ret == -EEXIST) {
			if (wake)
				uffd_wake(placing->uffd, (struct range){
					  placing->dst, page_size });
			advance(placing, page_size);
			idle = 0;
		} else if (ret != -EAGAIN || ++idle == RETRIES_MAX) {
			return ret;
		}
	}
	return 0;
}

/**
 * uffd_copy() - fill missing pages with bytes of ours
 * @uffd: the descriptor that the guest's range is registered with
 * @dst: address in the guest's process
 * @src: the bytes, in this process
 * @len: bytes, whole pages
 * @page_size: the guest mapping's
 * @flags: UFFD_PLACE_*
 *
 * A page that is there already keeps its content.
 *
 * Return: 0 when all of the range is there; -EAGAIN: the layout is in
 * motion, read the events and call again; -ENOENT: not a registered range;
 * -ESRCH: the process is gone.
 */
int uffd_copy(int uffd, uint64_t dst, const void *src, size_t len,
	      size_t page_size, unsigned int flags)
{
	struct placing placing = {
		.uffd = uffd,
		.dst = dst,
		.src = (uintptr_t)src,
		.len = len,
	};

	if (flags & UFFD_PLACE_DONTWAKE)
		placing.mode |= UFFDIO_COPY_MODE_DONTWAKE;
	if (flags & UFFD_PLACE_PROTECTED)
		placing.mode |= UFFDIO_COPY_MODE_WP;
	return place(&placing, page_size, !(flags & UFFD_PLACE_DONTWAKE),
		     try_copy);
}

/**
 * uffd_insert() - uffd_copy() that wakes nobody and says how far it got
 * @uffd: the descriptor that the guest's range is registered with
 * @dst: address in the guest's process
 * @src: the bytes, in this process
 * @len: bytes, whole pages
 * @page_size: the guest mapping's
 * @done: receives how many bytes are there now, from @dst on
 *
 * Into a shared mapping as well: the page is in the file then.
 *
 * Return: as uffd_copy().
 */
int uffd_insert(int uffd, uint64_t dst, const void *src, size_t len, size_t page_size,
		size_t *done)
{
	struct placing placing = {
		.uffd = uffd,
		.dst = dst,
		.src = (uintptr_t)src,
		.len = len,
		.mode = UFFDIO_COPY_MODE_DONTWAKE,
	};
	int ret = place(&placing, page_size, false, try_copy);

	*done = ret ? len - placing.len : len;
	return ret;
}

/**
 * uffd_continue() - map pages that are in the file for the guest
 * @uffd: the descriptor that the guest's range is registered with, MINOR
 * @range: addresses in the guest's process, whole pages
 * @page_size: the guest mapping's
 * @flags: UFFD_PLACE_DONTWAKE or 0
 *
 * Return: 0 when all of the range is mapped; -ENOENT: stopped at a hole in
 * the file, what lies before it is mapped; -EFAULT: not a registered range;
 * -EAGAIN: the layout is in motion; -ESRCH: the process is gone.
 */
int uffd_continue(int uffd, struct range range, size_t page_size,
		  unsigned int flags)
{
	struct placing placing = {
		.uffd = uffd,
		.dst = range.start,
		.len = range.len,
	};
	int ret;

	if (flags & UFFD_PLACE_PROTECTED)
		return -EINVAL;
	if (flags & UFFD_PLACE_DONTWAKE)
		placing.mode |= UFFDIO_CONTINUE_MODE_DONTWAKE;
	ret = place(&placing, page_size, !(flags & UFFD_PLACE_DONTWAKE),
		    try_continue);
	/* The kernel says it the other way round. */
	if (ret == -EFAULT)
		return -ENOENT;
	return ret == -ENOENT ? -EFAULT : ret;
}

/* Huge pages have no zero page to map: one is filled with zeroes. */
static int zero_by_copy(struct placing *placing, size_t page_size, bool wake)
{
	uint64_t end = placing->dst + placing->len;
	void *zeroes = NULL;
	int ret;

	ret = sys_mmap(&zeroes, page_size, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (!ret && placing->dst < end) {
		placing->src = (uintptr_t)zeroes;
		placing->len = page_size;
		ret = place(placing, page_size, wake, try_copy);
		if (!ret && placing->len)
			advance(placing, placing->len);
	}
	if (zeroes)
		munmap(zeroes, page_size);
	return ret;
}

/**
 * uffd_zeropage() - fill missing pages with zeroes
 * @uffd: the descriptor that the guest's range is registered with
 * @range: addresses in the guest's process, whole pages
 * @page_size: the guest mapping's
 * @flags: UFFD_PLACE_DONTWAKE or 0
 *
 * Return: 0 or -errno as uffd_copy().
 */
int uffd_zeropage(int uffd, struct range range, size_t page_size,
		  unsigned int flags)
{
	bool wake = !(flags & UFFD_PLACE_DONTWAKE);
	struct placing placing = {
		.uffd = uffd,
		.dst = range.start,
		.len = range.len,
		.mode = wake ? 0 : UFFDIO_ZEROPAGE_MODE_DONTWAKE,
	};

	if (flags & UFFD_PLACE_PROTECTED)
		return -EINVAL;
	if (page_size == 4096)
		return place(&placing, page_size, wake, try_zeropage);
	if (!page_size || !range.len || range.len % page_size)
		return -EINVAL;
	return zero_by_copy(&placing, page_size, wake);
}

/**
 * uffd_poison() - pages that will never come: who touches one gets SIGBUS
 * @uffd: the descriptor that the guest's range is registered with
 * @range: in the guest's process; none of it is there
 * @page_size: the guest mapping's
 *
 * They stay so when the range is unregistered. Who waits is woken, and gets it.
 *
 * Return: 0; -EINVAL, -ENOTTY: a kernel before 6.6; or as uffd_copy().
 */
int uffd_poison(int uffd, struct range range, size_t page_size)
{
	struct placing placing = {
		.uffd = uffd, .dst = range.start, .len = range.len,
	};

	return place(&placing, page_size, true, try_poison);
}
