// SPDX-License-Identifier: LGPL-2.1-or-later
/* narrow.c - what is measured while the cable carries 1 Gbit/s. */
#include "tools/bench/bench.h"

#define NARROW_SIZE	(128ull << 20)	/* a second of the narrow cable */

/* The cable is narrow already, if @ret is 0; it is wide again afterwards. */
static int run(int ret, const struct site *site, const struct row *row, measure_fn *fn,
	       double *value, struct fail *fail)
{
	if (!ret)
		ret = fn(site, row, value, fail);
	return site_narrow(site, false, ret ? NULL : fail) ?: ret;
}

static struct site with_less(const struct site *site)
{
	struct site less = *site;

	if (less.memory_size > NARROW_SIZE)
		less.memory_size = NARROW_SIZE;
	return less;
}

/**
 * narrow_whole_run() - run a measurement over the narrow cable
 * @site: where; all of its memory may cross
 * @row: for @fn
 * @fn: the measurement
 * @value: receives what @fn found
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int narrow_whole_run(const struct site *site, const struct row *row, measure_fn *fn,
		     double *value, struct fail *fail)
{
	return run(site_narrow(site, true, fail), site, row, fn, value, fail);
}

/**
 * narrow_run() - narrow_whole_run() with less memory
 * @site: where
 * @row: for @fn
 * @fn: the measurement
 * @value: receives what @fn found
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int narrow_run(const struct site *site, const struct row *row, measure_fn *fn, double *value,
	       struct fail *fail)
{
	const struct site less = with_less(site);

	return narrow_whole_run(&less, row, fn, value, fail);
}

/**
 * narrow_bands_run() - narrow_run() where the cable's queue is in bands
 * @site: where
 * @row: for @fn
 * @fn: the measurement
 * @value: receives what @fn found
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int narrow_bands_run(const struct site *site, const struct row *row, measure_fn *fn,
		     double *value, struct fail *fail)
{
	const struct site less = with_less(site);

	return run(site_narrow_bands(site, fail), &less, row, fn, value, fail);
}

/**
 * stream_narrow_measure() - stream_measure() on that cable
 * @site: where
 * @row: how many at once, and whether with TLS
 * @value: receives MiB/s of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int stream_narrow_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	return narrow_run(site, row, stream_measure, value, fail);
}
