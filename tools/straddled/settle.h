/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.h - at start: end what an earlier agent left in the middle. */
#ifndef STRADDLE_SETTLE_H
#define STRADDLE_SETTLE_H

#include "agent.h"

void settle_rows(struct agent *agent);

#endif
