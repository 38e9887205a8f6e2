/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.h - end what a worker left in the middle. */
#ifndef STRADDLE_SETTLE_H
#define STRADDLE_SETTLE_H

#include "agent.h"

struct decision;
struct remote_fds;
struct worker;

int settle_resolve(struct agent *agent, const struct journal_row *row,
		   const struct decision *decision, struct worker **worker, struct fail *fail);
int settle_tend(struct agent *agent, const struct journal_row *row,
		const struct worker *dead, struct fail *fail);
void settle_tend_failed(const struct journal_row *row, int error, const struct fail *fail);
int settle_try(struct agent *agent, const struct journal_row *row, const char *reason,
	       struct worker *dead, struct fail *fail);
bool settle_is_over(const struct journal_row *row);
bool settle_is_left(const struct agent *agent, const char *id, const struct remote_fds *left);
bool settle_row(struct agent *agent, const struct journal_row *row, const char *reason,
		struct worker *dead);

/* settle_later.c */
#define SETTLE_LATER_US	5000000	/* at most */
#define SETTLE_SOON_US	1000000
void settle_later(struct agent *agent, const struct journal_row *row, uint64_t us, int error,
		  const struct fail *fail);
bool settle_idle_row(struct agent *agent, const char *id, enum side side,
		     struct journal_row *row);
void settle_unread(struct agent *agent, const char *id, enum side side);
const char *settle_why(const struct agent *agent, const char *id, enum side side);
void settle_rows(struct agent *agent);

#endif
