// SPDX-License-Identifier: LGPL-2.1-or-later
/* particulars.c - what a guest is made of, as Prepare says it. */
#include "protocol/particulars.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* ---- source ------------------------------------------------------------ */

/**
 * regions_say() - the regions of a guest, for its dest
 * @guest: described and mapped; outlives what is said
 * @regions: receives them, GUEST_REGIONS_MAX at the most
 * @list: receives where each is
 */
void regions_say(struct guest_description *guest, Straddle__Region *regions,
		 Straddle__Region **list)
{
	unsigned int i;

	for (i = 0; i < guest->region_count; i++) {
		struct guest_region *region = &guest->regions[i];

		straddle__region__init(&regions[i]);
		regions[i].name = region->name;
		regions[i].size = region->size;
		regions[i].page_size = region->page_size;
		regions[i].shared = region->shared;
		regions[i].has_physical = region->physical != GUEST_NOWHERE;
		regions[i].physical = region->physical;
		list[i] = &regions[i];
	}
}

/**
 * disks_say() - how this host sees the disks, for the dest to compare
 * @guest: described; outlives what is said
 * @disks: receives them, GUEST_DISKS_MAX at the most
 * @list: receives where each is
 */
void disks_say(struct guest_description *guest, Straddle__Disk *disks,
	       Straddle__Disk **list)
{
	unsigned int i;

	for (i = 0; i < guest->disk_count; i++) {
		struct guest_disk *disk = &guest->disks[i];

		straddle__disk__init(&disks[i]);
		disks[i].target = disk->target;
		disks[i].path = disk->path;
		disks[i].filesystem = disk->filesystem;
		disks[i].device = disk->device;
		disks[i].inode = disk->inode;
		disks[i].has_capacity = disks[i].has_allocation = true;
		disks[i].capacity = disk->capacity;
		disks[i].allocation = disk->allocation;
		disks[i].identity = *disk->identity ? disk->identity : NULL;
		disks[i].backing = *disk->backing ? disk->backing : NULL;
		disks[i].backing_format = *disk->backing_format ?
					  disk->backing_format : NULL;
		list[i] = &disks[i];
	}
}

/**
 * boot_id_read() - the kernel's own name for this boot
 * @text: receives it; "" where it has none
 * @size: bytes of @text
 *
 * Two hosts of one name are namespaces of one machine. It is read once, by one
 * thread: later this process may be in a filter that opens no file.
 */
void boot_id_read(char *text, size_t size)
{
	static char known[64];
	__cleanup_file FILE *file = NULL;

	if (!*known)
		file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (file && fgets(known, sizeof(known), file))
		known[strcspn(known, "\n")] = '\0';
	snprintf(text, size, "%s", known);
}

/* ---- dest -------------------------------------------------------------- */

/**
 * regions_take() - what the source has; where it will lie here is not known
 * @said: from the source, checked by its rules
 * @regions: receives them, GUEST_REGIONS_MAX at the most
 */
void regions_take(const Straddle__Prepare *said, struct guest_region *regions)
{
	size_t i;

	for (i = 0; i < said->n_regions; i++) {
		regions[i] = (struct guest_region){
			.size = said->regions[i]->size,
			.page_size = said->regions[i]->page_size,
			.physical = said->regions[i]->has_physical ?
				    said->regions[i]->physical : GUEST_NOWHERE,
			.fd = -1,
		};
		snprintf(regions[i].name, sizeof(regions[i].name), "%s",
			 said->regions[i]->name);
	}
}

static void text_take(char *to, size_t size, const char *said)
{
	snprintf(to, size, "%s", said ? said : "");
}

static void disk_take(const Straddle__Disk *said, struct guest_disk *disk)
{
	*disk = (struct guest_disk){
		.filesystem = said->filesystem,
		.device = said->device,
		.inode = said->inode,
		.capacity = said->capacity,
		.allocation = said->allocation,
	};
	text_take(disk->target, sizeof(disk->target), said->target);
	text_take(disk->path, sizeof(disk->path), said->path);
	text_take(disk->identity, sizeof(disk->identity), said->identity);
	text_take(disk->backing, sizeof(disk->backing), said->backing);
	text_take(disk->backing_format, sizeof(disk->backing_format),
		  said->backing_format);
}

/**
 * disks_take() - the disks as the source sees them
 * @said: from the source, checked by its rules
 * @guest: receives them
 *
 * Return: 0 or -ENOMEM.
 */
int disks_take(const Straddle__Prepare *said, struct guest_description *guest)
{
	struct guest_disk *disks = calloc(said->n_disks + 1, sizeof(*disks));
	size_t i;

	if (!disks)
		return -ENOMEM;
	for (i = 0; i < said->n_disks; i++)
		disk_take(said->disks[i], &disks[i]);
	guest->disks = disks;
	guest->disk_count = (unsigned int)said->n_disks;
	return 0;
}

/**
 * regions_compare() - do both ends mean the same by a region and its pages?
 * @guest: as it was made here
 * @said: from the source
 * @fail: says which differs
 *
 * Return: 0 or -EINVAL.
 */
int regions_compare(const struct guest_description *guest,
		    const Straddle__Prepare *said, struct fail *fail)
{
	unsigned int i;

	if (strcmp(said->uuid, guest->uuid))
		return fail_set(fail, -EINVAL,
				"guest '%s' has UUID %s in its definition and %s in Prepare",
				guest->name, guest->uuid, said->uuid);
	if (said->n_regions != guest->region_count)
		return fail_set(fail, -EINVAL,
				"guest '%s' has %zu regions of memory at the source and %u here",
				guest->name, said->n_regions,
				guest->region_count);
	for (i = 0; i < guest->region_count; i++) {
		const struct guest_region *here = &guest->regions[i];
		const Straddle__Region *there = said->regions[i];

		if (strcmp(there->name, here->name) ||
		    there->size != here->size ||
		    there->page_size != here->page_size)
			return fail_set(fail, -EINVAL,
					"region '%s' of guest '%s' is not the same here as at the source; are the two hypervisors of one version?",
					here->name, guest->name);
	}
	return 0;
}
