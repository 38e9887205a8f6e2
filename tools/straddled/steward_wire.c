/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward_wire.c - what a worker and its steward say, each written and read alike.
 *
 * A steward does not trust its worker: counts are bounded, texts have ends.
 */
#include "steward_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/**
 * wire_disk() - a disk
 * @wire: to write to or read from
 * @disk: no pointers in it
 */
void wire_disk(struct wire *wire, struct guest_disk *disk)
{
	wire_value(wire, disk);
	disk->target[sizeof(disk->target) - 1] = '\0';
	disk->path[sizeof(disk->path) - 1] = '\0';
	disk->identity[sizeof(disk->identity) - 1] = '\0';
	disk->backing[sizeof(disk->backing) - 1] = '\0';
	disk->backing_format[sizeof(disk->backing_format) - 1] = '\0';
}

/**
 * wire_image() - what a disk is copied to
 * @wire: to write to or read from
 * @image: no pointers in it
 */
void wire_image(struct wire *wire, struct guest_image *image)
{
	wire_value(wire, image);
	image->path[sizeof(image->path) - 1] = '\0';
	image->format[sizeof(image->format) - 1] = '\0';
}

/* Without its descriptor. */
static void wire_region(struct wire *wire, struct guest_region *region)
{
	int fd = region->fd;

	region->fd = -1;
	wire_value(wire, region);
	region->fd = wire->reading ? -1 : fd;
	region->name[sizeof(region->name) - 1] = '\0';
}

static bool count_fits(struct wire *wire, unsigned int *count, unsigned int max)
{
	wire_value(wire, count);
	if (*count <= max)
		return true;
	*count = 0;
	if (!wire->err)
		wire->err = -EPROTO;
	return false;
}

/* An array of GUEST_DISKS_MAX, as drivers make it, or none. */
static void wire_disks(struct wire *wire, struct guest_disk **disks, unsigned int *count)
{
	uint8_t there = !wire->reading && *disks;
	unsigned int i;

	wire_value(wire, &there);
	if (wire->reading)
		*disks = there ? calloc(GUEST_DISKS_MAX, sizeof(**disks)) : NULL;
	if (!count_fits(wire, count, GUEST_DISKS_MAX))
		return;
	if (!*disks && (there || *count)) {
		wire->err = there ? -ENOMEM : -EPROTO;
		*count = 0;
	}
	for (i = 0; i < *count; i++)
		wire_disk(wire, &(*disks)[i]);
}

/**
 * wire_description() - a guest's description
 * @wire: to write to or read from
 * @description: what is read is owned by the caller, and replaces what is there
 */
void wire_description(struct wire *wire, struct guest_description *description)
{
	struct guest_description plain = { .region_count = 0 };
	unsigned int i;

	if (!wire->reading)
		plain = *description;
	wire_chars(wire, plain.name, sizeof(plain.name));
	wire_chars(wire, plain.uuid, sizeof(plain.uuid));
	wire_chars(wire, plain.version, sizeof(plain.version));
	wire_value(wire, &plain.pid);
	wire_value(wire, &plain.vcpus);
	wire_value(wire, &plain.memory_bytes);
	wire_value(wire, &plain.running);
	wire_value(wire, &plain.incoming);
	wire_value(wire, &plain.drain);
	wire_text(wire, &plain.live, DEFINITION_MAX);
	wire_text(wire, &plain.persistent, DEFINITION_MAX);
	wire_disks(wire, &plain.disks, &plain.disk_count);
	if (!count_fits(wire, &plain.region_count, GUEST_REGIONS_MAX) && !wire->reading)
		return;
	for (i = 0; i < plain.region_count; i++) {
		wire_region(wire, &plain.regions[i]);
		wire_fd(wire, &plain.regions[i].fd);
	}
	if (wire->reading)
		*description = plain;
}

static void wire_const(struct wire *wire, const char **text, char **part)
{
	char *own = wire->reading ? NULL : (char *)(uintptr_t)*text;

	wire_text(wire, &own, DEFINITION_MAX);
	if (wire->reading)
		*text = *part = own;
}

static void regions_in(struct wire *wire, struct guest_incoming *incoming,
		       struct incoming_parts *parts)
{
	unsigned int i;

	if (wire->reading) {
		parts->regions = calloc(GUEST_REGIONS_MAX, sizeof(*parts->regions));
		incoming->regions = parts->regions;
	}
	if (!count_fits(wire, &incoming->region_count, GUEST_REGIONS_MAX))
		return;
	if (!incoming->regions && incoming->region_count) {
		wire->err = -ENOMEM;
		incoming->region_count = 0;
	}
	for (i = 0; i < incoming->region_count; i++) {
		struct guest_region region = incoming->regions[i];

		wire_region(wire, &region);
		if (wire->reading)
			parts->regions[i] = region;
	}
}

/**
 * wire_incoming() - a guest that is to be made
 * @wire: to write to or read from
 * @incoming: the guest
 * @parts: reading: receives what it points to, for incoming_parts_free()
 */
void wire_incoming(struct wire *wire, struct guest_incoming *incoming,
		   struct incoming_parts *parts)
{
	if (wire->reading) {
		*incoming = (struct guest_incoming){ .live = NULL };
		*parts = (struct incoming_parts){ .live = NULL };
	}
	wire_const(wire, &incoming->live, &parts->live);
	wire_const(wire, &incoming->name, &parts->name);
	wire_const(wire, &incoming->version, &parts->version);
	wire_const(wire, &incoming->boot_id, &parts->boot_id);
	wire_const(wire, &incoming->given, &parts->given);
	wire_value(wire, &incoming->unsafe);
	wire_value(wire, &incoming->allow_version_skew);
	wire_value(wire, &incoming->copy_storage);
	regions_in(wire, incoming, parts);
	wire_disks(wire, &incoming->disks, &incoming->disk_count);
	if (!wire->reading)
		return;
	parts->disks = incoming->disks;
	if (!incoming->live || !incoming->name || !incoming->version || !incoming->boot_id ||
	    strlen(incoming->name) >= GUEST_NAME_MAX)
		wire->err = wire->err ? wire->err : -EPROTO;
}

/**
 * incoming_parts_free() - free what wire_incoming() read
 * @parts: of it
 */
void incoming_parts_free(struct incoming_parts *parts)
{
	free(parts->live);
	free(parts->name);
	free(parts->version);
	free(parts->boot_id);
	free(parts->given);
	free(parts->regions);
	free(parts->disks);
}

/**
 * wire_leaving() - what a user wants of a guest that leaves
 * @wire: to write to or read from
 * @leaving: texts that are read are owned by the caller
 */
void wire_leaving(struct wire *wire, struct guest_leaving *leaving)
{
	wire_text(wire, &leaving->live, DEFINITION_MAX);
	wire_text(wire, &leaving->persistent, DEFINITION_MAX);
	wire_value(wire, &leaving->undefine);
}

/**
 * wire_obstacles() - what is in the way so far
 * @wire: to write to or read from
 * @all: the obstacles
 */
void wire_obstacles(struct wire *wire, struct obstacles *all)
{
	uint64_t used = all->used;

	wire_value(wire, &all->err);
	wire_value(wire, &used);
	wire_chars(wire, all->text, sizeof(all->text));
	all->used = used < sizeof(all->text) ? used : sizeof(all->text) - 1;
}

/**
 * wire_fail() - why something failed
 * @wire: to write to or read from
 * @fail: the reason; noted, if there is one, when it is read; may be NULL then
 */
void wire_fail(struct wire *wire, struct fail *fail)
{
	char *text = wire->reading || !fail->err ? NULL : fail->text;
	int err = wire->reading ? 0 : fail->err;

	wire_value(wire, &err);
	wire_text(wire, &text, FAIL_TEXT_MAX);
	if (!wire->reading)
		return;
	if (err && text)
		fail_set(fail, err, "%s", text);
	free(text);
}
