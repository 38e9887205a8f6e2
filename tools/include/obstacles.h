/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * obstacles.h - everything that is in the way, in one message.
 *
 * Whoever removes one obstacle only to be told the next gives up at the third.
 */
#ifndef STRADDLE_OBSTACLES_H
#define STRADDLE_OBSTACLES_H

#include "fail.h"

struct obstacles {
	int err;		/* -errno of the first, 0: none */
	size_t used;
	char text[FAIL_TEXT_MAX - 128];
};

/**
 * obstacle() - note one more
 * @all: those found so far
 * @err: -errno
 * @fmt: what is in the way, and what to do about it; no full stop
 */
__attribute__((format(printf, 3, 4)))
static inline void obstacle(struct obstacles *all, int err, const char *fmt,
			    ...)
{
	size_t room = sizeof(all->text) - all->used;
	va_list args;
	int length;

	if (!all->err)
		all->err = err;
	length = snprintf(all->text + all->used, room, "%s",
			  all->used ? "; " : "");
	if (length < 0 || (size_t)length >= room)
		return;
	all->used += (size_t)length;
	room -= (size_t)length;
	va_start(args, fmt);
	length = vsnprintf(all->text + all->used, room, fmt, args);
	va_end(args);
	if (length > 0)
		all->used += (size_t)length < room ? (size_t)length : room - 1;
}

#endif
