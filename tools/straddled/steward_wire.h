/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward_wire.h - what a worker and its steward say, each written and read alike. */
#ifndef STRADDLE_STEWARD_WIRE_H
#define STRADDLE_STEWARD_WIRE_H

#include "protocol/guest.h"
#include "tools/lib/wire.h"

#define DEFINITION_MAX	(2u << 20)	/* bytes of one text */

/* A guest_incoming whose parts are its own. */
struct incoming_parts {
	char *live, *name, *version, *boot_id, *given;
	struct guest_region *regions;
	struct guest_disk *disks;
};

void wire_description(struct wire *wire, struct guest_description *description);
void wire_incoming(struct wire *wire, struct guest_incoming *incoming,
		   struct incoming_parts *parts);
void incoming_parts_free(struct incoming_parts *parts);
void wire_leaving(struct wire *wire, struct guest_leaving *leaving);
void wire_obstacles(struct wire *wire, struct obstacles *all);
void wire_disk(struct wire *wire, struct guest_disk *disk);
void wire_image(struct wire *wire, struct guest_image *image);
void wire_fail(struct wire *wire, struct fail *fail);

#endif
