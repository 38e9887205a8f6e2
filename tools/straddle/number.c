/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* number.c - digits only, and not too large. */
#include <errno.h>

#include "number.h"

/**
 * number_parse() - a whole number, all of a text
 * @text: decimal digits, nothing else
 * @max: the largest that is taken
 * @number: receives it; unchanged on error
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int number_parse(const char *text, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value) ||
		    value > max)
			return -ERANGE;
	}
	*number = value;
	return 0;
}
