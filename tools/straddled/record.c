/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record.c - which members of a journal row who may see. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "proc.h"
#include "record.h"
#include "tools/lib/fields.h"
#include "tools/lib/jsonline.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What a worker says of a row that is to begin. */
static const struct field begin_fields[] = {
	FIELD(TEXT, struct journal_row, guest),
	FIELD(TEXT, struct journal_row, uuid),
	FIELD(TEXT, struct journal_row, peer),
	FIELD(TEXT, struct journal_row, peer_digest),
	FIELD(U64, struct journal_row, epoch),
	FIELD(U64, struct journal_row, guest_pid),
	FIELD(BOOL, struct journal_row, paused),
};

/* What users see. */
static const struct field user_fields[] = {
	FIELD(TEXT, struct journal_row, id),
	FIELD(TEXT, struct journal_row, guest),
	FIELD(TEXT, struct journal_row, uuid),
	FIELD(TEXT, struct journal_row, peer),
	FIELD(TEXT, struct journal_row, went_to),
	FIELD(U64, struct journal_row, began_ns),
	FIELD(U64, struct journal_row, ended_ns),
	FIELD(BOOL, struct journal_row, acknowledged),
	FIELD(TEXT, struct journal_row, error),
};

static void text_add_json(struct json_object *object, const char *key, const char *text)
{
	struct json_object *value = NULL;

	if (text)
		(void)json_parse(text, strlen(text), &value);
	json_object_object_add(object, key, value);
}

/**
 * record_to_json() - a row as users see it
 * @row: of the journal
 *
 * Return: a new object, the caller's.
 */
struct json_object *record_to_json(const struct journal_row *row)
{
	struct json_object *object = json_object_new_object();

	fields_put(object, user_fields, COUNT(user_fields), row);
	json_object_object_add(object, "side", json_object_new_string(side_name(row->side)));
	json_object_object_add(object, "state",
			       json_object_new_string(owner_state_name(row->state)));
	text_add_json(object, "summary", row->summary);
	return object;
}

/**
 * record_for_answer() - a row as a worker needs it that answers from it
 * @row: of the journal
 *
 * Return: a new object, the caller's.
 */
struct json_object *record_for_answer(const struct journal_row *row)
{
	struct json_object *object = json_object_new_object();

	fields_put(object, begin_fields, COUNT(begin_fields), row);
	json_object_object_add(object, "state",
			       json_object_new_string(owner_state_name(row->state)));
	json_object_object_add(object, "went_to", json_object_new_string(row->went_to));
	json_object_object_add(object, "error", json_object_new_string(row->error));
	/* 0: it is gone; less: the row does not say which it is, or nobody knows. */
	json_object_object_add(object, "process_pid",
			       json_object_new_int(proc_identified(row->process)));
	json_object_object_add(object, "acknowledged",
			       json_object_new_boolean(row->acknowledged));
	json_object_object_add(object, "proof",
			       row->proof ? json_object_new_string(row->proof) : NULL);
	return object;
}

/**
 * record_from_json() - the row that a worker asks to begin
 * @object: as it came
 * @row: receives what it says of guest, peer and epoch
 * @fail: says which value is wrong
 *
 * Return: 0 or -EINVAL.
 */
int record_from_json(struct json_object *object, struct journal_row *row,
		     struct fail *fail)
{
	int ret = fields_get(object, begin_fields, COUNT(begin_fields), row, fail);

	if (ret)
		return ret;
	if (!*row->guest || !*row->uuid)
		return fail_set(fail, -EINVAL, "'begin' of a guest without name or UUID");
	return 0;
}
