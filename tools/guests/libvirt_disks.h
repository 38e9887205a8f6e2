/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_disks.h - disks of a domain that comes; between the files of that. */
#ifndef STRADDLE_GUESTS_LIBVIRT_DISKS_H
#define STRADDLE_GUESTS_LIBVIRT_DISKS_H

#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"

/* What lies here under a disk's name, as seen beside what the source has. */
enum sameness { SAME, ANOTHER, UNCLEAR };

/* libvirt_shared.c */
enum sameness libvirt_disk_same(const struct guest_incoming *incoming,
				const struct guest_disk *disk,
				const char *path);
bool libvirt_disk_is_shared(const struct guest_incoming *incoming,
			    const struct guest_disk *disk, const char *path);

/* libvirt_images.c */
bool libvirt_disk_has(const struct xml *xml, const char *target,
		      const char *what);
bool libvirt_disk_is_overlay(const struct guest_incoming *incoming,
			     const struct guest_disk *disk);
bool libvirt_path_is_plain(const char *path);
int libvirt_image_path(const struct xml *xml, const struct guest_disk *disk,
		       struct guest_image *image);
int libvirt_image_of(const struct xml *xml, const struct guest_disk *disk,
		     struct guest_image *image);
bool libvirt_image_is_qcow2(const struct guest_image *image);
void libvirt_backing_named(const struct xml *xml, struct guest_disk *disk);

#endif
