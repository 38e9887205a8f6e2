/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_process.h - start a straddle-vmm that outlives its starter. */
#ifndef STRADDLE_GUESTS_VMM_PROCESS_H
#define STRADDLE_GUESTS_VMM_PROCESS_H

#include <stddef.h>

#include "fail.h"

int vmm_program(char *path, size_t size);
/*
 * @argv: NULL-ended, "--ready-fd", "3" among it; @definition_fd (or -1)
 * becomes descriptor 4.
 */
int vmm_start(const char *const argv[], int definition_fd, int timeout_ms,
	      struct fail *fail);

#endif
