/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fail.h - the first reason why something failed, in words for the user.
 *
 * Functions return 0 or -errno; those whose failure a user will read also
 * take a struct fail. The first text wins: what follows a failure is noise.
 */
#ifndef STRADDLE_FAIL_H
#define STRADDLE_FAIL_H

#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

#define FAIL_TEXT_MAX	2048	/* bytes, NUL included: several obstacles */

struct fail {
	int err;		/* -errno of the first failure, 0: none yet */
	char text[FAIL_TEXT_MAX];		/* what, where, why, what to do; no newline */
};

/**
 * fail_set() - note a failure, unless an earlier one stands already
 * @fail: where to note it, or NULL
 * @err: -errno
 * @fmt: what was being done, to what, where, why, what to do next
 *
 * Return: @err, so that "return fail_set(...)" reads well.
 */
__attribute__((format(printf, 3, 4)))
static inline int fail_set(struct fail *fail, int err, const char *fmt, ...)
{
	va_list args;

	if (!fail || fail->err)
		return err;
	fail->err = err;
	va_start(args, fmt);
	vsnprintf(fail->text, sizeof(fail->text), fmt, args);
	va_end(args);
	utf8_mend(fail->text);	/* of a peer, of QEMU; or cut to fit */
	return err;
}

#endif
