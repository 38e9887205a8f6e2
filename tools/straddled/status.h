/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.h - what is under way on this host. */
#ifndef STRADDLE_STATUS_H
#define STRADDLE_STATUS_H

#include "control.h"

int verb_status(struct client *client, struct json_object *request, struct fail *fail);

#endif
