/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console.h - the guest's console: the last bytes it wrote. */
#ifndef STRADDLE_VMM_CONSOLE_H
#define STRADDLE_VMM_CONSOLE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_SIZE	4096

struct console {
	pthread_mutex_t lock;	/* all of it */
	uint64_t written;	/* bytes ever; the last ones are kept */
	char ring[CONSOLE_SIZE];
};

void console_init(struct console *console);
void console_put(struct console *console, char byte);
size_t console_read(struct console *console, char *text);
void console_replace(struct console *console, const char *text, size_t size);

#endif
