/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields.h - a struct as a JSON object: one table says both directions. */
#ifndef STRADDLE_FIELDS_H
#define STRADDLE_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

struct json_object;

enum field_type {
	FIELD_BOOL,		/* bool */
	FIELD_U32,		/* uint32_t */
	FIELD_U64,		/* uint64_t */
	FIELD_TEXT,		/* char[size] */
	FIELD_NAME,		/* an enum, by name */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset;
	size_t size;		/* bytes of the member */
	/* FIELD_NAME: both ways; value() says -1 for an unknown name */
	const char *(*name)(int value);
	int (*value)(const char *name);
};

#define FIELD(type_, struct_, member_)					\
	{ .key = #member_, .type = FIELD_##type_,			\
	  .offset = offsetof(struct_, member_),				\
	  .size = sizeof(((struct_ *)0)->member_) }
#define FIELD_NAMED(struct_, member_, name_, value_)			\
	{ .key = #member_, .type = FIELD_NAME,				\
	  .offset = offsetof(struct_, member_),				\
	  .size = sizeof(((struct_ *)0)->member_),			\
	  .name = (name_), .value = (value_) }

void fields_put(struct json_object *object, const struct field *fields,
		size_t count, const void *data);
int fields_known(struct json_object *object, const struct field *fields,
		 size_t count, const char *what, struct fail *fail);
int fields_get(struct json_object *object, const struct field *fields,
	       size_t count, void *data, struct fail *fail);

#endif
