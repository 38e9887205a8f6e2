// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_copy.c - have QEMU copy disks elsewhere: libvirt's block copy. */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"

#define XML_SIZE	512

/* A target that libvirt need not make, and that it forgets with the job. */
static unsigned int copy_flags(const struct guest_copying *what)
{
	unsigned int flags = VIR_DOMAIN_BLOCK_COPY_REUSE_EXT |
			     VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB;

	if (what->incremental && *what->disk->backing)
		flags |= VIR_DOMAIN_BLOCK_COPY_SHALLOW;
	if (what->synchronous)
		flags |= VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES;
	return flags;
}

/**
 * libvirt_copy_start() - begin to copy a disk; the copy follows its writes
 * @guest: that runs here, or is paused
 * @what: which disk, and where to
 * @fail: says why not, in libvirt's words
 *
 * Return: 0 or -errno.
 */
int libvirt_copy_start(struct guest *guest, const struct guest_copying *what,
		       struct fail *fail)
{
	virTypedParameter bandwidth = {
		.field = VIR_DOMAIN_BLOCK_COPY_BANDWIDTH,
		.type = VIR_TYPED_PARAM_ULLONG,
		.value.ul = what->bandwidth,
	};
	char xml[XML_SIZE];

	snprintf(xml, sizeof(xml),
		 "<disk type='network'><driver type='raw'/>"
		 "<source protocol='nbd' name='%s'>"
		 "<host transport='unix' socket='%s'/></source></disk>",
		 what->export, what->socket);
	if (virDomainBlockCopy(guest->domain, what->disk->target, xml,
			       what->bandwidth ? &bandwidth : NULL,
			       what->bandwidth ? 1 : 0, copy_flags(what)) < 0)
		return libvirt_fail(fail, "cannot copy disk %s",
				    what->disk->target);
	return 0;
}

/* The numbers of a job that follows a busy disk are never equal. */
static bool is_ready(struct guest *guest, const char *target)
{
	__cleanup_free char *live = virDomainGetXMLDesc(guest->domain, 0);
	__cleanup_free char *ready = NULL;
	struct fail ignored = { 0 };
	struct xml *xml;
	char path[128];

	if (!live || xml_parse(live, &xml, &ignored))
		return false;
	snprintf(path, sizeof(path),
		 "/domain/devices/disk[target/@dev='%.31s']/mirror/@ready", target);
	ready = xml_get(xml, path);
	xml_free(xml);
	return ready && !strcmp(ready, "yes");
}

/**
 * libvirt_copy_look() - how far the copy of a disk is
 * @guest: of the disk
 * @target: of the disk
 * @copy: receives it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_copy_look(struct guest *guest, const char *target,
		      struct guest_copy *copy, struct fail *fail)
{
	virDomainBlockJobInfo info = { .type = 0 };
	int ret = virDomainGetBlockJobInfo(guest->domain, target, &info, 0);

	if (ret < 0)
		return libvirt_fail(fail, "cannot ask how far the copy of disk %s is",
				    target);
	*copy = (struct guest_copy){
		.done = info.cur,
		.total = info.end,
		.gone = !ret || info.type != VIR_DOMAIN_BLOCK_JOB_TYPE_COPY,
	};
	copy->ready = !copy->gone && is_ready(guest, target);
	return 0;
}

/**
 * libvirt_copy_limit() - how fast a disk is copied from now on
 * @guest: of the disk
 * @target: of the disk
 * @bandwidth: bytes a second; 0: unlimited
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_copy_limit(struct guest *guest, const char *target,
		       uint64_t bandwidth, struct fail *fail)
{
	if (virDomainBlockJobSetSpeed(guest->domain, target, bandwidth,
				      VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES) < 0)
		return libvirt_fail(fail, "cannot limit the copy of disk %s", target);
	return 0;
}

/**
 * libvirt_copy_end() - end the copy of a disk, which stays the guest's
 * @guest: of the disk
 * @target: of the disk
 * @fail: says why not
 *
 * QEMU ends one that is ready when what was written up to now has arrived.
 *
 * Return: 0 or -errno.
 */
int libvirt_copy_end(struct guest *guest, const char *target,
		     struct fail *fail)
{
	if (virDomainBlockJobAbort(guest->domain, target,
				   VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC) < 0)
		return libvirt_fail(fail, "cannot end the copy of disk %s", target);
	return 0;
}

/**
 * libvirt_disk_describe() - what a copy of a disk has to know of it
 * @guest: of the disk
 * @live: its definition, with what libvirt found out by itself
 * @disk: with its target; receives sizes and backing file
 */
void libvirt_disk_describe(struct guest *guest, const struct xml *live,
			   struct guest_disk *disk)
{
	__cleanup_free char *backing = NULL, *format = NULL;
	virDomainBlockInfo info;
	char path[128];

	if (!virDomainGetBlockInfo(guest->domain, disk->target, &info, 0)) {
		disk->capacity = info.capacity;
		disk->allocation = info.allocation;
	}
	snprintf(path, sizeof(path), "/domain/devices/disk[target/@dev='%.31s']"
		 "/backingStore/source/@file", disk->target);
	backing = xml_get(live, path);
	snprintf(path, sizeof(path), "/domain/devices/disk[target/@dev='%.31s']"
		 "/backingStore/format/@type", disk->target);
	format = xml_get(live, path);
	if (!backing || !format || strlen(backing) >= sizeof(disk->backing) ||
	    strlen(format) >= sizeof(disk->backing_format))
		return;
	snprintf(disk->backing, sizeof(disk->backing), "%s", backing);
	snprintf(disk->backing_format, sizeof(disk->backing_format), "%s",
		 format);
}
