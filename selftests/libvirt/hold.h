/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold.h - hold a migration up at the dest, just before its definition. */
#ifndef STRADDLE_TEST_HOLD_H
#define STRADDLE_TEST_HOLD_H

#include "selftests/lib/virt_host.h"

int hold_loaded(const struct virt_host *virt, const char *name,
		const char *before);
void hold_reached(const struct virt_host *virt, const char *id,
		  const char *state);

#endif
