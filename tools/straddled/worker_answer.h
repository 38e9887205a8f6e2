/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_answer.h - what the journal says, when the worker is gone. */
#ifndef STRADDLE_WORKER_ANSWER_H
#define STRADDLE_WORKER_ANSWER_H

#include "protocol/channel.h"

struct json_object;

int worker_answer(struct channel *channel, struct json_object *job,
		  struct fail *fail);

#endif
