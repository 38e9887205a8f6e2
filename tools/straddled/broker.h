/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker.h - the process of the agent that alone may trace guests.
 *
 * It keeps CAP_SYS_PTRACE and what else its verbs need, and nothing else. It
 * ends when the last copy of the control descriptor is closed: children of
 * the agent must not keep theirs.
 */
#ifndef STRADDLE_BROKER_H
#define STRADDLE_BROKER_H

#include <sys/types.h>

#include "fail.h"
#include "tools/lib/broker_client.h"

pid_t broker_start(int *control_fd, struct fail *fail);
int broker_connect(int control_fd, int *client_fd, int *binder_fd);

#endif
