/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields.c - walk the table of a struct's members, to JSON and from it. */
#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "tools/lib/fields.h"

static struct json_object *field_to_json(const struct field *field,
					 const void *member)
{
	switch (field->type) {
	case FIELD_BOOL:
		return json_object_new_boolean(*(const bool *)member);
	case FIELD_U32:
		return json_object_new_int64(*(const uint32_t *)member);
	case FIELD_U64:
		return json_object_new_uint64(*(const uint64_t *)member);
	case FIELD_TEXT:
		return json_object_new_string(member);
	case FIELD_NAME:
		return json_object_new_string(field->name(*(const int *)member));
	}
	return NULL;
}

/**
 * fields_put() - add the members of a struct to a JSON object
 * @object: receives one key a field
 * @fields: the table
 * @count: rows of it
 * @data: the struct
 */
void fields_put(struct json_object *object, const struct field *fields,
		size_t count, const void *data)
{
	size_t i;

	for (i = 0; i < count; i++)
		json_object_object_add(object, fields[i].key,
				       field_to_json(&fields[i], (const char *)data +
						     fields[i].offset));
}

static int number_get(const struct field *field, struct json_object *value,
		      uint64_t max, uint64_t *number, struct fail *fail)
{
	if (!json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) < 0 ||
	    json_object_get_uint64(value) > max)
		return fail_set(fail, -EINVAL, "'%s' is to be a number from 0 to %llu",
				field->key, (unsigned long long)max);
	*number = json_object_get_uint64(value);
	return 0;
}

static int text_get(const struct field *field, struct json_object *value,
		    char *text, struct fail *fail)
{
	size_t length;

	if (!json_object_is_type(value, json_type_string))
		return fail_set(fail, -EINVAL, "'%s' is to be a string", field->key);
	length = (size_t)json_object_get_string_len(value);
	if (length >= field->size || strlen(json_object_get_string(value)) != length)
		return fail_set(fail, -EINVAL, "'%s' is too long: %zu bytes of at most %zu",
				field->key, length, field->size - 1);
	memcpy(text, json_object_get_string(value), length + 1);
	return 0;
}

static int name_get(const struct field *field, struct json_object *value,
		    int *number, struct fail *fail)
{
	int found = -1;

	if (json_object_is_type(value, json_type_string))
		found = field->value(json_object_get_string(value));
	if (found < 0)
		return fail_set(fail, -EINVAL, "'%s' has no value %.40s", field->key,
				json_object_to_json_string(value));
	*number = found;
	return 0;
}

static int field_from_json(const struct field *field, struct json_object *value,
			   void *member, struct fail *fail)
{
	uint64_t number;
	int ret;

	switch (field->type) {
	case FIELD_BOOL:
		if (!json_object_is_type(value, json_type_boolean))
			return fail_set(fail, -EINVAL, "'%s' is to be true or false",
					field->key);
		*(bool *)member = json_object_get_boolean(value);
		return 0;
	case FIELD_U32:
		ret = number_get(field, value, UINT32_MAX, &number, fail);
		if (!ret)
			*(uint32_t *)member = (uint32_t)number;
		return ret;
	case FIELD_U64:
		return number_get(field, value, UINT64_MAX, member, fail);
	case FIELD_TEXT:
		return text_get(field, value, member, fail);
	case FIELD_NAME:
		assert(field->size == sizeof(int));
		return name_get(field, value, member, fail);
	}
	return -EINVAL;
}

static bool is_known(const struct field *fields, size_t count, const char *key)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(fields[i].key, key))
			return true;
	return false;
}

/**
 * fields_known() - does a JSON object name members of a struct only?
 * @object: what came
 * @fields: the table
 * @count: rows of it
 * @what: the object is, for messages: "an option of 'migrate'"
 * @fail: names the first key that no row has
 *
 * Return: 0 or -EINVAL.
 */
int fields_known(struct json_object *object, const struct field *fields,
		 size_t count, const char *what, struct fail *fail)
{
	json_object_object_foreach(object, key, value) {
		(void)value;
		if (!is_known(fields, count, key))
			return fail_set(fail, -EINVAL, "'%.40s' is not %s: is it misspelt, or this "
					"agent older than who asks?", key, what);
	}
	return 0;
}

/**
 * fields_get() - set the members of a struct that a JSON object names
 * @object: what came; keys that no row names are ignored
 * @fields: the table
 * @count: rows of it
 * @data: the struct; members whose keys are absent keep their values
 * @fail: says which value is wrong
 *
 * Return: 0 or -EINVAL; then @data is partly set.
 */
int fields_get(struct json_object *object, const struct field *fields,
	       size_t count, void *data, struct fail *fail)
{
	struct json_object *value;
	size_t i;
	int ret;

	for (i = 0; i < count; i++) {
		if (!json_object_object_get_ex(object, fields[i].key, &value))
			continue;
		ret = field_from_json(&fields[i], value,
				      (char *)data + fields[i].offset, fail);
		if (ret)
			return ret;
	}
	return 0;
}
