/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover.h - an operator's word that a link is to be tried again. */
#ifndef STRADDLE_RECOVER_H
#define STRADDLE_RECOVER_H

#include "control.h"

bool recover_is_due(const struct worker *worker);
int verb_recover(struct client *client, struct json_object *request, struct fail *fail);

#endif
