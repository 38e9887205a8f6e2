// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_shared.c - is a disk here the very one that the source has? */
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_disks.h"

#define CEPH_MAGIC	0x00c36400
#define GFS2_MAGIC	0x01161970
#define GPFS_MAGIC	0x47504653
#define LUSTRE_MAGIC	0x0bd00bd0

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

/**
 * libvirt_disk_same() - is what lies here the very disk of the source?
 * @incoming: the guest that comes
 * @disk: as the source sees it
 * @path: what lies here under its name
 *
 * Return: SAME, ANOTHER, or UNCLEAR: nothing shows it.
 */
enum sameness libvirt_disk_same(const struct guest_incoming *incoming,
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

/**
 * libvirt_disk_is_shared() - may a guest start from it without a copy?
 * @incoming: the guest that comes
 * @disk: as the source sees it
 * @path: what lies here under its name
 *
 * A device that a SAN may have is taken for shared where nothing tells.
 *
 * Return: true if it is the same one, as far as can be said.
 */
bool libvirt_disk_is_shared(const struct guest_incoming *incoming,
		      const struct guest_disk *disk, const char *path)
{
	struct stat status;

	if (!sys_ret(stat(path, &status)) && S_ISBLK(status.st_mode))
		return !disk->inode;
	return libvirt_disk_same(incoming, disk, path) == SAME;
}
