/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock.h - one agent a state directory and control socket. */
#ifndef STRADDLE_LOCK_H
#define STRADDLE_LOCK_H

#include "fail.h"

int directory_make(const char *path, const char *option, struct fail *fail);
int lock_take(const char *path, const char *suffix, int *fd, struct fail *fail);
void lock_release(int *fd);

#endif
