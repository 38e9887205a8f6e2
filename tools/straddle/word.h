/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* word.h - a user's word to a migration that runs. */
#ifndef STRADDLE_WORD_H
#define STRADDLE_WORD_H

#include "command.h"

struct json_object;

int word_tell(const struct context *context, struct json_object *request,
	      const char *guest, const char *done);

#endif
