// SPDX-License-Identifier: LGPL-2.1-or-later
/* stats.c - counters that any thread may add to and anybody may read. */
#include "copy/stats.h"

/* Steps below the first octave that has HISTOGRAM_STEPS values are exact. */
static unsigned int bin_of(uint64_t value)
{
	unsigned int octave;

	if (value < HISTOGRAM_STEPS)
		return (unsigned int)value;
	octave = 63 - (unsigned int)__builtin_clzll(value);
	return (octave - 2) * HISTOGRAM_STEPS +
	       (unsigned int)(value >> (octave - 3)) % HISTOGRAM_STEPS;
}

/* The largest value of a bin. */
static uint64_t bin_top(unsigned int bin)
{
	unsigned int octave = bin / HISTOGRAM_STEPS + 2;

	if (bin < HISTOGRAM_STEPS)
		return bin;
	return ((uint64_t)(HISTOGRAM_STEPS + bin % HISTOGRAM_STEPS + 1)
			<< (octave - 3)) - 1;
}

/**
 * histogram_add() - count one latency
 * @histogram: shared by any number of threads
 * @ns: the latency
 */
void histogram_add(struct histogram *histogram, uint64_t ns)
{
	stat_add(&histogram->bins[bin_of(ns)], 1);
}

/**
 * histogram_quantile() - below which value a share of the latencies lies
 * @histogram: to read
 * @q: the share, 0.5 for the median
 *
 * Return: ns, rounded up to the bin's end; 0 when nothing was counted.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
	uint64_t total = 0, below = 0;
	unsigned int bin;

	for (bin = 0; bin < HISTOGRAM_BINS; bin++)
		total += stat_read(&histogram->bins[bin]);
	for (bin = 0; bin < HISTOGRAM_BINS && total; bin++) {
		below += stat_read(&histogram->bins[bin]);
		if ((double)below >= q * (double)total)
			return bin_top(bin);
	}
	return 0;
}
