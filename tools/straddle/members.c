/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* members.c - read what an answer has, and nothing where it has not. */
#include <json-c/json.h>

#include "members.h"

/**
 * member() - a member of an object
 * @object: may be NULL
 * @key: which
 *
 * Return: the member, @object's, or NULL.
 */
struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

/**
 * member_number() - a number
 * @object: may be NULL
 * @key: which
 *
 * Return: the number, 0 where there is none.
 */
uint64_t member_number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

/**
 * member_bool() - true or false
 * @object: may be NULL
 * @key: which
 *
 * Return: the value, false where there is none.
 */
bool member_bool(struct json_object *object, const char *key)
{
	return json_object_get_boolean(member(object, key));
}

/**
 * member_count() - how long an array is
 * @array: may be NULL, or no array
 *
 * Return: its length, or 0.
 */
size_t member_count(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ?
	       json_object_array_length(array) : 0;
}
