/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor.h - a QEMU's second monitor: commands, and when its guest stood.
 *
 * Its first one is for whoever moves the guest.
 */
#ifndef STRADDLE_BENCH_MONITOR_H
#define STRADDLE_BENCH_MONITOR_H

#include <stdint.h>

#include "fail.h"
#include "tools/lib/jsonline.h"

struct monitor {
	int fd;				/* -1: not open */
	struct jsonline in;
	/* When it last said so, microseconds of CLOCK_REALTIME; 0: never */
	uint64_t stopped_us, resumed_us;
};

int monitor_open(struct monitor *monitor, const char *path, struct fail *fail);
void monitor_close(struct monitor *monitor);
int monitor_ask(struct monitor *monitor, const char *command, struct json_object **answer,
		struct fail *fail);
int monitor_hear(struct monitor *monitor);

#endif
