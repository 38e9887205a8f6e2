/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* predecessor.h - workers that outlived the agent which started them. */
#ifndef STRADDLE_PREDECESSOR_H
#define STRADDLE_PREDECESSOR_H

#include "agent.h"

int predecessor_record(const struct agent *agent, const char *id, enum side side, pid_t pid,
		       int remote_fd);
void predecessor_forget(const struct agent *agent, const char *id, enum side side);
int predecessor_end(const struct agent *agent, const char *id, enum side side,
		    int *remote_fd, struct fail *fail);

#endif
