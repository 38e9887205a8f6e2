/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process.h - wait for processes and end them, by what they do, not by time. */
#ifndef STRADDLE_TEST_PROCESS_H
#define STRADDLE_TEST_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

int process_wait(pid_t pid, int timeout_ms);
int process_stop(pid_t pid);
int process_freeze(pid_t pid);
void process_kill_netns(int netns);

#endif
