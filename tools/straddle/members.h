/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* members.h - members of the agent's answers, absent ones included. */
#ifndef STRADDLE_MEMBERS_H
#define STRADDLE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

struct json_object *member(struct json_object *object, const char *key);
uint64_t member_number(struct json_object *object, const char *key);
bool member_bool(struct json_object *object, const char *key);
size_t member_count(struct json_object *array);

#endif
