/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* predecessor.h - workers that outlived the agent which started them. */
#ifndef STRADDLE_PREDECESSOR_H
#define STRADDLE_PREDECESSOR_H

#include "agent.h"

struct json_object;

#define REMOTE_FDS_MAX	2	/* to receive or to track; and the fence */

/* Userfaultfds that a worker has in the guest's process. */
struct remote_fds {
	unsigned int count;
	int fd[REMOTE_FDS_MAX];
};

int predecessor_record(const struct agent *agent, const char *id, enum side side, pid_t pid,
		       const struct remote_fds *left);
int predecessor_job_store(const struct agent *agent, const char *id, enum side side,
			  struct json_object *job);
int predecessor_job(const struct agent *agent, const char *id, enum side side,
		    struct json_object **job, struct fail *fail);
typedef int predecessor_fn(const char *id, enum side side, void *arg);

int predecessor_each(const struct agent *agent, predecessor_fn *each, void *arg);
pid_t predecessor_lives(const struct agent *agent, const char *id, enum side side);
pid_t predecessor_steward(const struct agent *agent, const char *id, enum side side);
bool predecessor_has_will(const struct agent *agent, const char *id, enum side side);
void predecessor_forget(const struct agent *agent, const char *id, enum side side);
int predecessor_end(const struct agent *agent, const char *id, enum side side,
		    struct remote_fds *left, struct fail *fail);

#endif
