// SPDX-License-Identifier: LGPL-2.1-or-later
/* parse.c - the whole text or nothing; no sign, no space. */
#include "tools/lib/parse.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "protocol/guest.h"

static int digits(const char *text, uint64_t *number, const char **rest)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'),
					   &value))
			return -ERANGE;
	}
	*number = value;
	*rest = text;
	return 0;
}

/**
 * parse_count() - a number without a unit
 * @text: the number
 * @count: receives it
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int parse_count(const char *text, uint64_t *count)
{
	const char *rest;
	int ret = digits(text, count, &rest);

	return ret ? ret : *rest ? -EINVAL : 0;
}

/**
 * parse_size() - bytes, or a number with one of the units K, M, G, T
 * @text: the size
 * @size: receives the bytes, on success
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	uint64_t value;
	int ret = digits(text, &value, &rest);

	if (ret)
		return ret;
	if (*rest) {
		unit = strchr(units, toupper((unsigned char)*rest));
		if (!unit || rest[1])
			return -EINVAL;
		if (__builtin_mul_overflow(value,
					   1024ull << 10 * (unit - units),
					   &value))
			return -ERANGE;
	}
	*size = value;
	return 0;
}

/**
 * parse_uuid() - is it a UUID in its usual form?
 * @text: 36 characters, of either case
 *
 * Return: 0 or -EINVAL.
 */
int parse_uuid(const char *text)
{
	size_t i;

	if (strlen(text) != GUEST_UUID_SIZE - 1)
		return -EINVAL;
	for (i = 0; i < GUEST_UUID_SIZE - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return -EINVAL;
	}
	return 0;
}
