/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_native_way.h - where to and how; between the files libvirt*.c. */
#ifndef STRADDLE_GUESTS_LIBVIRT_NATIVE_WAY_H
#define STRADDLE_GUESTS_LIBVIRT_NATIVE_WAY_H

#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

struct migration_options;

struct native_way {
	char uri[512];			/* of the dest's libvirt */
	bool is_ours;			/* nobody named one */
	virTypedParameterPtr params;	/* owned */
	int param_count, param_room;
	unsigned int flags;		/* VIR_MIGRATE_* */
};

int native_way_make(struct native_way *way,
		    const struct migration_options *options, struct fail *fail);
void native_way_fini(struct native_way *way);
unsigned long long native_mib(uint64_t bytes);

#endif
