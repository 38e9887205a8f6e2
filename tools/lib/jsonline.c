/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jsonline.c - collect bytes up to a newline, parse one object from them. */
#include <ctype.h>
#include <json-c/json.h>
#include <string.h>

#include "sys.h"
#include "tools/lib/jsonline.h"

#define DEPTH_MAX	16	/* of nested objects: what the peer may make */
#define MEMORY_MAX	(64u << 20)	/* bytes of all that it may make */
#define OBJECT_SIZE	1024	/* bytes that json-c takes, and some more */
#define ARRAY_SIZE	256
#define VALUE_SIZE	128

/**
 * jsonline_init() - start with nothing received
 * @line: what to set up
 * @max: bytes of the longest line, its newline included
 *
 * Return: 0 or -ENOMEM.
 */
int jsonline_init(struct jsonline *line, size_t max)
{
	*line = (struct jsonline){ .buf = malloc(max), .max = max };
	return line->buf ? 0 : -ENOMEM;
}

/**
 * jsonline_fini() - free the buffer
 * @line: may be all zeroes
 */
void jsonline_fini(struct jsonline *line)
{
	free(line->buf);
	*line = (struct jsonline){ .buf = NULL };
}

/**
 * jsonline_read() - receive what fits
 * @line: where to
 * @fd: stream to read once from
 *
 * Return: bytes received, 0 at end of file, -EMSGSIZE when a whole buffer
 * holds no newline, or another -errno.
 */
ssize_t jsonline_read(struct jsonline *line, int fd)
{
	ssize_t got;

	line->used -= line->taken;
	memmove(line->buf, line->buf + line->taken, line->used);
	line->taken = 0;
	if (jsonline_full(line))
		return -EMSGSIZE;
	got = sys_retry(read(fd, line->buf + line->used, line->max - line->used));
	if (got > 0)
		line->used += (size_t)got;
	return got;
}

static char *line_end(const struct jsonline *line)
{
	return memchr(line->buf + line->taken, '\n', line->used - line->taken);
}

/**
 * jsonline_ready() - is a whole line there?
 * @line: the receiver
 *
 * Return: true if jsonline_next() would take one.
 */
bool jsonline_ready(const struct jsonline *line)
{
	return line_end(line);
}

/**
 * jsonline_full() - is the line that has begun too long to be ended?
 * @line: the receiver
 *
 * Return: true if it fills the buffer.
 */
bool jsonline_full(const struct jsonline *line)
{
	return line->used - line->taken == line->max;
}

/* What the structure costs; strings cost what they are long. */
static size_t json_cost(char c)
{
	switch (c) {
	case '{':
		return OBJECT_SIZE;
	case '[':
		return ARRAY_SIZE;
	case ',':
	case ':':
		return VALUE_SIZE;
	default:
		return 0;
	}
}

/*
 * Three bytes of "{}," take json-c 800: a definition of a megabyte is then a
 * quarter of a gigabyte. In strict JSON no other quotes hide a bracket.
 */
static bool is_bounded(const char *text, size_t size)
{
	bool quoted = false;
	size_t i, cost = 0;

	for (i = 0; i < size && cost <= MEMORY_MAX; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted && text[i] == '\\')
			i++;
		else if (!quoted)
			cost += json_cost(text[i]);
	}
	return cost <= MEMORY_MAX;
}

/**
 * json_parse() - one object out of text from elsewhere
 * @text: need not end in NUL; may have space around the object
 * @size: bytes of it
 * @object: receives it, the caller's; unchanged on error
 *
 * Return: 0, -EPROTO (not exactly one JSON object, nested too deep, or of too
 * many pieces) or -ENOMEM.
 */
int json_parse(const char *text, size_t size, struct json_object **object)
{
	struct json_tokener *tokener;
	struct json_object *got;
	int ret = 0;

	while (size && isspace((unsigned char)text[size - 1]))
		size--;
	if (!is_bounded(text, size))
		return -EPROTO;
	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	got = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != size ||
	    !json_object_is_type(got, json_type_object))
		ret = -EPROTO;
	json_tokener_free(tokener);
	if (ret)
		json_object_put(got);
	else
		*object = got;
	return ret;
}

/**
 * jsonline_next() - take the next whole line out of the buffer
 * @line: the receiver
 * @object: receives it, the caller's; unchanged on error
 *
 * A carriage return before the line feed is none of the line's.
 *
 * Return: 1: @object is set, 0: no whole line is there, -EPROTO: the line was
 * no JSON object; it is gone, and the next one can be asked for.
 */
int jsonline_next(struct jsonline *line, struct json_object **object)
{
	char *start = line->buf + line->taken, *end = line_end(line);
	size_t size;
	int ret;

	if (!end)
		return 0;
	size = (size_t)(end - start);
	size -= size && start[size - 1] == '\r';
	ret = json_parse(start, size, object);
	line->taken += (size_t)(end - start) + 1;
	return ret ? ret : 1;
}

/**
 * jsonline_write() - send one object, all of it
 * @fd: stream that blocks
 * @object: what to send
 *
 * Return: 0 or -errno.
 */
int jsonline_write(int fd, struct json_object *object)
{
	size_t length;
	const char *text = json_object_to_json_string_length(object,
					JSON_C_TO_STRING_PLAIN, &length);
	int ret = sys_write_all(fd, text, length);

	return ret ? ret : sys_write_all(fd, "\n", 1);
}

/**
 * json_text() - a string member
 * @object: where to look
 * @key: which
 *
 * Return: the string, @object's, or NULL: no such member, or not a string.
 */
const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}
