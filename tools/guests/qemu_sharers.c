// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_sharers.c - who else has to do with a QEMU's memory.
 *
 * What another process writes into it (vhost-user, virtiofsd) no look at
 * QEMU's page tables shows; and a page belongs to one userfaultfd only.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/maps.h"
#include "tools/guests/qemu.h"

#define MEMORY_MIN	(2u << 20)

static bool is_memory(const struct mapping *mapping)
{
	return mapping->shared && mapping->inode && mapping->writable &&
	       mapping->end - mapping->start >= MEMORY_MIN;
}

/*
 * Does it write a file that QEMU has as memory? Who writes to a private mapping of
 * a file adds a page to it, which a private QEMU's memory shows.
 */
static bool mapping_shares(const struct mapping *memory, const struct mapping *other)
{
	return other->inode == memory->inode && other->device == memory->device &&
	       other->writable && (other->shared || !memory->shared);
}

static bool process_shares(const struct maps *memory, pid_t pid)
{
	struct maps maps;
	bool shares = false;
	size_t i, j;

	if (maps_read(pid, &maps))
		return false;	/* a kernel thread, or gone */
	for (i = 0; i < maps.count && !shares; i++)
		for (j = 0; j < memory->count && !shares; j++)
			shares = mapping_shares(&memory->table[j], &maps.table[i]);
	maps_fini(&maps);
	return shares;
}

static void memory_only(struct maps *maps)
{
	size_t i, count = 0;

	for (i = 0; i < maps->count; i++)
		if (is_memory(&maps->table[i]))
			maps->table[count++] = maps->table[i];
	maps->count = count;
}

static void sharer_note(const struct qemu *qemu, pid_t pid,
			struct obstacles *all)
{
	__cleanup_file FILE *file = NULL;
	char path[64], name[32] = "?";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	obstacle(all, -EBUSY,
		 "process %d (%s) writes the memory of its QEMU %d: end it, or use virsh migrate",
		 (int)pid, name, (int)qemu->pid);
}

/* The next process that shares, or 0. */
static pid_t sharer_next(const struct qemu *qemu, const struct maps *memory, DIR *dir)
{
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != qemu->pid && process_shares(memory, pid))
			return pid;
	}
	return 0;
}

/**
 * qemu_check_sharers() - processes that map the guest's memory, too
 * @qemu: watched
 * @all: receives an obstacle for each
 */
void qemu_check_sharers(const struct qemu *qemu, struct obstacles *all)
{
	struct maps memory;
	pid_t pid;
	DIR *dir;

	if (maps_read(qemu->pid, &memory))
		return;
	memory_only(&memory);
	dir = memory.count ? opendir("/proc") : NULL;
	while ((pid = sharer_next(qemu, &memory, dir)))
		sharer_note(qemu, pid, all);
	if (dir)
		closedir(dir);
	maps_fini(&memory);
}

/* A private mapping loses what its file had, too: so this counts as one. */
static pid_t region_sharer(const struct qemu *qemu, const struct maps *maps,
			   const struct guest_region *region)
{
	const struct mapping *mapping = maps_at(maps, region->address);
	struct mapping own = mapping ? *mapping : (struct mapping){ .inode = 0 };
	const struct maps memory = { .table = &own, .count = 1 };
	DIR *dir = own.inode ? opendir("/proc") : NULL;
	pid_t pid;

	own.shared = false;
	pid = sharer_next(qemu, &memory, dir);

	if (dir)
		closedir(dir);
	return pid;
}

/**
 * qemu_check_own() - has anybody else the memory of a guest that is to come in?
 * @qemu: watched
 * @description: with its regions
 * @fail: says who, the source's QEMU itself perhaps
 *
 * All of it will be emptied, and to the other one it would be lost.
 *
 * Return: 0, -EBUSY or -errno.
 */
int qemu_check_own(const struct qemu *qemu, const struct guest_description *description,
		   struct fail *fail)
{
	struct maps maps;
	unsigned int i;
	int ret = maps_read(qemu->pid, &maps);

	if (ret)
		return fail_set(fail, ret,
				"cannot read what process %d of guest '%s' has mapped: %s",
				(int)qemu->pid, qemu->name, strerror(-ret));
	for (i = 0; i < description->region_count && !ret; i++) {
		pid_t pid = region_sharer(qemu, &maps, &description->regions[i]);

		if (pid)
			ret = fail_set(fail, -EBUSY,
				       "RAM block %s of guest '%s' is a file that process %d has mapped, too: give each QEMU a file of its own",
				       description->regions[i].name, qemu->name,
				       (int)pid);
	}
	maps_fini(&maps);
	return ret;
}

/**
 * qemu_check_userfaultfd() - is there one already?
 * @qemu: watched
 * @all: receives an obstacle
 */
void qemu_check_userfaultfd(const struct qemu *qemu, struct obstacles *all)
{
	char path[64], link[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)qemu->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t size = sys_ret(readlinkat(dirfd(dir), entry->d_name,
						  link, sizeof(link) - 1));

		link[size > 0 ? size : 0] = '\0';
		if (!strcmp(link, "anon_inode:[userfaultfd]")) {
			obstacle(all, -EBUSY,
				 "its QEMU %d has a userfaultfd already (another migration, or a snapshot in the background): wait until that is over",
				 (int)qemu->pid);
			break;
		}
	}
	if (dir)
		closedir(dir);
}
