/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolve.h - who owns a guest, why, and what an operator can do about it. */
#ifndef STRADDLE_RESOLVE_H
#define STRADDLE_RESOLVE_H

#include "control.h"

bool resolve_is_open(const struct worker *worker, enum resolution resolution);
int verb_resolve(struct client *client, struct json_object *request, struct fail *fail);

#endif
