// SPDX-License-Identifier: LGPL-2.1-or-later
/* kind.c - the shared kinds of memory: shmem and hugetlb files. */
#include "copy/kind.h"

#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>

#include "copy/digest.h"
#include "sys.h"

/**
 * kind_of() - the kind of a region's memory
 * @region: with @shared, @of_file, @page_shift set
 *
 * Return: the kind, never NULL.
 */
const struct memory_kind *kind_of(const struct region *region)
{
	bool small = region->page_shift == 12;

	if (region->shared)
		return small ? &kind_shmem : &kind_hugetlb;
	if (!small)
		return &kind_private_huge;
	return region->of_file ? &kind_private_file : &kind_private;
}

/**
 * file_read() - bytes of pages, out of the file
 * @region: with a file
 * @first: page
 * @count: pages
 * @buf: receives them
 *
 * Return: 0 or -errno; -ENXIO: the file was cut short.
 */
int file_read(const struct region *region, uint64_t first, uint64_t count, void *buf)
{
	uint64_t size = count << region->page_shift;
	uint64_t done = 0;

	while (done < size) {
		ssize_t got = sys_retry(pread(region->fd, (char *)buf + done,
				size - done,
				(off_t)(page_offset(region, first) + done)));
		if (got < 0)
			return (int)got;
		if (!got)
			return -ENXIO;
		done += (uint64_t)got;
	}
	return 0;
}

/**
 * file_populated() - the runs of data in the file
 * @region: with a file
 * @first: page
 * @count: pages
 * @run: called for each run, as a range of the guest's addresses, ascending
 * @arg: handed to @run
 *
 * Return: 0, what @run returned, or -errno.
 */
int file_populated(const struct region *region, uint64_t first, uint64_t count,
		   uffd_run_fn *run, void *arg)
{
	uint64_t at = page_offset(region, first);
	uint64_t end = page_offset(region, first + count);

	while (at < end) {
		off_t data = sys_ret(lseek(region->fd, (off_t)at, SEEK_DATA));
		off_t hole;
		int ret;

		if (data == -ENXIO || data >= (off_t)end)
			return 0;
		if (data < 0)
			return (int)data;
		hole = sys_ret(lseek(region->fd, data, SEEK_HOLE));
		if (hole < 0)
			return (int)hole;
		if (hole > (off_t)end)
			hole = (off_t)end;
		ret = run((struct range){
				region->address + (uint64_t)data -
					region->offset,
				(uint64_t)(hole - data) }, arg);
		if (ret)
			return ret;
		at = (uint64_t)hole;
	}
	return 0;
}

static int shmem_is_hole(const struct region *region, uint64_t page)
{
	off_t at = (off_t)page_offset(region, page);
	off_t data = sys_ret(lseek(region->fd, at, SEEK_DATA));

	if (data < 0)
		return data == -ENXIO ? 1 : (int)data;
	return data >= at + (off_t)page_size(region);
}

/* A hugetlb file does not tell its holes, but reads as zero there. */
static int hugetlb_is_hole(const struct region *region, uint64_t page)
{
	uint8_t part[STEP_SIZE] __attribute__((aligned(64)));
	uint64_t at, start = page_offset(region, page);

	for (at = 0; at < page_size(region); at += sizeof(part)) {
		ssize_t got = sys_retry(pread(region->fd, part, sizeof(part),
					      (off_t)(start + at)));

		if (got != sizeof(part))
			return got < 0 ? (int)got : -ENXIO;
		if (!page_is_zero(part, sizeof(part)))
			return 0;
	}
	return 1;
}

/**
 * file_punch() - make a hole in the file
 * @region: with a file of small pages
 * @first: page
 * @count: pages
 *
 * Return: 0 or -errno.
 */
int file_punch(const struct region *region, uint64_t first, uint64_t count)
{
	return sys_retry(fallocate(region->fd,
			FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)page_offset(region, first),
			(off_t)(count << region->page_shift)));
}

static int shmem_empty(const struct region *region)
{
	return file_punch(region, 0, region->pages);
}

static int shmem_write(const struct region *region, uint64_t first,
		       uint64_t count, const void *buf)
{
	return sys_pwrite_all(region->fd, buf, count << region->page_shift,
			      page_offset(region, first));
}

static int hugetlb_write(const struct region *region, uint64_t first,
			 uint64_t count, const void *buf)
{
	memcpy(region->alias + (first << region->page_shift), buf,
	       count << region->page_shift);
	return 0;
}

/* Looked at through the file: unlike a mapping, that allocates no hole. */
static bool hugetlb_holds(const struct region *region, uint64_t page)
{
	uint8_t bytes[16384] __attribute__((aligned(64)));
	uint64_t at = page_offset(region, page), end = page_offset(region, page + 1);

	for (; at < end; at += sizeof(bytes))
		if (sys_retry(pread(region->fd, bytes, sizeof(bytes),
				    (off_t)at)) != (ssize_t)sizeof(bytes) ||
		    !page_is_zero(bytes, sizeof(bytes)))
			return true;
	return false;
}

/*
 * Pages that our mapping has not brought in hold nothing that we wrote; but
 * what a predecessor wrote through its own, if there was one.
 */
static bool hugetlb_written(const struct region *region, uint64_t page)
{
	unsigned char there = 0;

	if (sys_ret(mincore(region->alias + (page << region->page_shift),
			    4096, &there)) < 0 || there & 1)
		return true;
	return region->inherited && hugetlb_holds(region, page);
}

/* A hole punched into a hugetlb file gives its reservation away as well. */
static int hugetlb_zero(const struct region *region, uint64_t first,
			uint64_t count)
{
	uint64_t page;

	for (page = first; page < first + count; page++)
		if (hugetlb_written(region, page))
			memset(region->alias + (page << region->page_shift), 0,
			       page_size(region));
	return 0;
}

/* Preallocated pages cannot be told from written ones: all are cleared. */
static int hugetlb_empty(const struct region *region)
{
	struct stat status;
	int ret = sys_ret(fstat(region->fd, &status));

	if (ret < 0)
		return ret;
	if (status.st_blocks)
		memset(region->alias, 0, region->pages << region->page_shift);
	return 0;
}

static int file_place(const struct region *region, uint64_t first,
		      uint64_t count, bool wake)
{
	return uffd_continue(region->uffd, page_range(region, first, count),
			     page_size(region),
			     wake ? 0 : UFFD_PLACE_DONTWAKE);
}

/*
 * One call where pwrite(2) and UFFDIO_CONTINUE are two, and no lock of the inode
 * that lanes would have to take in turn.
 */
static int shmem_insert(const struct region *region, uint64_t first, uint64_t count,
			const void *buf, uint64_t *done)
{
	size_t bytes;
	int ret = uffd_insert(region->uffd, page_address(region, first), buf,
			      count << region->page_shift, page_size(region), &bytes);

	*done = bytes >> region->page_shift;
	return ret;
}

/**
 * region_inserts() - is insert() the better way into a region?
 * @region: at the dest
 *
 * Not where the file gets huge pages when it is written: shmem says so by its
 * block size (mm/shmem.c, shmem_getattr()). Nor where khugepaged may put zeroes
 * into the holes around a page, which insert() would take for ours: it leaves
 * memory alone that has a userfaultfd since "mm/khugepaged: skip shmem with
 * userfaultfd" (2023). A kernel that can poison pages (6.6) has that. Who gives
 * up the right to a userfaultfd calls uffd_supported() before, or nothing is
 * inserted.
 *
 * Return: true if there is an insert(), and no reason against it.
 */
bool region_inserts(const struct region *region)
{
	struct stat status;

	return region->kind->insert && !uffd_feature_missing(UFFD_FEATURE_POISON) &&
	       !sys_ret(fstat(region->fd, &status)) &&
	       (uint64_t)status.st_blksize == page_size(region);
}

static int shmem_place_zero(const struct region *region, uint64_t page)
{
	return uffd_zeropage(region->uffd, page_range(region, page, 1),
			     page_size(region), 0);
}

/* hugetlb has no UFFDIO_ZEROPAGE: our mapping allocates a zero page. */
static int hugetlb_place_zero(const struct region *region, uint64_t page)
{
	volatile uint8_t *byte = region->alias + (page << region->page_shift);

	(void)*byte;
	return file_place(region, page, 1, true);
}

/* Kept pages are mapped when they are counted; holes need no mapping. */
static int file_release(const struct region *region, uint64_t first,
			uint64_t count)
{
	return file_place(region, first, count, false);
}

const struct memory_kind kind_shmem = {
	.name = "shared",
	.modes = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	.features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
		    UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_THREAD_ID,
	.read = file_read,
	.populated = file_populated,
	.is_hole = shmem_is_hole,
	.empty = shmem_empty,
	.overwrite = shmem_write,
	.overwrite_zero = file_punch,
	.fill = shmem_write,
	.insert = shmem_insert,
	.clear = file_punch,
	.place = file_place,
	.place_zero = shmem_place_zero,
	.release = file_release,
};

const struct memory_kind kind_hugetlb = {
	.name = "shared huge",
	.modes = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	.features = UFFD_FEATURE_MISSING_HUGETLBFS |
		    UFFD_FEATURE_MINOR_HUGETLBFS |
		    UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_THREAD_ID,
	.alias = true,
	.read = file_read,
	.populated = file_populated,
	.is_hole = hugetlb_is_hole,
	.empty = hugetlb_empty,
	.overwrite = hugetlb_write,
	.overwrite_zero = hugetlb_zero,
	.fill = hugetlb_write,
	.clear = hugetlb_zero,
	.place = file_place,
	.place_zero = hugetlb_place_zero,
	.release = file_release,
};
