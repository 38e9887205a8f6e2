// SPDX-License-Identifier: LGPL-2.1-or-later
/* console.c - lines to and from the bench guest. */
#include "tools/bench/console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/bench/program.h"

#define ORDER_MAX	80

/**
 * console_open() - connect to a guest's serial line
 * @console: receives it
 * @path: of its socket
 *
 * Return: 0; -EAGAIN: nobody listens yet; or -errno.
 */
int console_open(struct console *console, const char *path)
{
	console->used = 0;
	console->fd = socket_meet(path);
	return console->fd < 0 ? console->fd : 0;
}

/**
 * console_close() - hang up
 * @console: open or not
 */
void console_close(struct console *console)
{
	if (console->fd >= 0)
		close(console->fd);
	console->fd = -1;
}

/**
 * console_order() - tell the guest to do something
 * @console: open
 * @format: of the line, without its line feed
 *
 * Return: 0 or -errno.
 */
int console_order(struct console *console, const char *format, ...)
{
	char line[ORDER_MAX];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (size < 0 || size >= (int)sizeof(line) - 1)
		return -EMSGSIZE;
	line[size++] = '\n';
	return sys_write_all(console->fd, line, (size_t)size);
}

/* One line out of what has come; 0: there is none yet. */
static int line_take(struct console *console, char *line, size_t size)
{
	char *end = memchr(console->buf, '\n', console->used);
	size_t length;

	if (!end)
		return console->used == sizeof(console->buf) ? -EMSGSIZE : 0;
	length = (size_t)(end - console->buf);
	snprintf(line, size, "%.*s", (int)length, console->buf);
	console->used -= length + 1;
	memmove(console->buf, end + 1, console->used);
	return 1;
}

/**
 * console_line() - what the guest says
 * @console: open
 * @timeout_ms: how long to wait for the next bytes of it
 * @line: receives it, without its line feed
 * @size: of @line
 *
 * Return: 0, -ETIMEDOUT, -EPIPE (QEMU has ended) or -errno.
 */
int console_line(struct console *console, int timeout_ms, char *line, size_t size)
{
	for (;;) {
		int ret = line_take(console, line, size);
		ssize_t got;

		if (ret)
			return ret < 0 ? ret : 0;
		ret = sys_wait_fd(console->fd, POLLIN, timeout_ms);
		if (ret)
			return ret;
		got = sys_retry(read(console->fd, console->buf + console->used,
				     sizeof(console->buf) - console->used));
		if (got <= 0)
			return got ? (int)got : -EPIPE;
		console->used += (size_t)got;
	}
}

/**
 * console_expect() - wait for a line, and pass over all others
 * @console: open
 * @word: that it begins with
 * @numbers: receives those behind it
 * @count: how many there have to be
 * @timeout_ms: how long the guest may say nothing at all
 * @fail: says what came instead
 *
 * Return: 0 or -errno.
 */
int console_expect(struct console *console, const char *word, uint64_t *numbers,
		   unsigned int count, int timeout_ms, struct fail *fail)
{
	size_t length = strlen(word);
	char line[128] = "", *at = line;
	unsigned int i;
	int ret;

	do {
		ret = console_line(console, timeout_ms, line, sizeof(line));
		if (!ret && !strncmp(line, "error", 5))
			ret = -EINVAL;
		if (ret)
			return fail_set(fail, ret, "the guest does not say '%s': %s", word,
					strerror(-ret));
	} while (strncmp(line, word, length) || line[length] != ' ');
	at += length;
	for (i = 0; i < count; i++)
		numbers[i] = strtoull(at, &at, 10);
	return 0;
}
