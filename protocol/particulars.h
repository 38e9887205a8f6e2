/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* particulars.h - what a guest is made of, as Prepare says it. */
#ifndef STRADDLE_PARTICULARS_H
#define STRADDLE_PARTICULARS_H

#include <stddef.h>

#include "protocol/guest.h"
#include "protocol/straddle.pb-c.h"

void regions_say(struct guest_description *guest, Straddle__Region *regions,
		 Straddle__Region **list);
void disks_say(struct guest_description *guest, Straddle__Disk *disks,
	       Straddle__Disk **list);
void boot_id_read(char *text, size_t size);

void regions_take(const Straddle__Prepare *said, struct guest_region *regions);
int disks_take(const Straddle__Prepare *said, struct guest_description *guest);
int regions_compare(const struct guest_description *guest,
		    const Straddle__Prepare *said, struct fail *fail);

#endif
