// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_leave.c - the gate at the source: what keeps a domain from leaving.
 *
 * Each obstacle says what to do about it. Where nothing can be done about it,
 * libvirt's own migration may carry what ours does not.
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "tools/guests/qemu_tool.h"

#define WITH_VIRSH	"use virsh migrate"
#define OR_DETACH	"detach it (virsh detach-device), or " WITH_VIRSH

/* What a definition may have and we do not carry. */
static const struct {
	const char *path;
	const char *what;
} refused[] = {
	{ "/domain/devices/hostdev | /domain/devices/interface[@type='hostdev']",
	  "a device of the host is passed through to it (hostdev): detach it "
	  "(virsh detach-device)" },
	{ "/domain/devices/interface[@type='vdpa'] | /domain/devices/disk[@type='vhostvdpa']",
	  "it has a vDPA device: " OR_DETACH },
	{ "/domain/devices/interface[@type='vhostuser'] | /domain/devices/disk[@type='vhostuser']",
	  "a vhost-user device has its memory: " OR_DETACH },
	{ "/domain/devices/filesystem",
	  "a directory of the host is shared with it (filesystem): " OR_DETACH },
	{ "/domain/devices/shmem", "it has shared memory (shmem): " OR_DETACH },
	{ "/domain/devices/tpm",
	  "the state of its TPM is not carried: " WITH_VIRSH },
	{ "/domain/devices/memory[@model and @model != 'dimm']",
	  "it has memory of a model that is not carried (virtio-mem, pmem, nvdimm): "
	  OR_DETACH },
	{ "/domain/launchSecurity",
	  "its memory is encrypted (launchSecurity), nobody else can read it: " WITH_VIRSH
	  " where the processor can do it" },
	{ "/domain/devices/lease", "it has a lease of a lock manager: " OR_DETACH },
	{ "/domain/devices/disk/source/reservations[@managed='yes']",
	  "a disk has persistent reservations of this host: " OR_DETACH },
	{ "/domain/os/type[contains(@machine, '-1.') or contains(@machine, '-0.') or "
	  "contains(' -2.0 -2.1 -2.2 -2.3 ', concat(' ', "
	  "substring(@machine, string-length(@machine) - 3), ' '))]",
	  "its machine type is older than 2.4, whose state has another form: " WITH_VIRSH },
};

/**
 * libvirt_check_devices() - what a definition has that is not carried
 * @xml: a live definition
 * @all: receives an obstacle for each kind
 */
void libvirt_check_devices(const struct xml *xml, struct obstacles *all)
{
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (xml_count(xml, refused[i].path))
			obstacle(all, -EOPNOTSUPP, "%s", refused[i].what);
}

static void check_state(struct guest *guest, struct obstacles *all)
{
	virDomainJobInfo job = { .type = VIR_DOMAIN_JOB_NONE };
	int state = VIR_DOMAIN_NOSTATE;

	virDomainGetState(guest->domain, &state, NULL, 0);
	if (state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_PAUSED &&
	    state != VIR_DOMAIN_BLOCKED)
		obstacle(all, -EBUSY,
			 "it neither runs nor is paused (it is shutting down, crashed or asleep): "
			 "see virsh domstate --reason");
	if (!virDomainGetJobInfo(guest->domain, &job) &&
	    job.type != VIR_DOMAIN_JOB_NONE)
		obstacle(all, -EBUSY,
			 "libvirt is busy with it: wait for the job that virsh domjobinfo shows, "
			 "or end it (virsh domjobabort)");
}

/* One disk, while all of them are gone through. */
struct disk_walk {
	struct guest *guest;
	struct guest_description *description;
	struct obstacles *all;
	const struct xml *found;	/* with what libvirt found; NULL: none */
};

static void check_block_job(const struct disk_walk *walk, const char *target)
{
	virDomainBlockJobInfo info;

	if (virDomainGetBlockJobInfo(walk->guest->domain, target, &info, 0) == 1)
		obstacle(walk->all, -EBUSY,
			 "a block job runs on disk %s: wait for it, or end it "
			 "(virsh blockjob %s %s --abort)",
			 target, walk->guest->qemu.name, target);
}

static void disk_note(const struct disk_walk *walk, const char *target,
		      const char *path)
{
	struct guest_description *to = walk->description;
	struct guest_disk *disk = &to->disks[to->disk_count];
	struct statfs filesystem;
	struct stat status;

	if (to->disk_count == GUEST_DISKS_MAX) {
		obstacle(walk->all, -E2BIG, "it has more than %d disks",
			 GUEST_DISKS_MAX);
		return;
	}
	if (sys_ret(stat(path, &status)) || sys_ret(statfs(path, &filesystem)))
		memset(&status, 0, sizeof(status));
	snprintf(disk->target, sizeof(disk->target), "%s", target);
	snprintf(disk->path, sizeof(disk->path), "%s", path);
	disk->filesystem = status.st_ino ? (uint64_t)filesystem.f_type : 0;
	disk->device = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
	disk->inode = S_ISBLK(status.st_mode) ? 0 : status.st_ino;
	if (S_ISBLK(status.st_mode))
		libvirt_disk_identity(status.st_rdev, disk->identity,
				      sizeof(disk->identity));
	if (walk->found)
		libvirt_disk_describe(walk->guest, walk->found, disk);
	to->disk_count++;
}

/* Those of the network are everybody's; what is only read may be a copy. */
static int disk_look(const struct xml *disk, void *arg)
{
	const struct disk_walk *walk = arg;
	__cleanup_free char *target = xml_get(disk, "target/@dev");
	__cleanup_free char *path = xml_get(disk, "source/@file | source/@dev");

	if (!target)
		return 0;
	check_block_job(walk, target);
	if (path && !xml_count(disk, "readonly | transient | "
			       "self::disk[@device='cdrom' or @device='floppy']"))
		disk_note(walk, target, path);
	return 0;
}

static void version_note(struct guest *guest, struct guest_description *to,
			 struct obstacles *all)
{
	int ret = qemu_version_of(guest->qemu.pid, to->version,
				  sizeof(to->version));

	if (ret)
		obstacle(all, ret,
			 "its QEMU does not tell its version (/proc/%d/exe --version: %s)",
			 (int)guest->qemu.pid, strerror(-ret));
}

/* What was never written down, such as backing files, is in no definition. */
static void disks_look(struct disk_walk *walk, const struct xml *xml)
{
	__cleanup_free char *text = virDomainGetXMLDesc(walk->guest->domain, 0);
	struct fail ignored = { 0 };
	struct xml *found = NULL;

	if (text && !xml_parse(text, &found, &ignored))
		walk->found = found;
	xml_each(xml, "/domain/devices/disk", disk_look, walk);
	xml_free(found);
}

/**
 * libvirt_check_leaving() - everything that keeps a domain from leaving
 * @guest: open
 * @description: of it; receives version and disks
 * @leaving: what the user wants
 * @all: receives the obstacles
 */
void libvirt_check_leaving(struct guest *guest,
			   struct guest_description *description,
			   struct guest_leaving *leaving, struct obstacles *all)
{
	struct disk_walk walk = { guest, description, all, NULL };
	struct fail fail = { 0 };
	struct xml *xml;
	int ret = xml_parse(description->live, &xml, &fail);

	description->disks = calloc(GUEST_DISKS_MAX,
				    sizeof(*description->disks));
	if (ret || !description->disks) {
		obstacle(all, ret ? ret : -ENOMEM, "%s", ret ? fail.text : "no memory");
		if (!ret)
			xml_free(xml);
		return;
	}
	check_state(guest, all);
	libvirt_check_given(guest, description, leaving, all);
	libvirt_check_devices(xml, all);
	disks_look(&walk, xml);
	qemu_check_sharers(&guest->qemu, all);
	qemu_check_userfaultfd(&guest->qemu, all);
	version_note(guest, description, all);
	xml_free(xml);
}
