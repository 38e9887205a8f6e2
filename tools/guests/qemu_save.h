/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu_save.h - everything of a QEMU that is not moved page by page. */
#ifndef STRADDLE_GUESTS_QEMU_SAVE_H
#define STRADDLE_GUESTS_QEMU_SAVE_H

#include "fail.h"
#include "tools/guests/qemu_blocks.h"
#include "tools/guests/qemu_monitor.h"

int qemu_machine(struct qemu_monitor *monitor, char **machine,
		 struct fail *fail);
int qemu_save(struct qemu_monitor *monitor, pid_t pid, const char *machine,
	      struct qemu_blocks *blocks, int *state_fd, struct fail *fail);

#endif
