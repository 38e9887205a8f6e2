/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guests.h - the guests of this host, for users. */
#ifndef STRADDLE_GUESTS_H
#define STRADDLE_GUESTS_H

#include "agent.h"

struct json_object;

int guests_list(struct agent *agent, struct json_object *array, struct fail *fail);

#endif
