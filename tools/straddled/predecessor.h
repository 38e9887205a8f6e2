/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* predecessor.h - workers that outlived the agent which started them. */
#ifndef STRADDLE_PREDECESSOR_H
#define STRADDLE_PREDECESSOR_H

#include "agent.h"

#define REMOTE_FDS_MAX	2	/* to receive or to track; and the fence */

/* Userfaultfds that a worker has in the guest's process. */
struct remote_fds {
	unsigned int count;
	int fd[REMOTE_FDS_MAX];
};

int predecessor_record(const struct agent *agent, const char *id, enum side side, pid_t pid,
		       const struct remote_fds *left);
void predecessor_forget(const struct agent *agent, const char *id, enum side side);
int predecessor_end(const struct agent *agent, const char *id, enum side side,
		    struct remote_fds *left, struct fail *fail);

#endif
