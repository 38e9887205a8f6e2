// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * clock.c - how long the guest stood still, as far as it can know.
 *
 * Its clock may stand still with it: kvmclock does while a VM is stopped, and
 * so does every clock of TCG. What is seen here are vCPUs that wait, for a page
 * or for a CPU of the host; a downtime is measured from outside.
 */
#include <inttypes.h>
#include <pthread.h>

#include "sys.h"
#include "guest.h"

#define TICK_NS		(5ull * NS_PER_MS)
#define PRIORITY	50

static _Atomic uint64_t gap_max_ns;	/* since it was taken */
static _Atomic unsigned int told;

static void gap_note(uint64_t gap_ns)
{
	uint64_t max = gap_max_ns;

	while (gap_ns > max &&
	       !atomic_compare_exchange_weak(&gap_max_ns, &max, gap_ns))
		;
}

static void back_note(uint64_t last, uint64_t now)
{
	counters.clock_back++;
	if (report_detail(&told))
		report_error(-ERANGE, "CLOCK_MONOTONIC went from %" PRIu64
			     " back to %" PRIu64 " ns", last, now);
}

static void *clock_run(void *arg)
{
	struct sched_param param = { .sched_priority = PRIORITY };
	int timer = ticker_create(TICK_NS);
	uint64_t last = now_ns();

	(void)arg;
	/* Before the guest's own threads: they are not what is measured. */
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
	while (timer >= 0) {
		uint64_t now;

		ticker_wait(timer);
		now = now_ns();
		if (now < last)
			back_note(last, now);
		else
			gap_note(now - last);
		last = now;
	}
	return NULL;
}

/**
 * clock_start() - start the thread that looks at the clock
 */
void clock_start(void)
{
	thread_start("clock", clock_run, NULL);
}

/**
 * clock_take_gap_ns() - the longest time between two ticks since the last call
 */
uint64_t clock_take_gap_ns(void)
{
	return atomic_exchange(&gap_max_ns, 0);
}
