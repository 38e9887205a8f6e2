// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_images.c - where the disks of a domain that comes go.
 *
 * Where a copy goes is what the definition says that the domain will start
 * from. Of the source's words only sizes are taken, and the backing file that
 * libvirt there found, if the definition names none.
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_disks.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/qemu_tool.h"

#define TOOL_MS		20000

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

/**
 * libvirt_disk_has() - does the definition say something of a disk?
 * @xml: of the domain
 * @target: the guest's name for the disk, a plain one
 * @what: a path below the disk
 *
 * Return: true if it does.
 */
bool libvirt_disk_has(const struct xml *xml, const char *target,
		     const char *what)
{
	__cleanup_free char *text = disk_get(xml, target, what);

	return text;
}

/**
 * libvirt_image_is_qcow2() - is it no raw one?
 * @image: of libvirt_image_of()
 *
 * Return: true if it is qcow2.
 */
bool libvirt_image_is_qcow2(const struct guest_image *image)
{
	return !strcmp(image->format, "qcow2");
}

/**
 * libvirt_path_is_plain() - can it be written down as a line, given to programs?
 * @path: that a peer names
 *
 * Return: true for one from the root without control characters.
 */
bool libvirt_path_is_plain(const char *path)
{
	const unsigned char *at = (const unsigned char *)path;

	while (*at >= 0x20 && *at != 0x7f)
		at++;
	return *path == '/' && !*at;
}

/**
 * libvirt_image_path() - where the domain will look for a disk
 * @xml: its definition
 * @disk: of the source
 * @image: receives the path
 *
 * Return: 0, or -EPROTO: the definition has no such disk.
 */
int libvirt_image_path(const struct xml *xml, const struct guest_disk *disk,
		   struct guest_image *image)
{
	__cleanup_free char *path = NULL;

	memset(image, 0, sizeof(*image));
	if (!target_plain(disk->target))
		return -EPROTO;
	path = disk_get(xml, disk->target, "source/@file");
	if (!path)
		path = disk_get(xml, disk->target, "source/@dev");
	if (!path || !libvirt_path_is_plain(path) || strlen(path) >= sizeof(image->path))
		return -EPROTO;
	snprintf(image->path, sizeof(image->path), "%s", path);
	return 0;
}

/**
 * libvirt_image_of() - where it will look for a disk, and how it will read it
 * @xml: the domain's definition
 * @disk: of the source
 * @image: receives path, format and cache
 *
 * Return: 0; -EPROTO: there is no such disk; -EOPNOTSUPP: it is encrypted, a
 * slice, or of another format than raw and qcow2.
 */
int libvirt_image_of(const struct xml *xml, const struct guest_disk *disk,
		    struct guest_image *image)
{
	__cleanup_free char *format = NULL, *cache = NULL;
	int ret = libvirt_image_path(xml, disk, image);

	if (ret)
		return ret;
	format = disk_get(xml, disk->target, "driver/@type");
	cache = disk_get(xml, disk->target, "driver/@cache");
	if (format && strcmp(format, "raw") && strcmp(format, "qcow2"))
		return -EOPNOTSUPP;
	if (libvirt_disk_has(xml, disk->target, "encryption") ||
	    libvirt_disk_has(xml, disk->target, "source/encryption") ||
	    libvirt_disk_has(xml, disk->target, "source/slices"))
		return -EOPNOTSUPP;
	snprintf(image->format, sizeof(image->format), "%s",
		 format ? format : "raw");
	image->direct = cache && (!strcmp(cache, "none") ||
				  !strcmp(cache, "directsync"));
	return 0;
}

/**
 * libvirt_backing_named() - the backing file that the definition names
 * @xml: of the domain
 * @disk: receives it; without one it keeps what libvirt of the source found
 */
void libvirt_backing_named(const struct xml *xml, struct guest_disk *disk)
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

/**
 * libvirt_disk_is_overlay() - is only what is above its backing file copied?
 * @incoming: the guest that comes
 * @disk: of it
 *
 * Return: true if it is.
 */
bool libvirt_disk_is_overlay(const struct guest_incoming *incoming,
		       const struct guest_disk *disk)
{
	return incoming->copy_storage == COPY_STORAGE_INC && *disk->backing;
}

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

	if (libvirt_disk_is_overlay(incoming, disk)) {
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
	if (!ret && libvirt_image_is_qcow2(image))
		return image_format(incoming, disk, image, &as, fail);
	if (!ret)
		ret = sys_ret(ftruncate(fd, (off_t)disk->capacity));
	return ret ? fail_set(fail, ret, "cannot make %s for disk %s: %s",
			      image->path, disk->target, strerror(-ret)) : 0;
}

/* Where a disk is to go, made if it is not there; also told if half made. */
static int disk_make(const struct guest_incoming *incoming,
		     unsigned int number, struct guest_image *image,
		     struct fail *fail)
{
	const struct guest_disk *disk = &incoming->disks[number];
	struct xml *xml;
	int ret = xml_parse(incoming->given ? incoming->given : incoming->live,
			    &xml, fail);

	if (ret)
		return ret;
	ret = libvirt_image_of(xml, disk, image);
	xml_free(xml);
	if (ret || !sys_ret(access(image->path, F_OK)))
		return ret;
	return image_create(incoming, disk, image, fail);
}

/* As the user that the guest will have. */
static int disk_serve(struct guest *guest, const struct guest_image *image,
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

		if (!disk->copy || libvirt_disk_is_overlay(incoming, disk))
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
	.make = disk_make,
	.serve = disk_serve,
};
