/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_monitor.h - say something to QEMU's monitor, whoever has the line.
 *
 * Two real lines: libvirt's pass-through, and a QMP socket of our own. What
 * is asked of QEMU itself is above them, in qemu_*.c, and the same for both.
 */
#ifndef STRADDLE_GUESTS_QEMU_MONITOR_H
#define STRADDLE_GUESTS_QEMU_MONITOR_H

#include <json-c/json.h>

#include "fail.h"

struct qemu_monitor;

struct qemu_monitor_ops {
	/*
	 * One QMP command, as text; @fd goes along unless -1. *reply receives
	 * QEMU's answer as text, owned by the caller.
	 */
	int (*call)(struct qemu_monitor *monitor, const char *command, int fd,
		    char **reply, struct fail *fail);
};

struct qemu_monitor {
	const struct qemu_monitor_ops *ops;
	const char *guest;		/* for messages; borrowed */
};

int qemu_call(struct qemu_monitor *monitor, const char *verb,
	      struct json_object *arguments, int fd,
	      struct json_object **answer, struct fail *fail);
int qemu_human(struct qemu_monitor *monitor, const char *line, char **text,
	       struct fail *fail);
int qemu_fd_add(struct qemu_monitor *monitor, int fd, int64_t *set,
		struct fail *fail);
void qemu_fd_remove(struct qemu_monitor *monitor, int64_t *set);

#endif
