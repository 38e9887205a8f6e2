/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guests.h - who runs on this host. */
#ifndef STRADDLE_GUESTS_H
#define STRADDLE_GUESTS_H

#include "fail.h"

struct json_object;

int guests_list(struct json_object *job, struct fail *fail);

#endif
