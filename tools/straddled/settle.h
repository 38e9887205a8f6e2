/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.h - end what a worker left in the middle. */
#ifndef STRADDLE_SETTLE_H
#define STRADDLE_SETTLE_H

#include "agent.h"

void settle_rows(struct agent *agent);
bool settle_is_due(enum owner_state state);
bool settle_row(struct agent *agent, const struct journal_row *row, const char *reason);

#endif
