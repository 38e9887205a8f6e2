/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * codec.c - bodies of messages from bytes, and what their fields may hold.
 *
 * Two bytes of an unknown field cost protobuf-c about fifty bytes of memory,
 * so the memory that a body may take is bounded apart from its length. Text
 * from a peer ends up on a terminal: it is UTF-8 with no control characters,
 * but for definitions, which have lines.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/codec.h"
#include "protocol/cookie.h"
#include "protocol/guest.h"
#include "sys.h"
#include "utf8.h"

#define BUDGET_FACTOR	4		/* memory for a byte of body */
#define BUDGET_BASE	(256u << 10)	/* bytes, for what is short */
#define REASON_MAX	4096		/* bytes */
#define COOKIE_MAX	65536		/* bytes */

/* What one field may hold; fields of numbers need no row. */
struct field_rule {
	const ProtobufCMessageDescriptor *message;
	const char *field;
	size_t min;			/* bytes; or elements, if repeated */
	size_t max;
	bool lines;			/* text of several lines */
};

static const struct field_rule field_table[] = {
	{ &straddle__region__descriptor, "name", 1, GUEST_REGION_NAME_MAX - 1, false },
	{ &straddle__prepare__descriptor, "guest", 1, GUEST_NAME_MAX - 1, false },
	{ &straddle__prepare__descriptor, "dest_name", 1, GUEST_NAME_MAX - 1, false },
	{ &straddle__prepare__descriptor, "uuid", 1, GUEST_UUID_SIZE - 1, false },
	{ &straddle__prepare__descriptor, "live", 1, GUEST_DEFINITION_MAX, true },
	{ &straddle__prepare__descriptor, "given", 1, GUEST_DEFINITION_MAX, true },
	{ &straddle__prepare__descriptor, "regions", 0, GUEST_REGIONS_MAX, false },
	{ &straddle__disk__descriptor, "target", 1, 31, false },
	{ &straddle__disk__descriptor, "path", 1, 511, false },
	{ &straddle__disk__descriptor, "identity", 1, 127, false },
	{ &straddle__disk__descriptor, "backing", 1, 511, false },
	{ &straddle__disk__descriptor, "backing_format", 1, 15, false },
	{ &straddle__prepare__descriptor, "version", 0, 63, false },
	{ &straddle__prepare__descriptor, "boot_id", 0, 63, false },
	{ &straddle__prepare__descriptor, "disks", 0, GUEST_DISKS_MAX, false },
	{ &straddle__prepare__descriptor, "hypervisor", 1, GUEST_NAME_MAX - 1, false },
	{ &straddle__prepare__descriptor, "cookie", 0, COOKIE_MAX, false },
	{ &straddle__prepared__descriptor, "token", 32, 32, false },
	{ &straddle__prepared__descriptor, "cookie", 0, COOKIE_MAX, false },
	{ &straddle__prepared__descriptor, "host", 0, 255, false },
	{ &straddle__prepared__descriptor, "copy", 0, GUEST_DISKS_MAX, false },
	{ &straddle__page_set__descriptor, "bitmap", 0, 2u << 20, false },
	{ &straddle__state__descriptor, "data", 0, 2u << 20, false },
	{ &straddle__finish__descriptor, "persistent", 1, GUEST_DEFINITION_MAX, true },
	{ &straddle__finish__descriptor, "cookie", 0, COOKIE_MAX, false },
	{ &straddle__answer__descriptor, "reason", 0, REASON_MAX, false },
	{ &straddle__answer__descriptor, "proof", 0, GUEST_REGIONS_MAX, false },
	{ &straddle__answer__descriptor, "cookie", 0, COOKIE_MAX, false },
	{ &straddle__query__descriptor, "migration", 16, 16, false },
	{ &straddle__supersede__descriptor, "migration", 16, 16, false },
	{ &straddle__cancel__descriptor, "reason", 0, REASON_MAX, false },
	{ &straddle__confirmed__descriptor, "cookie", 0, COOKIE_MAX, false },
	{ &straddle__recovered__descriptor, "token", 32, 32, false },
	{ &straddle__broken__descriptor, "reason", 0, REASON_MAX, false },
	{ &straddle__failed__descriptor, "reason", 0, REASON_MAX, false },
	{ &straddle__cookie__descriptor, "host", 1, COOKIE_TEXT_MAX - 1, false },
	{ &straddle__cookie__descriptor, "release", 1, COOKIE_TEXT_MAX - 1, false },
};

static const struct field_rule *field_rule(const ProtobufCMessageDescriptor *message,
					   const char *field)
{
	size_t i;

	for (i = 0; i < sizeof(field_table) / sizeof(field_table[0]); i++)
		if (field_table[i].message == message && !strcmp(field_table[i].field, field))
			return &field_table[i];
	return NULL;
}

/* ---- memory ------------------------------------------------------------ */

/* What is freed while decoding is not given back: the bound is on the sum. */
static void *budget_alloc(void *data, size_t size)
{
	size_t *left = data;

	if (size > *left)
		return NULL;
	*left -= size;
	return malloc(size);
}

static void budget_free(void *data, void *pointer)
{
	(void)data;
	free(pointer);
}

/* ---- text -------------------------------------------------------------- */

static bool text_shown(const char *text, bool lines)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t code;

	while (*at) {
		int length = utf8_char(at, &code);

		if (!length || !(utf8_shown(code) ||
				 (lines && (code == '\n' || code == '\t'))))
			return false;
		at += length;
	}
	return true;
}

/* ---- fields ------------------------------------------------------------ */

static int body_check(const ProtobufCMessage *body, struct fail *fail);

static int size_check(const ProtobufCMessage *body,
		      const ProtobufCFieldDescriptor *field, size_t size,
		      struct fail *fail)
{
	const struct field_rule *rule = field_rule(body->descriptor, field->name);

	if (!rule)
		return fail_set(fail, -EPROTO, "%s of %s has no rule", field->name,
				body->descriptor->short_name);
	if (size < rule->min || size > rule->max)
		return fail_set(fail, -EPROTO, "%s of %s has length %zu; %zu to %zu are legal",
				field->name, body->descriptor->short_name, size,
				rule->min, rule->max);
	return 0;
}

static int string_check(const ProtobufCMessage *body,
			const ProtobufCFieldDescriptor *field,
			const char *text, struct fail *fail)
{
	const struct field_rule *rule = field_rule(body->descriptor, field->name);
	int ret;

	if (!text)
		return 0;
	ret = size_check(body, field, strlen(text), fail);
	if (ret)
		return ret;
	if (!text_shown(text, rule->lines))
		return fail_set(fail, -EPROTO, "%s of %s is no printable UTF-8 text",
				field->name, body->descriptor->short_name);
	return 0;
}

static int repeated_check(const ProtobufCMessage *body,
			  const ProtobufCFieldDescriptor *field,
			  struct fail *fail)
{
	const char *base = (const char *)body;
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset), i;
	ProtobufCMessage *const *list = *(ProtobufCMessage *const *const *)(const void *)
					(base + field->offset);
	int ret = size_check(body, field, count, fail);

	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return ret;
	for (i = 0; i < count && !ret; i++)
		ret = body_check(list[i], fail);
	return ret;
}

/* protobuf-c takes any number; what is not there has the first of its values. */
static int enum_check(const ProtobufCMessage *body,
		      const ProtobufCFieldDescriptor *field, int value,
		      struct fail *fail)
{
	if (protobuf_c_enum_descriptor_get_value(field->descriptor, value))
		return 0;
	return fail_set(fail, -EPROTO, "%s of %s has no value %d", field->name,
			body->descriptor->short_name, value);
}

static int field_check(const ProtobufCMessage *body,
		       const ProtobufCFieldDescriptor *field, struct fail *fail)
{
	const char *base = (const char *)body;
	const void *member = base + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return repeated_check(body, field, fail);
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return string_check(body, field, *(const char *const *)member, fail);
	if (field->type == PROTOBUF_C_TYPE_ENUM)
		return enum_check(body, field, *(const int *)member, fail);
	if (field->type != PROTOBUF_C_TYPE_BYTES)
		return 0;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL &&
	    !*(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset))
		return 0;
	return size_check(body, field, ((const ProtobufCBinaryData *)member)->len, fail);
}

static int body_check(const ProtobufCMessage *body, struct fail *fail)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < body->descriptor->n_fields && !ret; i++)
		ret = field_check(body, &body->descriptor->fields[i], fail);
	return ret;
}

/**
 * codec_decode() - make a body of bytes from a peer
 * @rule: the message's row; has a body
 * @bytes: the body as received
 * @size: bytes, within the rule's limit
 * @body: receives the body; codec_free() frees it
 * @fail: says what is wrong with it
 *
 * Takes at most BUDGET_FACTOR times the limit plus BUDGET_BASE of memory.
 *
 * Return: 0 or -EPROTO.
 */
int codec_decode(const struct message_rule *rule, const uint8_t *bytes,
		 size_t size, ProtobufCMessage **body, struct fail *fail)
{
	size_t left = (size_t)rule->limit * BUDGET_FACTOR + BUDGET_BASE;
	ProtobufCAllocator allocator = {
		.alloc = budget_alloc,
		.free = budget_free,
		.allocator_data = &left,
	};
	ProtobufCMessage *new;
	int ret;

	new = protobuf_c_message_unpack(rule->body, &allocator, size, bytes);
	if (!new)
		return fail_set(fail, -EPROTO, "the body of %s (%zu bytes) is malformed: the peer "
				"is broken, or no Straddle", rule->name, size);
	ret = body_check(new, fail);
	if (ret) {
		codec_free(new);
		return ret;
	}
	*body = new;
	return 0;
}

/**
 * codec_free() - free a body
 * @body: of codec_decode(); NULL is fine
 */
void codec_free(ProtobufCMessage *body)
{
	if (body)
		protobuf_c_message_free_unpacked(body, NULL);
}
