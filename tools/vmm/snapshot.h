/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot.h - device state of a whole machine, out and in. */
#ifndef STRADDLE_VMM_SNAPSHOT_H
#define STRADDLE_VMM_SNAPSHOT_H

#include "fail.h"
#include "tools/vmm/machine.h"

int snapshot_save(struct machine *machine, int *fd, struct fail *fail);
int snapshot_load(struct machine *machine, int fd, struct fail *fail);

#endif
