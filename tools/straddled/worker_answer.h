/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_answer.h - what the journal says, when the worker is gone. */
#ifndef STRADDLE_WORKER_ANSWER_H
#define STRADDLE_WORKER_ANSWER_H

#include "protocol/channel.h"

struct inject;
struct json_object;

void worker_peer_of(struct json_object *row, uint8_t *digest);
int worker_answer(struct channel *channel, struct json_object *job,
		  struct inject *inject, struct fail *fail);

#endif
