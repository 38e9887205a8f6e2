// SPDX-License-Identifier: LGPL-2.1-or-later
/* states.c - all that a dest knows of its pages, in one file on tmpfs. */
#include "copy/states.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

#define STATES_MAGIC	0x7365746174537473ull	/* changes with the layout */

static int file_open(const char *path, int flags)
{
	return sys_ret(open(path, flags, 0600));
}

static int file_rename(const char *from, const char *to)
{
	return sys_ret(rename(from, to));
}

static void file_remove(const char *path)
{
	(void)sys_ret(unlink(path));
}

static const struct states_files own_files = {
	file_open, file_rename, file_remove,
};

/* Set before there are threads. */
static const struct states_files *files = &own_files;

struct states_header {
	uint64_t magic;
	uint64_t regions;
	struct {
		uint64_t pages, page_shift;
	} region[REGIONS_MAX];
	uint64_t poisons;	/* an intent; what is before it never changes */
};

#define HEADER_CONSTANT	offsetof(struct states_header, poisons)

static struct states_header header_of(const struct region_map *map)
{
	struct states_header header = { .magic = STATES_MAGIC,
					.regions = map->count };
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		header.region[i].pages = map->regions[i].pages;
		header.region[i].page_shift = map->regions[i].page_shift;
	}
	return header;
}

static uint64_t size_of(const struct region_map *map)
{
	uint64_t words = 0;
	unsigned int i;

	for (i = 0; i < map->count; i++)
		words += pages_words(map->regions[i].pages);
	return sizeof(struct states_header) +
	       LEDGERS_MAX * sizeof(struct ledger) + words * sizeof(uint64_t);
}

static int states_map(struct states *states, int fd,
		      const struct region_map *map)
{
	uint64_t *next;
	unsigned int i;
	int ret;

	states->size = size_of(map);
	ret = sys_mmap(&states->file, states->size, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	if (ret < 0)
		return ret;
	states->ledgers = (struct ledger *)((char *)states->file +
					    sizeof(struct states_header));
	next = (uint64_t *)(states->ledgers + LEDGERS_MAX);
	for (i = 0; i < map->count; i++) {
		states->pages[i].words = next;
		states->pages[i].count = map->regions[i].pages;
		next += pages_words(map->regions[i].pages);
	}
	return 0;
}

/**
 * states_files_by() - have somebody else open files
 * @by: from now on; before there are threads
 */
void states_files_by(const struct states_files *by)
{
	files = by;
}

/**
 * states_file() - open a file that lies beside those of states
 * @path: of it
 * @flags: of open(2)
 *
 * Return: a descriptor or -errno.
 */
int states_file(const char *path, int flags)
{
	return files->open(path, flags);
}

/**
 * states_rename() - put such a file in the place of another
 * @from: its path
 * @to: the other's
 *
 * Return: 0 or -errno.
 */
int states_rename(const char *from, const char *to)
{
	return files->rename(from, to);
}

/**
 * states_unlink() - remove a file of states
 * @path: of it
 */
void states_unlink(const char *path)
{
	files->remove(path);
}

/**
 * states_create() - make the file: every page is missing
 * @states: receives it; states_close() lets go of it
 * @path: on tmpfs; must not exist. The file is the caller's
 * @map: the regions
 *
 * Return: 0 or -errno; then there is no file.
 */
int states_create(struct states *states, const char *path,
		  const struct region_map *map)
{
	__cleanup_fd int fd = -1;
	int ret;

	fd = files->open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return fd;
	/* All of it now: a full tmpfs later would be a SIGBUS. */
	ret = sys_retry(fallocate(fd, 0, 0, (off_t)size_of(map)));
	if (!ret)
		ret = states_map(states, fd, map);
	if (ret < 0) {
		files->remove(path);
		return ret;
	}
	*(struct states_header *)states->file = header_of(map);
	return 0;
}

/* The part of a range that lies in a region, in pages. Return: how many. */
static uint64_t range_in(const struct region *region, struct range range,
			 uint64_t *first)
{
	uint64_t low = region->address, end;
	uint64_t high = low + (region->pages << region->page_shift);

	if (__builtin_add_overflow(range.start, range.len, &end) ||
	    range.start >= high || end <= low)
		return 0;
	if (range.start > low)
		low = range.start;
	if (end < high)
		high = end;
	range_pages(region, (struct range){ low, high - low }, first, &end);
	return end - *first;
}

/**
 * states_discard() - the guest's process has freed memory
 * @states: nobody fills or counts private pages of it at the moment
 * @map: its regions
 * @range: addresses there. Twice is once
 *
 * What never came to private memory is not to come any more. Shared memory may
 * have kept its content: what is missing is fetched. What was kept from the
 * rounds cannot be counted here any more, and counts by the source's word.
 *
 * Return: what changed.
 */
struct removal states_discard(struct states *states,
			     const struct region_map *map, struct range range)
{
	struct removal all = { 0 };
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		const struct region *region = &map->regions[i];
		struct pages *pages = &states->pages[i];
		uint64_t first, n, count = range_in(region, range, &first);

		if (!count)
			continue;
		n = pages_discard(pages, first, count, PAGE_PRESENT);
		all.kept += n;
		all.discarded += n;
		if (!region->shared) {
			n = pages_discard(pages, first, count, PAGE_MISSING);
			all.missing += small_pages(region, n);
			all.discarded += n;
		}
		if (pages_next(pages, first, first + count, PAGE_WAITING,
			       PAGE_WAITING, true) < first + count)
			all.waited = true;
	}
	return all;
}

/*
 * What was begun is ended, what was only claimed is missing, and what the
 * guest freed is so: it went on when that was read.
 */
static int states_recover(struct states *states, const struct region_map *map)
{
	struct range removed[UFFD_INBOX];
	unsigned int i;
	int n, ret = 0;

	for (i = 0; i < LEDGERS_MAX && !ret; i++)
		ret = ledger_redo(&states->ledgers[i], map, states->pages);
	for (i = 0; i < map->count && !ret; i++)
		pages_unclaim(&states->pages[i], 0, states->pages[i].count);
	for (i = 0; i < LEDGERS_MAX && !ret; i++) {
		struct uffd_inbox *inbox = &states->ledgers[i].inbox;

		for (n = uffd_inbox_removed(inbox, removed); n > 0; n--)
			states_discard(states, map, removed[n - 1]);
		uffd_inbox_clear(inbox);
	}
	return ret;
}

/**
 * states_open() - take over the file of a predecessor
 * @states: receives it; states_close() lets go of it
 * @path: of the file; nobody else uses it any more
 * @map: the regions
 *
 * Return: 0; -EUCLEAN: it is of other regions, or damaged; or -errno.
 */
int states_open(struct states *states, const char *path,
		const struct region_map *map)
{
	struct states_header header = header_of(map);
	__cleanup_fd int fd = -1;
	struct stat status;
	int ret;

	fd = files->open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = sys_ret(fstat(fd, &status));
	if (!ret && (uint64_t)status.st_size != size_of(map))
		ret = -EUCLEAN;
	if (!ret)
		ret = states_map(states, fd, map);
	if (ret < 0)
		return ret;
	if (memcmp(states->file, &header, HEADER_CONSTANT))
		ret = -EUCLEAN;
	if (!ret)
		ret = states_recover(states, map);
	if (ret < 0)
		states_close(states);
	return ret;
}

/**
 * states_close() - let go of the file, which stays
 * @states: created or opened
 */
void states_close(struct states *states)
{
	munmap(states->file, states->size);
	states->file = NULL;
}

/**
 * states_poisoning() - write down that what is missing is given up
 * @states: whoever opens the file later has to go on with it
 * @poisons: false: nothing was, after all
 */
void states_poisoning(struct states *states, bool poisons)
{
	struct states_header *header = states->file;

	__atomic_store_n(&header->poisons, poisons, __ATOMIC_SEQ_CST);
}

/**
 * states_poisoned() - was it begun to give up what is missing?
 * @states: created or opened
 *
 * Return: true if it was: such pages may look as if they were there.
 */
bool states_poisoned(const struct states *states)
{
	const struct states_header *header = states->file;

	return header->poisons;
}

/**
 * states_proof() - what the pages of a region add up to
 * @states: nobody writes its ledgers at the moment, or none of this region
 * @region: its number
 *
 * Return: how many there are for good, and the sum of their digests.
 */
struct proof states_proof(const struct states *states, unsigned int region)
{
	struct proof proof = { 0 };
	unsigned int i;

	for (i = 0; i < LEDGERS_MAX; i++) {
		const struct proof *part = &states->ledgers[i].proofs[region];

		proof.pages += part->pages;
		digest_add(&proof.sum, part->sum);
	}
	return proof;
}
