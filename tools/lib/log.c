/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - one line a message, whole even when threads and processes mix. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "sys.h"

int log_level = LOG_NOTICE;

static size_t line_start(char *line, size_t size, int level)
{
	if (getenv("JOURNAL_STREAM"))
		return (size_t)snprintf(line, size, "<%d>", level);
	return (size_t)snprintf(line, size, "%s: ",
				program_invocation_short_name);
}

/**
 * log_line() - write one line to stderr, if the level asks for it
 * @level: LOG_ERR .. LOG_DEBUG
 * @fmt: the text, no newline; what passes 1 KiB is cut off
 *
 * One write() a line: lines of several threads and of the processes that
 * share stderr do not mix. A line that cannot be written is lost.
 */
void log_line(int level, const char *fmt, ...)
{
	char line[1024];
	size_t used, room;
	va_list args;
	int len;

	if (level > log_level)
		return;
	used = line_start(line, sizeof(line) / 2, level);
	room = sizeof(line) - used - 1;
	va_start(args, fmt);
	len = vsnprintf(line + used, room, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	used += (size_t)len < room ? (size_t)len : room - 1;
	line[used++] = '\n';
	sys_write_all(STDERR_FILENO, line, used);
}
