/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* deadline.h - one time limit over several waits. */
#ifndef STRADDLE_DEADLINE_H
#define STRADDLE_DEADLINE_H

#include <limits.h>

#include "sys.h"

#define DEADLINE_NEVER	UINT64_MAX

/* When a limit of @timeout_ms that starts now is over; -1: never. */
static inline uint64_t deadline_after(int timeout_ms)
{
	if (timeout_ms < 0)
		return DEADLINE_NEVER;
	return now_ns() + (uint64_t)timeout_ms * 1000000u;
}

/* What is left, for poll(): milliseconds rounded up, 0 when over, or -1. */
static inline int deadline_left_ms(uint64_t deadline)
{
	uint64_t now = now_ns(), left;

	if (deadline == DEADLINE_NEVER)
		return -1;
	if (now >= deadline)
		return 0;
	left = (deadline - now + 999999u) / 1000000u;
	return left > INT_MAX ? INT_MAX : (int)left;
}

#endif
