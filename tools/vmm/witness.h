/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* witness.h - a file that shows when the vCPUs of guests ran. */
#ifndef STRADDLE_VMM_WITNESS_H
#define STRADDLE_VMM_WITNESS_H

#include "fail.h"

int witness_open(const char *path, int *fd, struct fail *fail);
void witness_write(int fd, const char *name, const char *what);

#endif
