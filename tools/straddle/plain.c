/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plain.c - print what others named without obeying it. */
#include <inttypes.h>
#include <stddef.h>

#include "plain.h"

/**
 * plain_put() - print text that may hold anything
 * @file: where to
 * @text: a control character, which a terminal would obey, becomes '?'
 */
void plain_put(FILE *file, const char *text)
{
	const unsigned char *at;

	for (at = (const unsigned char *)text; *at; at++)
		fputc(*at < 0x20 || *at == 0x7f ? '?' : *at, file);
}

/**
 * bytes_words() - a number of bytes for people
 * @bytes: the number
 * @words: receives "1.5 GiB"
 *
 * Return: @words.
 */
const char *bytes_words(uint64_t bytes, char words[QUANTITY_MAX])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(words, QUANTITY_MAX, "%" PRIu64 " B", bytes);
		return words;
	}
	while (value >= 1024 && i < 3) {
		value /= 1024;
		i++;
	}
	snprintf(words, QUANTITY_MAX, "%.1f %s", value, units[i]);
	return words;
}

/**
 * time_words() - a time for people
 * @ns: nanoseconds
 * @words: receives "12.3 s", "45.0 ms" or "6.7 us"
 *
 * Return: @words.
 */
const char *time_words(uint64_t ns, char words[QUANTITY_MAX])
{
	double value = (double)ns;

	if (ns >= 1000000000)
		snprintf(words, QUANTITY_MAX, "%.1f s", value / 1e9);
	else if (ns >= 1000000)
		snprintf(words, QUANTITY_MAX, "%.1f ms", value / 1e6);
	else
		snprintf(words, QUANTITY_MAX, "%.1f us", value / 1e3);
	return words;
}
