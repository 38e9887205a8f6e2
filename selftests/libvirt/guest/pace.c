// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pace.c - periodic ticks, and work at a rate.
 */
#include <sys/timerfd.h>

#include "sys.h"
#include "guest.h"

#define TICK_NS		(5ull * NS_PER_MS)
/* What a thread that was late may make up for: no burst after a standstill. */
#define CREDIT_NS	(100ull * NS_PER_MS)
/* Units at once when there is no rate. */
#define UNLIMITED	64u

/**
 * ticker_create() - a timer that expires again and again
 *
 * Return: a descriptor for ticker_wait(), or -errno, which was reported.
 */
int ticker_create(uint64_t period_ns)
{
	struct timespec period = {
		.tv_sec = (time_t)(period_ns / NS_PER_S),
		.tv_nsec = (long)(period_ns % NS_PER_S),
	};
	struct itimerspec spec = { period, period };
	int timer = sys_ret(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	if (timer < 0)
		report_error(timer, "timerfd_create");
	else
		timerfd_settime(timer, 0, &spec, NULL);
	return timer;
}

/**
 * ticker_wait() - wait for the next tick; those that were missed do not count
 */
void ticker_wait(int timer)
{
	uint64_t ticks;

	sys_read_all(timer, &ticks, sizeof(ticks));
}

/**
 * pace_init() - begin with no credit
 */
void pace_init(struct pace *pace)
{
	pace->timer = ticker_create(TICK_NS);
	pace->last_ns = now_ns();
	pace->credit_ns = 0;
}

/**
 * pace_grant() - wait until there is work to do
 * @rate: units a second, 0 for no limit; may be another at each call
 *
 * Return: how many units to do now, at least 1.
 */
uint64_t pace_grant(struct pace *pace, uint64_t rate)
{
	uint64_t units = 0;

	if (!rate)
		return UNLIMITED;
	while (!units) {
		uint64_t unit_ns = NS_PER_S / rate;
		uint64_t limit_ns = unit_ns > CREDIT_NS ? unit_ns + 1 : CREDIT_NS;
		uint64_t now;

		ticker_wait(pace->timer);
		now = now_ns();
		pace->credit_ns += now - pace->last_ns;
		pace->last_ns = now;
		if (pace->credit_ns > limit_ns)
			pace->credit_ns = limit_ns;
		units = pace->credit_ns * rate / NS_PER_S;
	}
	pace->credit_ns -= units * NS_PER_S / rate;
	return units;
}
