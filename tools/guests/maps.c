// SPDX-License-Identifier: LGPL-2.1-or-later
/* maps.c - read /proc/PID/maps, and open what is mapped. */
#include "tools/guests/maps.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sys.h"

#define MAPS_MAX	(1u << 20)	/* more than sysctl vm.max_map_count */

static int maps_add(struct maps *maps, const struct mapping *mapping)
{
	if (!(maps->count & (maps->count + 1)) || !maps->table) {
		size_t room = 2 * (maps->count + 1);
		struct mapping *grown = realloc(maps->table,
						room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		maps->table = grown;
	}
	if (maps->count == MAPS_MAX)
		return -E2BIG;
	maps->table[maps->count++] = *mapping;
	return 0;
}

/*
 * Huge pages that were registered with a userfaultfd in pieces stay in pieces
 * (the kernel merges no such mappings), and are one mapping all the same.
 */
static bool continues(const struct mapping *before, const struct mapping *mapping)
{
	return mapping->inode && mapping->inode == before->inode &&
	       mapping->device == before->device &&
	       mapping->start == before->end &&
	       mapping->offset == before->offset + (before->end - before->start) &&
	       mapping->readable == before->readable &&
	       mapping->writable == before->writable &&
	       mapping->shared == before->shared;
}

static int line_take(struct maps *maps, const char *line)
{
	struct mapping mapping = { 0 };
	unsigned int major, minor;
	char rights[5] = "";

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64
		   " %x:%x %" SCNu64, &mapping.start, &mapping.end, rights,
		   &mapping.offset, &major, &minor, &mapping.inode) != 7 ||
	    strlen(rights) != 4)
		return -EPROTO;
	mapping.device = makedev(major, minor);
	mapping.readable = rights[0] == 'r';
	mapping.writable = rights[1] == 'w';
	mapping.shared = rights[3] == 's';
	mapping.first_end = mapping.end;
	if (maps->count && continues(&maps->table[maps->count - 1], &mapping)) {
		maps->table[maps->count - 1].end = mapping.end;
		return 0;
	}
	return maps_add(maps, &mapping);
}

/*
 * A file's name may be as long as its owner likes: the rest of such a line is
 * no line, and what it looks like is no mapping.
 */
static bool line_next(FILE *file, char *line, int size)
{
	int c;

	if (!fgets(line, size, file))
		return false;
	if (!strchr(line, '\n'))
		do
			c = getc(file);
		while (c != EOF && c != '\n');
	return true;
}

/**
 * maps_parse() - list the mappings that a file names
 * @file: as /proc/PID/maps
 * @maps: receives them; maps_fini() frees it. Unchanged on error
 *
 * Pieces of one mapping of a file that lie side by side are one.
 *
 * Return: 0, -ESRCH (there is none), -EPROTO, -E2BIG or -ENOMEM.
 */
int maps_parse(FILE *file, struct maps *maps)
{
	struct maps got = { .count = 0 };
	char line[8192];
	int ret = 0;

	while (!ret && line_next(file, line, sizeof(line)))
		ret = line_take(&got, line);
	if (!ret && !got.count)
		ret = -ESRCH;
	if (ret) {
		maps_fini(&got);
		return ret;
	}
	*maps = got;
	return 0;
}

/**
 * maps_read() - list the mappings of a process
 * @pid: of the process
 * @maps: receives them; maps_fini() frees it. Unchanged on error
 *
 * Return: as maps_parse(); -ESRCH: no such process, or one that is ending.
 */
int maps_read(pid_t pid, struct maps *maps)
{
	__cleanup_file FILE *file = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	return file ? maps_parse(file, maps) : -ESRCH;
}

/**
 * maps_fini() - free a list of mappings
 * @maps: read, or all zero; all zero afterwards
 */
void maps_fini(struct maps *maps)
{
	free(maps->table);
	*maps = (struct maps){ .count = 0 };
}

/**
 * maps_at() - the mapping that an address lies in
 * @maps: of the process
 * @address: in it
 *
 * Return: the mapping, or NULL: nothing is mapped there.
 */
const struct mapping *maps_at(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->table[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == maps->count || maps->table[low].start > address)
		return NULL;
	return &maps->table[low];
}

/**
 * mapping_open() - open the file that a process has mapped
 * @pid: of the process
 * @mapping: of its, of a file
 *
 * The file may have no name any more: a memfd, say. Takes CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)).
 *
 * Return: a descriptor for reading and writing (or, where writing is refused,
 * for reading), or -errno.
 */
int mapping_open(pid_t pid, const struct mapping *mapping)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
		 (int)pid, mapping->start, mapping->first_end);
	fd = sys_ret(open(path, O_RDWR | O_CLOEXEC));
	if (fd == -EACCES || fd == -EROFS || fd == -EPERM)
		fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	return fd;
}

/**
 * mapping_page_size() - in which units a mapping can be moved
 * @pid: of the process
 * @mapping: of its
 * @page_size: receives 4096, or the size of its huge pages (hugetlb: those
 *	that the kernel gathers by itself do not count)
 *
 * Return: 0; -EINVAL: a file, mapped shared or privately, of a filesystem whose
 * pages no userfaultfd can serve; or -errno.
 */
int mapping_page_size(pid_t pid, const struct mapping *mapping,
		      uint32_t *page_size)
{
	__cleanup_fd int fd = -1;
	struct statfs status;
	int ret;

	*page_size = 4096;
	if (!mapping->inode)
		return 0;
	fd = mapping_open(pid, mapping);
	if (fd < 0)
		return fd;
	ret = sys_ret(fstatfs(fd, &status));
	if (ret)
		return ret;
	if (status.f_type == HUGETLBFS_MAGIC)
		*page_size = (uint32_t)status.f_bsize;
	else if (status.f_type != TMPFS_MAGIC)
		return -EINVAL;
	return 0;
}

static int region_open(const struct maps *maps, pid_t pid,
		       struct guest_region *region)
{
	const struct mapping *mapping = maps_at(maps, region->address);

	if (!mapping || mapping->shared != region->shared ||
	    region->size > mapping->end - region->address ||
	    mapping->offset + (region->address - mapping->start) !=
	    region->offset)
		return -ESTALE;
	region->fd = mapping_open(pid, mapping);
	return region->fd < 0 ? region->fd : 0;
}

/**
 * maps_open_regions() - open the files of a guest's regions
 * @description: with pid and regions; each that has a file receives it
 * @fail: says which cannot be opened
 *
 * The guest is not asked, so it may be stopped, or wait for its memory.
 *
 * Return: 0; -ESTALE: its memory does not lie where it lay; or -errno.
 */
int maps_open_regions(struct guest_description *description, struct fail *fail)
{
	struct maps maps = { .count = 0 };
	unsigned int i;
	int ret = maps_read(description->pid, &maps);

	for (i = 0; i < description->region_count && !ret; i++) {
		struct guest_region *region = &description->regions[i];

		if (guest_region_has_file(region))
			ret = region_open(&maps, description->pid, region);
		if (ret)
			fail_set(fail, ret,
				 "cannot open region '%s' of guest '%s' in process %d: %s",
				 region->name, description->name,
				 (int)description->pid, strerror(-ret));
	}
	maps_fini(&maps);
	return ret;
}
