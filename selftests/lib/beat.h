/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * beat.h - what the guest of the libvirt tests says twice a second.
 *
 * selftests/libvirt/guest/init.c says what each number counts.
 */
#ifndef STRADDLE_TEST_BEAT_H
#define STRADDLE_TEST_BEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "selftests/lib/virt_host.h"

struct beat {
	char boot[17];
	uint64_t n, writes, bad, disk_ok, disk_bad, disk_err;
	uint64_t clock_back, witness, twins, echo;
};

bool beat_parse(const char *line, struct beat *beat);
bool beat_read(const struct virt_host *virt, const char *name,
	       struct beat *beat);

#endif
