/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ratelimit.h - so many of something in a period, whoever causes it.
 *
 * As the kernel's: a burst passes, the rest of the period is counted only.
 */
#ifndef STRADDLE_RATELIMIT_H
#define STRADDLE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct ratelimit {
	uint64_t period_ns;
	unsigned int burst;	/* that pass in a period */
	bool begun;
	uint64_t since_ns;	/* when the period began */
	unsigned int passed;	/* in it */
	unsigned int missed;	/* that did not, and that nobody has told of */
};

/**
 * ratelimit_pass() - one more: does it pass?
 * @limit: not for two threads at once
 * @now_ns: of a clock that only goes on
 * @missed: receives how many did not pass before, once
 *
 * Return: true if it does.
 */
static inline bool ratelimit_pass(struct ratelimit *limit, uint64_t now_ns,
				  unsigned int *missed)
{
	if (!limit->begun || now_ns - limit->since_ns >= limit->period_ns) {
		limit->begun = true;
		limit->since_ns = now_ns;
		limit->passed = 0;
	}
	*missed = 0;
	if (limit->passed == limit->burst) {
		limit->missed++;
		return false;
	}
	limit->passed++;
	*missed = limit->missed;
	limit->missed = 0;
	return true;
}

/**
 * ratelimit_over() - take note of who did not pass, when the period is over
 * @limit: not for two threads at once
 * @now_ns: of the same clock
 *
 * Return: how many they were, once; 0: nobody, or the period goes on.
 */
static inline unsigned int ratelimit_over(struct ratelimit *limit, uint64_t now_ns)
{
	unsigned int missed = limit->missed;

	if (now_ns - limit->since_ns < limit->period_ns)
		return 0;
	limit->missed = 0;
	return missed;
}

#endif
