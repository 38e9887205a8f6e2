// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_disks.c - the disks of a domain that comes: shared, or copied.
 *
 * Where a copy goes is what the definition says that the domain will start
 * from. Of the source's words only sizes are taken, and the backing file that
 * libvirt there found, if the definition names none.
 */
#include <json-c/json.h>
#include <libvirt/libvirt.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "tools/guests/qemu_tool.h"

#define CEPH_MAGIC	0x00c36400
#define GFS2_MAGIC	0x01161970
#define GPFS_MAGIC	0x47504653
#define LUSTRE_MAGIC	0x0bd00bd0
#define CAPACITY_MAX	(UINT64_C(1) << 50)
#define SECTOR		512u
#define TOOL_MS		20000
#define INFO_SIZE	65536
#define WITHOUT		"leave --copy-storage-all out"

/* ---- shared or not ------------------------------------------------------ */

static bool is_cluster(uint64_t filesystem)
{
	static const uint64_t shared[] = {
		NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, CEPH_MAGIC,
		GFS2_MAGIC, GPFS_MAGIC, LUSTRE_MAGIC, OCFS2_SUPER_MAGIC,
	};
	size_t i;

	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (shared[i] == filesystem)
			return true;
	return false;
}

static bool same_kernel(const struct guest_incoming *incoming)
{
	__cleanup_file FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[64] = "";

	return file && fgets(text, sizeof(text), file) &&
	       strlen(incoming->boot_id) == 36 &&
	       !strncmp(text, incoming->boot_id, 36);
}

static bool attribute_read(const char *path, char *text, size_t size)
{
	__cleanup_file FILE *file = fopen(path, "re");

	if (!file || !fgets(text, (int)size, file))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	return *text;
}

/**
 * libvirt_disk_identity() - what a block device is, whoever sees it
 * @device: its number
 * @text: receives it, or ""
 * @size: of @text
 */
void libvirt_disk_identity(dev_t device, char *text, size_t size)
{
	static const char *const names[] = { "wwid", "device/wwid", "dm/uuid" };
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s",
			 major(device), minor(device), names[i]);
		if (attribute_read(path, text, size))
			return;
	}
}

/* What lies here under the disk's name, as seen beside what the source has. */
enum sameness { SAME, ANOTHER, UNCLEAR };

static enum sameness device_same(const struct guest_incoming *incoming,
				 const struct guest_disk *disk, dev_t device)
{
	char here[sizeof(disk->identity)] = "";

	libvirt_disk_identity(device, here, sizeof(here));
	if (*here && *disk->identity)
		return strcmp(here, disk->identity) ? ANOTHER : SAME;
	if (same_kernel(incoming))
		return device == disk->device ? SAME : ANOTHER;
	return UNCLEAR;
}

static enum sameness disk_same(const struct guest_incoming *incoming,
			       const struct guest_disk *disk, const char *path)
{
	struct statfs filesystem;
	struct stat status;

	if (sys_ret(stat(path, &status)) || sys_ret(statfs(path, &filesystem)))
		return ANOTHER;
	if (S_ISBLK(status.st_mode))
		return disk->inode ? ANOTHER :
		       device_same(incoming, disk, status.st_rdev);
	if (status.st_ino != disk->inode ||
	    (uint64_t)filesystem.f_type != disk->filesystem)
		return ANOTHER;
	if (is_cluster(disk->filesystem))
		return SAME;
	if (same_kernel(incoming))
		return status.st_dev == disk->device ? SAME : ANOTHER;
	return UNCLEAR;
}

/* A device that a SAN may have: nothing tells, and it is taken for shared. */
static bool is_shared(const struct guest_incoming *incoming,
		      const struct guest_disk *disk, const char *path)
{
	struct stat status;

	if (!sys_ret(stat(path, &status)) && S_ISBLK(status.st_mode))
		return !disk->inode;
	return disk_same(incoming, disk, path) == SAME;
}

/* ---- what the definition says ------------------------------------------- */

/* Names go into paths of XPath. */
static bool target_plain(const char *target)
{
	return *target && strspn(target, "abcdefghijklmnopqrstuvwxyz0123456789") ==
			  strlen(target);
}

static char *disk_get(const struct xml *xml, const char *target,
		      const char *what)
{
	char path[192];

	snprintf(path, sizeof(path), "/domain/devices/disk[target/@dev='%.31s']/%s",
		 target, what);
	return xml_get(xml, path);
}

static bool disk_has(const struct xml *xml, const char *target,
		     const char *what)
{
	__cleanup_free char *text = disk_get(xml, target, what);

	return text;
}

static bool is_qcow2(const struct guest_image *image)
{
	return !strcmp(image->format, "qcow2");
}

/* It is written down as a line, and given to programs. */
static bool path_plain(const char *path)
{
	const unsigned char *at = (const unsigned char *)path;

	while (*at >= 0x20 && *at != 0x7f)
		at++;
	return *path == '/' && !*at;
}

/* Where the domain will look for a disk. */
static int path_of(const struct xml *xml, const struct guest_disk *disk,
		   struct guest_image *image)
{
	__cleanup_free char *path = NULL;

	memset(image, 0, sizeof(*image));
	if (!target_plain(disk->target))
		return -EPROTO;
	path = disk_get(xml, disk->target, "source/@file");
	if (!path)
		path = disk_get(xml, disk->target, "source/@dev");
	if (!path || !path_plain(path) || strlen(path) >= sizeof(image->path))
		return -EPROTO;
	snprintf(image->path, sizeof(image->path), "%s", path);
	return 0;
}

/* And how it will read it. */
static int image_of(const struct xml *xml, const struct guest_disk *disk,
		    struct guest_image *image)
{
	__cleanup_free char *format = NULL, *cache = NULL;
	int ret = path_of(xml, disk, image);

	if (ret)
		return ret;
	format = disk_get(xml, disk->target, "driver/@type");
	cache = disk_get(xml, disk->target, "driver/@cache");
	if (format && strcmp(format, "raw") && strcmp(format, "qcow2"))
		return -EOPNOTSUPP;
	if (disk_has(xml, disk->target, "encryption") ||
	    disk_has(xml, disk->target, "source/encryption") ||
	    disk_has(xml, disk->target, "source/slices"))
		return -EOPNOTSUPP;
	snprintf(image->format, sizeof(image->format), "%s",
		 format ? format : "raw");
	image->direct = cache && (!strcmp(cache, "none") ||
				  !strcmp(cache, "directsync"));
	return 0;
}

/* A definition that names one has the word; else what libvirt found there. */
static void backing_named(const struct xml *xml, struct guest_disk *disk)
{
	__cleanup_free char *path = disk_get(xml, disk->target,
					     "backingStore/source/@file");
	__cleanup_free char *format = disk_get(xml, disk->target,
					       "backingStore/format/@type");

	if (!path || !format || strlen(path) >= sizeof(disk->backing) ||
	    strlen(format) >= sizeof(disk->backing_format))
		return;
	snprintf(disk->backing, sizeof(disk->backing), "%s", path);
	snprintf(disk->backing_format, sizeof(disk->backing_format), "%s",
		 format);
}

static bool is_overlay(const struct guest_incoming *incoming,
		       const struct guest_disk *disk)
{
	return incoming->copy_storage == COPY_STORAGE_INC && *disk->backing;
}

/* ---- the gate ------------------------------------------------------------ */

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

/* One that is there already: is it as large? Devices may be larger. */
static void check_there(const struct guest_incoming *incoming,
			const struct guest_disk *disk,
			const struct guest_image *image,
			const struct stat *status, struct obstacles *all)
{
	bool larger = S_ISBLK(status->st_mode) && !is_qcow2(image);
	uint64_t capacity = 0;
	int ret;

	if (!S_ISREG(status->st_mode) && !S_ISBLK(status->st_mode)) {
		obstacle(all, -EINVAL,
			 "%s, where disk %s goes, is neither a file nor a block device",
			 image->path, disk->target);
		return;
	}
	if (is_overlay(incoming, disk)) {
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
	else if (capacity != disk->capacity &&
		 (!larger || capacity < disk->capacity))
		obstacle(all, -EFBIG,
			 "disk %s has %llu bytes at the source, and %s here %llu: make it anew, or move it away and it will be made",
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
	if (is_overlay(incoming, disk) &&
	    (!path_plain(disk->backing) || sys_ret(access(disk->backing, R_OK))))
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
	int ret = image_of(xml, disk, &image);

	disk->copy = true;
	backing_named(xml, disk);
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
	else if (!incoming->unsafe && !is_shared(incoming, disk, path))
		obstacle(all, -EXDEV,
			 "disk %s (%s) is another file here, or nothing shows that it is the same: share it, copy it (--copy-storage-all), or give --unsafe",
			 disk->target, path);
}

/* What is shared stays; to write a disk onto itself would ruin it. */
static void copy_decide(const struct guest_incoming *incoming,
			const struct xml *xml, struct guest_disk *disk,
			const char *path, struct obstacles *all)
{
	if (disk_has(xml, disk->target, "shareable")) {
		check_shared(incoming, disk, path, all);
		return;
	}
	switch (disk_same(incoming, disk, path)) {
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

	if (path_of(xml, disk, &image))
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

/* ---- made --------------------------------------------------------------- */

/* Whoever QEMU is here, as libvirt starts it. */
static void qemu_user_get(struct qemu_user *as)
{
	__cleanup_free char *text = NULL, *label = NULL;
	virConnectPtr connection;
	struct fail ignored = { 0 };
	struct xml *xml;
	unsigned int user, group;

	*as = (struct qemu_user){ 0, 0 };
	if (libvirt_connect(&connection, &ignored))
		return;
	text = virConnectGetCapabilities(connection);
	virConnectClose(connection);
	if (!text || xml_parse(text, &xml, &ignored))
		return;
	label = xml_get(xml, "/capabilities/host/secmodel[model='dac']/baselabel");
	xml_free(xml);
	if (label && sscanf(label, "+%u:+%u", &user, &group) == 2)
		*as = (struct qemu_user){ user, group };
}

static int image_format(const struct guest_incoming *incoming,
			const struct guest_disk *disk,
			const struct guest_image *image,
			const struct qemu_user *as, struct fail *fail)
{
	const char *argv[16] = { "qemu-img", "create", "-q", "-f", "qcow2" };
	char size[24], text[400];
	unsigned int n = 5;
	int ret;

	if (is_overlay(incoming, disk)) {
		argv[n++] = "-b";
		argv[n++] = disk->backing;
		argv[n++] = "-F";
		argv[n++] = disk->backing_format;
	}
	snprintf(size, sizeof(size), "%llu", (unsigned long long)disk->capacity);
	argv[n++] = image->path;
	argv[n++] = size;
	ret = qemu_tool_run(argv, as, TOOL_MS, text, sizeof(text));
	return ret ? fail_set(fail, ret, "cannot make %s for disk %s: %s",
			      image->path, disk->target,
			      *text ? text : strerror(-ret)) : 0;
}

/* A new file, which nobody can have put something else in the place of. */
static int image_create(const struct guest_incoming *incoming,
			const struct guest_disk *disk,
			struct guest_image *image, struct fail *fail)
{
	__cleanup_fd int fd = sys_ret(open(image->path, O_RDWR | O_CREAT |
					   O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	struct qemu_user as;
	struct stat status;
	int ret = fd < 0 ? fd : sys_ret(fstat(fd, &status));

	if (ret)
		return fail_set(fail, ret, "cannot make %s for disk %s: %s",
				image->path, disk->target, strerror(-ret));
	image->made = true;
	image->device = status.st_dev;
	image->inode = status.st_ino;
	qemu_user_get(&as);
	ret = sys_ret(fchown(fd, as.user, as.group));
	if (!ret && is_qcow2(image))
		return image_format(incoming, disk, image, &as, fail);
	if (!ret)
		ret = sys_ret(ftruncate(fd, (off_t)disk->capacity));
	return ret ? fail_set(fail, ret, "cannot make %s for disk %s: %s",
			      image->path, disk->target, strerror(-ret)) : 0;
}

/**
 * libvirt_disk_make() - where a disk is to go, made if it is not there
 * @incoming: checked
 * @number: of the disk
 * @image: receives it, also if it was made half way
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_disk_make(const struct guest_incoming *incoming,
		      unsigned int number, struct guest_image *image,
		      struct fail *fail)
{
	const struct guest_disk *disk = &incoming->disks[number];
	struct xml *xml;
	int ret = xml_parse(incoming->given ? incoming->given : incoming->live,
			    &xml, fail);

	if (ret)
		return ret;
	ret = image_of(xml, disk, image);
	xml_free(xml);
	if (ret || !sys_ret(access(image->path, F_OK)))
		return ret;
	return image_create(incoming, disk, image, fail);
}

/**
 * libvirt_disk_serve() - have qemu-nbd take in what comes for an image
 * @guest: that comes in, and whose user it will be
 * @image: of one of its disks
 * @export: by which name
 * @listener: for its clients
 * @server: receives it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_disk_serve(struct guest *guest, const struct guest_image *image,
		       const char *export, int listener,
		       struct guest_server *server, struct fail *fail)
{
	const char *const argv[] = {
		"qemu-nbd", "-x", export, "-f", image->format, "--shared=2",
		"--discard=unmap", image->direct ? "--cache=none" :
						   "--cache=writeback",
		image->path, NULL
	};
	struct qemu_user as;
	int ret = guest_process_owner(guest->qemu.pid, &as.user, &as.group);

	if (!ret)
		ret = qemu_tool_serve(argv, &as, listener, server);
	return ret ? fail_set(fail, ret, "cannot start qemu-nbd for %s: %s",
			      image->path, strerror(-ret)) : 0;
}

/**
 * libvirt_disks_flat() - a definition without backing files that stay behind
 * @incoming: of which some disks are copied
 * @text: a definition, replaced where that changes it
 *
 * libvirt looks into an image by itself where nothing is said of it.
 *
 * Return: 0 or -errno.
 */
int libvirt_disks_flat(const struct guest_incoming *incoming, char **text)
{
	struct fail ignored = { 0 };
	struct xml *xml;
	unsigned int i;
	char path[128], *flat;
	int ret;

	if (incoming->copy_storage == COPY_STORAGE_NONE)
		return 0;
	ret = xml_parse(*text, &xml, &ignored);
	for (i = 0; i < incoming->disk_count && !ret; i++) {
		const struct guest_disk *disk = &incoming->disks[i];

		if (!disk->copy || is_overlay(incoming, disk))
			continue;
		snprintf(path, sizeof(path), "/domain/devices/disk"
			 "[target/@dev='%.31s']/backingStore", disk->target);
		xml_remove(xml, path);
	}
	if (ret)
		return ret;
	flat = xml_text(xml);
	xml_free(xml);
	if (!flat)
		return -ENOMEM;
	free(*text);
	*text = flat;
	return 0;
}

const struct guest_storage_ops libvirt_storage_ops = {
	.copy_start = libvirt_copy_start,
	.copy_look = libvirt_copy_look,
	.copy_limit = libvirt_copy_limit,
	.copy_end = libvirt_copy_end,
	.make = libvirt_disk_make,
	.serve = libvirt_disk_serve,
};
