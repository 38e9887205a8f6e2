// SPDX-License-Identifier: LGPL-2.1-or-later
/* kind_private.c - memory that only the guest's process has. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "copy/digest.h"
#include "copy/kind.h"
#include "sys.h"

/*
 * process_vm_*() asks for the right to trace the process in each call; a file
 * that was opened by somebody who had it does not. For 64 KiB the file
 * takes twice the time (the kernel copies through a page of its own), for
 * single pages it is quicker.
 */
static ssize_t some_read(const struct region *region, uint64_t address,
			 void *buf, uint64_t size)
{
	struct iovec to = { buf, size };
	struct iovec from = { (void *)address, size };

	if (region->memory > 0)
		return sys_retry(pread(region->memory, buf, size, (off_t)address));
	return sys_retry(process_vm_readv(region->pid, &to, 1, &from, 1, 0));
}

static ssize_t some_write(const struct region *region, uint64_t address,
			  const void *buf, uint64_t size)
{
	struct iovec from = { (void *)buf, size };
	struct iovec to = { (void *)address, size };

	if (region->memory > 0)
		return sys_retry(pwrite(region->memory, buf, size, (off_t)address));
	return sys_retry(process_vm_writev(region->pid, &from, 1, &to, 1, 0));
}

static int read_there(const struct region *region, struct range range,
		      void *buf)
{
	uint64_t done = 0;

	while (done < range.len) {
		ssize_t got = some_read(region, range.start + done,
					(char *)buf + done, range.len - done);

		if (got <= 0)
			return got ? (int)got : -ESRCH;
		done += (uint64_t)got;
	}
	return 0;
}

/* A read that skips what is not there. */
struct sparse_read {
	const struct region *region;
	uint64_t start;
	uint8_t *buf;
};

static int read_run(struct range range, void *arg)
{
	const struct sparse_read *sparse = arg;

	return read_there(sparse->region, range,
			  sparse->buf + (range.start - sparse->start));
}

/*
 * At the dest a page that is not there must not be touched: the fault would
 * be ours to serve.
 */
static int private_read(const struct region *region, uint64_t first,
			uint64_t count, void *buf)
{
	struct range range = page_range(region, first, count);
	struct sparse_read sparse = { region, range.start, buf };

	if (region->uffd < 0)
		return read_there(region, range, buf);
	memset(buf, 0, range.len);
	return uffd_populated(region->pagemap, range, read_run, &sparse);
}

static int private_write(const struct region *region, uint64_t first,
			 uint64_t count, const void *buf)
{
	uint64_t size = count << region->page_shift;
	uint64_t done = 0;

	while (done < size) {
		ssize_t put = some_write(region,
					 page_address(region, first) + done,
					 (const char *)buf + done, size - done);

		if (put <= 0)
			return put ? (int)put : -ESRCH;
		done += (uint64_t)put;
	}
	return 0;
}

static int private_populated(const struct region *region, uint64_t first,
			     uint64_t count, uffd_run_fn *run, void *arg)
{
	return uffd_content(region->pagemap, page_range(region, first, count),
			    run, arg);
}

/* What the process has, and what the file has before and between that. */
struct overlay {
	const struct region *region;
	uint64_t page;		/* up to here all was handed out */
	uffd_run_fn *run;
	void *arg;
};

static int overlay_file(struct overlay *overlay, uint64_t end)
{
	uint64_t first = overlay->page;

	overlay->page = end;
	return end == first ? 0 : file_populated(overlay->region, first, end - first,
						 overlay->run, overlay->arg);
}

static int overlay_run(struct range range, void *arg)
{
	struct overlay *overlay = arg;
	uint64_t first, end;
	int ret;

	range_pages(overlay->region, range, &first, &end);
	ret = overlay_file(overlay, first);
	overlay->page = end;
	return ret ? ret : overlay->run(range, overlay->arg);
}

static int overlay_populated(const struct region *region, uint64_t first,
			     uint64_t count, uffd_run_fn *run, void *arg)
{
	struct overlay overlay = { region, first, run, arg };
	int ret = private_populated(region, first, count, overlay_run, &overlay);

	return ret ? ret : overlay_file(&overlay, first + count);
}

static int private_copy(const struct region *region, uint64_t first,
			uint64_t count, const void *buf, unsigned int flags)
{
	return uffd_copy(region->uffd, page_address(region, first), buf,
			 count << region->page_shift, page_size(region),
			 flags);
}

static int count_bytes(struct range range, void *bytes)
{
	*(uint64_t *)bytes += range.len;
	return 0;
}

/*
 * UFFDIO_COPY refuses pages that are there. Those were placed protected, and
 * a write from outside would raise the very fault that we serve: so the
 * protection is lifted around it.
 */
static int private_overwrite(const struct region *region, uint64_t first,
			     uint64_t count, const void *buf)
{
	struct range range = page_range(region, first, count);
	uint64_t there = 0;
	int ret = uffd_populated(region->pagemap, range, count_bytes, &there);

	if (ret < 0)
		return ret;
	if (!there)
		return private_copy(region, first, count, buf,
				    UFFD_PLACE_DONTWAKE |
				    UFFD_PLACE_PROTECTED);
	if (there < range.len) {
		ret = private_copy(region, first, count, buf,
				   UFFD_PLACE_DONTWAKE | UFFD_PLACE_PROTECTED);
		if (ret < 0)
			return ret;
	}
	ret = uffd_unprotect(region->uffd, range);
	if (!ret)
		ret = private_write(region, first, count, buf);
	if (!ret)
		ret = uffd_protect(region->uffd, range);
	return ret;
}

/* Only what is there needs zeroes; the rest reads as zero already. */
static int zero_range(struct range range, void *arg)
{
	static const uint8_t zeroes[STEP_SIZE] __attribute__((aligned(64)));
	const struct region *region = arg;
	uint64_t at, end = range.start + range.len;
	int ret = uffd_unprotect(region->uffd, range);

	for (at = range.start; !ret && at < end; at += STEP_SIZE) {
		uint64_t size = end - at < STEP_SIZE ? end - at : STEP_SIZE;
		ssize_t put = some_write(region, at, zeroes, size);

		if (put != (ssize_t)size)
			ret = put < 0 ? (int)put : -EFAULT;
	}
	return ret ? ret : uffd_protect(region->uffd, range);
}

static int private_overwrite_zero(const struct region *region, uint64_t first,
				  uint64_t count)
{
	return uffd_populated(region->pagemap, page_range(region, first, count),
			   zero_range, (void *)region);
}

static int private_fill(const struct region *region, uint64_t first,
			uint64_t count, const void *buf)
{
	return private_copy(region, first, count, buf, UFFD_PLACE_DONTWAKE);
}

/* What was stale was zapped before the start: nothing is there. */
static int private_clear(const struct region *region, uint64_t first,
			 uint64_t count)
{
	(void)region;
	(void)first;
	(void)count;
	return 0;
}

static int private_place(const struct region *region, uint64_t first,
			 uint64_t count, bool wake)
{
	if (!wake)
		return 0;
	return uffd_wake(region->uffd, page_range(region, first, count));
}

/*
 * A protected page of a file that is zapped leaves a marker behind, which
 * UFFDIO_ZEROPAGE takes for a page that is there: nobody would ever be served.
 * UFFDIO_COPY does not.
 */
static int private_place_zero(const struct region *region, uint64_t page)
{
	static const uint8_t zeroes[REGION_BLOCK_SIZE]
		__attribute__((aligned(64)));

	if (region->page_shift == 12 && !region->of_file)
		return uffd_zeropage(region->uffd, page_range(region, page, 1),
				     page_size(region), 0);
	if (page_size(region) > sizeof(zeroes))
		return -EOPNOTSUPP;
	return private_copy(region, page, 1, zeroes, 0);
}

static int private_release(const struct region *region, uint64_t first,
			   uint64_t count)
{
	return uffd_unprotect(region->uffd, page_range(region, first, count));
}

/*
 * Over a file, hugetlb's too, a page that is dropped is no write to the kernel. So
 * what is not mapped was dropped. (Or it is in swap, or on the move: then it is sent
 * once more.) It is not looked at again: who has read it since has a page of zeroes,
 * protected, which no scan finds.
 */
static int dropped_is_hole(const struct region *region, uint64_t page)
{
	(void)region;
	(void)page;
	return 1;
}

/* Only ever zeroes: the file's page is made when a private one is written. */
static int check_zeroes(struct range range, void *arg)
{
	uint8_t bytes[STEP_SIZE] __attribute__((aligned(64)));
	const struct region *region = arg;
	uint64_t first, end, page, count;
	int ret = 0;

	range_pages(region, range, &first, &end);
	for (page = first; page < end && !ret; page += count) {
		count = end - page < step_pages(region) ? end - page : step_pages(region);
		ret = file_read(region, page, count, bytes);
		if (!ret && !page_is_zero(bytes, count << region->page_shift))
			ret = -ENOTEMPTY;
	}
	return ret;
}

/*
 * What the file has is mapped for whoever touches it, and no fault is raised. So
 * it is to have nothing; and what is not zero is not for us to drop. All of it is
 * punched: to SEEK_DATA, what fallocate(2) made is a hole, which is mapped as well.
 */
static int file_empty(const struct region *region)
{
	int ret = file_populated(region, 0, region->pages, check_zeroes, (void *)region);

	return ret ? ret : file_punch(region, 0, region->pages);
}

/* Likewise; but private huge pages are not in the file: unless shared, it has none. */
static int huge_file_empty(const struct region *region)
{
	struct stat status;
	int ret;

	if (region->fd < 0)
		return 0;
	ret = sys_ret(fstat(region->fd, &status));
	if (!ret && status.st_blocks)
		ret = -ENOTEMPTY;
	return ret;
}

#define PRIVATE_OPERATIONS						\
	.modes = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP, \
	.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |			\
		    UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_THREAD_ID,	\
	.read = private_read,						\
	.overwrite = private_overwrite,					\
	.overwrite_zero = private_overwrite_zero,			\
	.fill = private_fill,						\
	.clear = private_clear,						\
	.place = private_place,						\
	.place_zero = private_place_zero,				\
	.release = private_release

const struct memory_kind kind_private = {
	.name = "private",
	PRIVATE_OPERATIONS,
	.populated = private_populated,
};

const struct memory_kind kind_private_file = {
	.name = "private file",
	PRIVATE_OPERATIONS,
	.populated = overlay_populated,
	.is_hole = dropped_is_hole,
	.empty = file_empty,
};

const struct memory_kind kind_private_huge = {
	.name = "private huge",
	PRIVATE_OPERATIONS,
	.populated = private_populated,
	.is_hole = dropped_is_hole,
	.empty = huge_file_empty,
};
