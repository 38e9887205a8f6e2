/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* freezer.h - a process that does not end, whatever is sent to it. */
#ifndef STRADDLE_TEST_FREEZER_H
#define STRADDLE_TEST_FREEZER_H

#include <sys/types.h>

/* Return: 0, -EOPNOTSUPP: there is no such cgroup here, or another -errno. */
int freezer_close(pid_t pid);
/* What was in it goes on, or ends; also after freezer_close() failed. */
void freezer_open(void);

#endif
