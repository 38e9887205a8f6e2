/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - one line a message, whole even when threads and processes mix. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "ratelimit.h"
#include "sys.h"

int log_level = LOG_NOTICE;
uint64_t log_limit_ns = UINT64_C(60000000000);

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

static struct refusals {
	const char *what;
	int level;
	struct ratelimit limit;
} refusals[REFUSAL_KINDS] = {
#define LIMIT	{ .burst = LOG_LIMIT }
	[REFUSED_STRANGER] = { "connections of who has proven nothing", LOG_NOTICE, LIMIT },
	[REFUSED_PEER] = { "hosts that have proven who they are", LOG_NOTICE, LIMIT },
	[REFUSED_CLIENT] = { "users of this host", LOG_NOTICE, LIMIT },
	[REFUSED_SCARCE] = { "connections that no descriptor is left for", LOG_WARNING, LIMIT },
#undef LIMIT
};

static pthread_mutex_t refusals_lock = PTHREAD_MUTEX_INITIALIZER;

static void missed_tell(const struct refusals *kind, unsigned int missed)
{
	if (missed)
		log_line(kind->level, "%u more lines were left out: of refusals of %s there are "
			 "%d a minute", missed, kind->what, LOG_LIMIT);
}

/**
 * log_refusal() - write a line that others may cause, as often as they like
 * @kind: who they are
 * @fmt: the text, no newline
 *
 * Any thread may call. Of what is too much the next line says how much it was, or
 * log_left_out(), which the program has to call.
 */
void log_refusal(enum refusal_kind kind, const char *fmt, ...)
{
	struct refusals *those = &refusals[kind];
	unsigned int missed;
	char text[1024];
	va_list args;
	bool pass;

	if (those->level > log_level)
		return;
	pthread_mutex_lock(&refusals_lock);
	those->limit.period_ns = log_limit_ns;
	pass = ratelimit_pass(&those->limit, now_ns(), &missed);
	pthread_mutex_unlock(&refusals_lock);
	if (!pass)
		return;
	missed_tell(those, missed);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_line(those->level, "%s", text);
}

/**
 * log_left_out() - say how many refusals were left out, where their minute is over
 * @now_ns: now_ns(); UINT64_MAX: all that were, as the program ends
 *
 * Any thread may call.
 *
 * Return: when the next minute is over of which there is something to say, or 0.
 */
uint64_t log_left_out(uint64_t now_ns)
{
	unsigned int i, missed;
	uint64_t end, due = 0;

	for (i = 0; i < REFUSAL_KINDS; i++) {
		struct ratelimit *limit = &refusals[i].limit;

		pthread_mutex_lock(&refusals_lock);
		missed = ratelimit_over(limit, now_ns);
		end = limit->missed ? limit->since_ns + limit->period_ns : 0;
		pthread_mutex_unlock(&refusals_lock);
		missed_tell(&refusals[i], missed);
		if (end && (!due || end < due))
			due = end;
	}
	return due;
}
