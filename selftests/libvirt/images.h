/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* images.h - a domain whose disks its hosts do not share, and what is left of a copy. */
#ifndef STRADDLE_TEST_IMAGES_H
#define STRADDLE_TEST_IMAGES_H

#include "journey.h"

#define BUSY		VIRT_PRIVATE "/busy"	/* the guest writes it */
#define STILL		VIRT_PRIVATE "/still"	/* nobody does */
#define QEMU_NBD	"qemu-nbd"

#define PRIVATE(path_, format_, bus_)						\
	{ path_, format_, bus_, "none", false, false }

#define POSTCOPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":1,"	\
			"\"downtime_ns\":1000"
#define PRECOPY		"\"live\":true,\"downtime_ns\":30000000000"
#define ALL		",\"copy_storage\":\"all\""
#define INC		",\"copy_storage\":\"inc\""

void image_run(struct virt_host *virt, const char *command);
void image_scribble(struct virt_host *virt, const char *path,
		    const char *format);
void image_make(struct virt_host *virt, const struct domain_disk *disk,
		bool overlay);
void image_boot(struct journey *journey, const struct domain *domain,
		const char *words, bool overlay);
void image_expect_same(struct journey *journey, const struct domain_disk *disk);
bool image_is_there(const struct virt_host *virt, const char *path);

void copy_expect_tidy(const struct virt_host *virt);
void copy_expect_unharmed(struct journey *journey, const char *target);

#endif
