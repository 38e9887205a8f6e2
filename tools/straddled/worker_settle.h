/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_settle.h - end what was left in the middle, beside the agent. */
#ifndef STRADDLE_WORKER_SETTLE_H
#define STRADDLE_WORKER_SETTLE_H

#include "predecessor.h"

struct json_object;

/* The agent's part. */
bool is_settled(enum owner_state state);
void settle_job_fill(struct json_object *job, const struct journal_row *row,
		     const struct remote_fds *left, bool again);

/* The worker's. */
int worker_settle_run(struct json_object *job);

#endif
