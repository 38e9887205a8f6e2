/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console.h - the bench guest's serial line: orders, and what it says. */
#ifndef STRADDLE_BENCH_CONSOLE_H
#define STRADDLE_BENCH_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fail.h"

struct console {
	int fd;				/* -1: not open */
	char buf[4096];
	size_t used;
};

int console_open(struct console *console, const char *path);
void console_close(struct console *console);
int console_order(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int console_line(struct console *console, int timeout_ms, char *line, size_t size);
int console_expect(struct console *console, const char *word, uint64_t *numbers,
		   unsigned int count, int timeout_ms, struct fail *fail);

#endif
