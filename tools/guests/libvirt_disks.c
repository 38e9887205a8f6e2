// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_disks.c - the gate: each disk is here, or it can be copied here. */
#include <json-c/json.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_disks.h"
#include "tools/guests/qemu_tool.h"

#define CAPACITY_MAX	(UINT64_C(1) << 50)
#define SECTOR		512u
#define TOOL_MS		20000
#define INFO_SIZE	65536
#define WITHOUT		"leave --copy-storage-all out"

static uint64_t info_capacity(const char *text)
{
	struct json_object *info = json_tokener_parse(text), *size;
	uint64_t capacity = 0;

	if (json_object_object_get_ex(info, "virtual-size", &size))
		capacity = (uint64_t)json_object_get_int64(size);
	json_object_put(info);
	return capacity;
}

static int image_capacity(const struct guest_image *image, uint64_t *capacity)
{
	const char *const argv[] = {
		"qemu-img", "info", "-U", "-f", image->format, "--output=json",
		image->path, NULL
	};
	const struct qemu_user root = { 0, 0 };
	__cleanup_free char *text = malloc(INFO_SIZE);
	int ret = text ? qemu_tool_run(argv, &root, TOOL_MS, text, INFO_SIZE)
		       : -ENOMEM;

	if (!ret)
		*capacity = info_capacity(text);
	return ret;
}

/*
 * One that is there already: is it as large? A larger device would not do:
 * the guest would see another disk, and QEMU does not mirror to one.
 */
static void check_there(const struct guest_incoming *incoming,
			const struct guest_disk *disk,
			const struct guest_image *image,
			const struct stat *status, struct obstacles *all)
{
	uint64_t capacity = 0;
	int ret;

	if (!S_ISREG(status->st_mode) && !S_ISBLK(status->st_mode)) {
		obstacle(all, -EINVAL,
			 "%s, where disk %s goes, is neither a file nor a block device",
			 image->path, disk->target);
		return;
	}
	if (libvirt_disk_is_overlay(incoming, disk)) {
		obstacle(all, -EEXIST,
			 "disk %s (%s) is there already, and may hold what the source's does not: move it away, --copy-storage-inc makes it anew",
			 disk->target, image->path);
		return;
	}
	ret = image_capacity(image, &capacity);
	if (ret)
		obstacle(all, ret,
			 "%s, where disk %s goes, is no image of format %s (qemu-img info)",
			 image->path, disk->target, image->format);
	else if (capacity != disk->capacity)
		obstacle(all, -EFBIG,
			 "disk %s has %llu bytes at the source, and %s here %llu: make it anew and as large, or, if it is a file, move it away and it will be made",
			 disk->target, (unsigned long long)disk->capacity,
			 image->path, (unsigned long long)capacity);
}

static void check_room(const struct guest_disk *disk, const char *directory,
		       struct obstacles *all)
{
	struct statvfs filesystem;
	uint64_t room;

	if (sys_ret(statvfs(directory, &filesystem)))
		return;
	room = (uint64_t)filesystem.f_bavail * filesystem.f_frsize;
	if (room < disk->allocation)
		obstacle(all, -ENOSPC,
			 "disk %s takes %llu MiB, and %s has room for %llu MiB: make room there",
			 disk->target, (unsigned long long)(disk->allocation >> 20),
			 directory, (unsigned long long)(room >> 20));
}

/* One that will be made: what for, and is there room? */
static void check_new(const struct guest_incoming *incoming,
		      const struct guest_disk *disk,
		      const struct guest_image *image, struct obstacles *all)
{
	char directory[sizeof(image->path)];

	snprintf(directory, sizeof(directory), "%s", image->path);
	*strrchr(directory, '/') = '\0';
	if (!strncmp(directory, "/dev", 4) &&
	    (!directory[4] || directory[4] == '/'))
		obstacle(all, -ENOENT,
			 "there is no device %s, where disk %s goes: make it first",
			 image->path, disk->target);
	else if (sys_ret(access(directory, F_OK)))
		obstacle(all, -ENOENT,
			 "there is no directory %s, where disk %s goes: make it",
			 directory, disk->target);
	else
		check_room(disk, directory, all);
	if (libvirt_disk_is_overlay(incoming, disk) &&
	    (!libvirt_path_is_plain(disk->backing) || sys_ret(access(disk->backing, R_OK))))
		obstacle(all, -ENOENT,
			 "there is no %s, which disk %s has for its backing file: bring it here, or take --copy-storage-all",
			 disk->backing, disk->target);
}

static void check_tools(struct obstacles *all)
{
	static const char *const names[] = { "qemu-img", "qemu-nbd" };
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (qemu_tool_find(names[i], path, sizeof(path)))
			obstacle(all, -ENOENT,
				 "there is no %s, which copies of disks take: install qemu-utils",
				 names[i]);
}

static void check_copy(const struct guest_incoming *incoming,
		       const struct xml *xml, struct guest_disk *disk,
		       struct obstacles *all)
{
	struct guest_image image;
	struct stat status;
	int ret = libvirt_image_of(xml, disk, &image);

	disk->copy = true;
	libvirt_backing_named(xml, disk);
	if (ret == -EOPNOTSUPP)
		obstacle(all, ret,
			 "disk %s is encrypted, a slice, or neither raw nor qcow2: share it, or copy it by hand",
			 disk->target);
	else if (!disk->capacity || disk->capacity > CAPACITY_MAX ||
		 disk->capacity % SECTOR)
		obstacle(all, -EINVAL, "the source does not know how large disk %s is",
			 disk->target);
	else if (sys_ret(stat(image.path, &status)))
		check_new(incoming, disk, &image, all);
	else
		check_there(incoming, disk, &image, &status, all);
}

static void check_shared(const struct guest_incoming *incoming,
			 const struct guest_disk *disk, const char *path,
			 struct obstacles *all)
{
	if (sys_ret(access(path, F_OK)))
		obstacle(all, -ENOENT,
			 "disk %s (%s) is not there: share it between the hosts, or copy it (--copy-storage-all)",
			 disk->target, path);
	else if (!incoming->unsafe && !libvirt_disk_is_shared(incoming, disk, path))
		obstacle(all, -EXDEV,
			 "disk %s (%s) is another file here, or nothing shows that it is the same: share it, copy it (--copy-storage-all), or give --unsafe",
			 disk->target, path);
}

/* What is shared stays; to write a disk onto itself would ruin it. */
static void copy_decide(const struct guest_incoming *incoming,
			const struct xml *xml, struct guest_disk *disk,
			const char *path, struct obstacles *all)
{
	if (libvirt_disk_has(xml, disk->target, "shareable")) {
		check_shared(incoming, disk, path, all);
		return;
	}
	switch (libvirt_disk_same(incoming, disk, path)) {
	case SAME:
		return;
	case ANOTHER:
		check_copy(incoming, xml, disk, all);
		return;
	default:
		disk->copy = true;
		obstacle(all, -EXDEV,
			 "nothing shows that %s here is not the very disk %s of the source: if it is, "
			 WITHOUT "; if not, move it away",
			 path, disk->target);
	}
}

static void check_disk(const struct guest_incoming *incoming,
		       const struct xml *xml, struct guest_disk *disk,
		       struct obstacles *all)
{
	struct guest_image image;

	if (libvirt_image_path(xml, disk, &image))
		obstacle(all, -EPROTO,
			 "disk %s of the source is none of the definition: the definitions have to have the same disks",
			 disk->target);
	else if (incoming->copy_storage == COPY_STORAGE_NONE)
		check_shared(incoming, disk, image.path, all);
	else
		copy_decide(incoming, xml, disk, image.path, all);
}

/**
 * libvirt_check_disks() - is each disk here, or can it be copied here?
 * @incoming: its disks receive whether they have to be copied
 * @xml: the definition that it will start from
 * @all: receives the obstacles
 */
void libvirt_check_disks(const struct guest_incoming *incoming,
			 const struct xml *xml, struct obstacles *all)
{
	unsigned int i, copied = 0;

	for (i = 0; i < incoming->disk_count; i++) {
		check_disk(incoming, xml, &incoming->disks[i], all);
		copied += incoming->disks[i].copy;
	}
	if (incoming->copy_storage == COPY_STORAGE_NONE)
		return;
	if (copied)
		check_tools(all);
	else
		obstacle(all, -EEXIST,
			 "it has no disk to be copied, or each is shared already: "
			 WITHOUT);
}
