/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beat.c - find and read a guest's report on its serial line. */
#include "beat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "domain.h"

#define SERIAL_MAX	(1u << 16)
#define READY		"straddle-guest: ready"
#define BEAT		"straddle-guest: boot="

static const char *value_of(const char *line, const char *key)
{
	char pattern[24];
	const char *at;

	snprintf(pattern, sizeof(pattern), " %s=", key);
	at = strstr(line, pattern);
	return at ? at + strlen(pattern) : NULL;
}

/**
 * beat_parse() - read one line of a guest's report
 * @line: the line
 * @beat: receives it; unchanged when the line is none
 *
 * Return: true when all is there.
 */
bool beat_parse(const char *line, struct beat *beat)
{
	struct beat got = { .n = 0 };
	const struct {
		const char *key;
		uint64_t *value;
	} numbers[] = {
		{ "n", &got.n }, { "writes", &got.writes }, { "bad", &got.bad },
		{ "disk_ok", &got.disk_ok }, { "disk_bad", &got.disk_bad },
		{ "disk_err", &got.disk_err }, { "echo", &got.echo },
		{ "clock_back", &got.clock_back }, { "witness", &got.witness },
		{ "twins", &got.twins },
	};
	const char *boot = value_of(line, "boot");
	size_t i;

	if (!boot)
		return false;
	snprintf(got.boot, sizeof(got.boot), "%.16s", boot);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *value = value_of(line, numbers[i].key);

		if (!value)
			return false;
		*numbers[i].value = strtoull(value, NULL, 10);
	}
	*beat = got;
	return true;
}

/**
 * beat_read() - the last whole line of a guest's report since it booted
 * @virt: the host; what the guest said elsewhere does not count
 * @name: of the domain
 * @beat: receives it; unchanged when there is none
 *
 * Return: true when there is one.
 */
bool beat_read(const struct virt_host *virt, const char *name,
	       struct beat *beat)
{
	__cleanup_free char *text = malloc(SERIAL_MAX);
	struct beat last;
	char *line, *end;
	bool found = false;

	if (!text || domain_serial(virt, name, text, SERIAL_MAX))
		return false;
	for (line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (!strncmp(line, READY, strlen(READY)))
			found = false;
		if (!strncmp(line, BEAT, strlen(BEAT)))
			found |= beat_parse(line, &last);
	}
	if (found)
		*beat = last;
	return found;
}
