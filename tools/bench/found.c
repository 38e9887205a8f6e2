// SPDX-License-Identifier: LGPL-2.1-or-later
/* found.c - what the guest says, and what follows from it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/move.h"

#define BACK_US		100000u		/* the rate is of so long a time */
#define BIN_US		50000u
#define BACK_RATE	0.9
#define MIN_ROUND_US	200000u		/* of a first round that is looked at */

/**
 * found_now_us() - the clock of QEMU's events
 *
 * Return: microseconds of CLOCK_REALTIME.
 */
uint64_t found_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t ticks_now(void)
{
	return __builtin_ia32_rdtsc();
}

/**
 * found_ticks_a_second() - of the clock that the guest reads
 *
 * TCG's is the host's: cpu_get_ticks() in QEMU's system/cpu-timers.c.
 *
 * Return: the frequency, measured once.
 */
double found_ticks_a_second(void)
{
	static double known;
	uint64_t ticks, ns;

	if (known)
		return known;
	ticks = ticks_now();
	ns = now_ns();
	poll(NULL, 0, 50);
	known = (double)(ticks_now() - ticks) * 1e9 / (double)(now_ns() - ns);
	return known;
}

static int beat_add(struct series *series, uint64_t wrote)
{
	if (series->count == series->room) {
		size_t room = series->room ? 2 * series->room : 1024;
		struct beat *more = realloc(series->beats, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		series->beats = more;
		series->room = room;
	}
	series->beats[series->count++] = (struct beat){ found_now_us(), wrote };
	return 0;
}

static int samples_begin(struct samples *samples, uint64_t count)
{
	samples->us = calloc(count + 1, sizeof(*samples->us));
	samples->wanted = count;
	samples->told = true;
	return samples->us ? 0 : -ENOMEM;
}

/**
 * found_line() - take in a line that the guest said by itself
 * @move: of it
 * @line: "wrote N", "touched ALL SLOW" or a number of ticks
 *
 * Return: 0 or -errno.
 */
int found_line(struct move *move, const char *line)
{
	struct samples *samples = &move->samples;
	char *end;

	if (!strncmp(line, "wrote ", 6))
		return beat_add(&move->series, strtoull(line + 6, NULL, 10));
	if (!strncmp(line, "touched ", 8)) {
		(void)strtoull(line + 8, &end, 10);
		return samples_begin(samples, strtoull(end, NULL, 10));
	}
	if (samples->count < samples->wanted && *line >= '0' && *line <= '9')
		samples->us[samples->count++] = (double)strtoull(line, NULL, 10) * 1e6 /
						found_ticks_a_second();
	return 0;
}

/**
 * found_samples() - has the guest told all its faults?
 * @move: of it
 *
 * Return: true if it has.
 */
bool found_samples(const struct move *move)
{
	return move->samples.told && move->samples.count == move->samples.wanted;
}

/* Pages a second between two times; 0: nothing is known of these. */
static double rate_between(const struct series *series, uint64_t from_us, uint64_t to_us)
{
	uint64_t wrote = 0;
	size_t i;

	for (i = 0; i < series->count; i++)
		if (series->beats[i].when_us > from_us && series->beats[i].when_us <= to_us)
			wrote += series->beats[i].wrote;
	return to_us > from_us ? (double)wrote * 1e6 / (double)(to_us - from_us) : 0;
}

static double rate_before(const struct move *move)
{
	const struct series *series = &move->series;

	/* What came first is of less than a period. */
	return series->count < 2 ? 0 : rate_between(series, series->beats[0].when_us,
						    move->began_us);
}

/* When the guest was as fast as before for a while; 0: not yet. */
static uint64_t back_us(const struct move *move)
{
	const struct series *series = &move->series;
	double before = rate_before(move) * BACK_RATE;
	uint64_t resumed = move->dest.monitor.resumed_us;
	size_t i;

	for (i = 0; i < series->count && resumed; i++) {
		uint64_t from = series->beats[i].when_us;

		if (from < resumed)
			continue;
		if (series->beats[series->count - 1].when_us < from + BACK_US)
			return 0;
		if (rate_between(series, from, from + BACK_US) >= before)
			return from;
	}
	return 0;
}

/**
 * found_back() - is the guest back at its rate?
 * @move: of it
 *
 * Return: true if it is.
 */
bool found_back(const struct move *move)
{
	return back_us(move);
}

static void faults_sum_up(struct move *move)
{
	struct samples *samples = &move->samples;

	if (!samples->count)
		return;
	qsort(samples->us, samples->count, sizeof(*samples->us), double_compare);
	move->found[FOUND_FAULT_P50] = samples->us[samples->count / 2];
	move->found[FOUND_FAULT_P99] = samples->us[samples->count * 99 / 100];
}

/**
 * found_trace() - the guest's rate over time, for a plot
 * @move: that has ended
 * @file: receives a line each BIN_US: seconds since the order to move, pages a second
 */
void found_trace(const struct move *move, FILE *file)
{
	const struct series *series = &move->series;
	uint64_t at, last = series->count ? series->beats[series->count - 1].when_us : 0;

	for (at = series->count ? series->beats[0].when_us : 0; at + BIN_US <= last; at += BIN_US)
		fprintf(file, "%.3f %.0f\n", ((double)at - (double)move->began_us) / 1e6,
			rate_between(series, at, at + BIN_US));
}

/**
 * found_all() - what follows from times and counts
 * @move: that has ended well
 */
void found_all(struct move *move)
{
	uint64_t stopped = move->source.monitor.stopped_us;
	uint64_t resumed = move->dest.monitor.resumed_us;
	double mib = (double)move->course->memory_mib, *found = move->found;
	double before = rate_before(move);

	faults_sum_up(move);
	found[FOUND_DOWNTIME] = ((double)resumed - (double)stopped) / 1e3;
	found[FOUND_PUSH] = mib * 1e6 / (double)(move->done_us - stopped);
	found[FOUND_TOTAL] = mib * 1e6 / (double)(move->done_us - move->began_us);
	found[FOUND_CPU] = (double)move->cpu_ns / 1e6 * 1024 / mib;
	if (move->course->work_mib)
		found[FOUND_FAULTS] /= (double)(move->course->work_mib * 256);
	if (!before)
		return;
	found[FOUND_BACK] = ((double)back_us(move) - (double)resumed) / 1e3;
	if (stopped > move->began_us + MIN_ROUND_US)
		found[FOUND_PRECOPY_RATE] = rate_between(&move->series, move->began_us, stopped) /
					    before;
}
