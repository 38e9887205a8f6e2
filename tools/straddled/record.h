/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.h - rows of the journal as JSON, for workers and for users. */
#ifndef STRADDLE_RECORD_H
#define STRADDLE_RECORD_H

#include "protocol/journal.h"

struct json_object;

struct json_object *record_to_json(const struct journal_row *row);
struct json_object *record_for_answer(const struct journal_row *row);
int record_from_json(struct json_object *object, struct journal_row *row,
		     struct fail *fail);

#endif
