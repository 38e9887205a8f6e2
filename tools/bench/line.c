// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * line.c - does a guest of twice the size take twice the time?
 *
 * Guests of six sizes cross by post-copy alone. A line is laid through the
 * times, by least squares of what each is off in parts of its size's time;
 * the value is the largest of these parts.
 */
#include <errno.h>
#include <unistd.h>

#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

#define SIZES		6	/* each twice the one before, the first half of --size */
#define SIZES_MIN	3	/* what does not fit into memory is left out */
#define RUNS		3	/* of each size, the quickest counts */

static int seconds_take(const struct site *site, const struct row *row, uint64_t size,
			double *seconds, struct fail *fail)
{
	struct plan plan = {
		.push_lanes = row->lanes,
		.fault_lanes = 1,
		.tls = row->tls,
		.memory = memory_create(size, size),
		.size = size,
		.filled = size,
	};
	struct outcome outcomes[2];
	unsigned int i;
	int ret = plan.memory < 0 ? plan.memory : 0;

	for (i = 0; i < RUNS && !ret; i++) {
		double took;

		memory_warm(size);
		ret = push_run(site, &plan, outcomes, fail);
		took = (double)(outcomes[1].ended_ns - outcomes[0].began_ns) / 1e9;
		if (!ret && (!i || took < *seconds))
			*seconds = took;
	}
	if (plan.memory >= 0)
		close(plan.memory);
	return ret;
}

/* seconds = start + slope * size; weighed by 1 / size^2: parts, not seconds. */
static double largest_part(const double *sizes, const double *seconds, unsigned int count)
{
	double w = 0, x = 0, y = 0, xx = 0, xy = 0, slope, start, most = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		double weight = 1 / (sizes[i] * sizes[i]);

		w += weight;
		x += weight * sizes[i];
		y += weight * seconds[i];
		xx += weight * sizes[i] * sizes[i];
		xy += weight * sizes[i] * seconds[i];
	}
	slope = (w * xy - x * y) / (w * xx - x * x);
	start = (y - slope * x) / w;
	for (i = 0; i < count; i++) {
		double line = start + slope * sizes[i];

		double part = (seconds[i] - line) / line;

		part = part < 0 ? -part : part;
		most = part > most ? part : most;
	}
	return most;
}

/**
 * line_measure() - how far from a line the time over the size is
 * @site: where; the first size is half of its guest's
 * @row: how many push lanes, and whether with TLS
 * @value: receives the largest deviation, as a part of the line's time
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int line_measure(const struct site *site, const struct row *row, double *value,
		 struct fail *fail)
{
	double sizes[SIZES], seconds[SIZES];
	uint64_t size = site->memory_size / 2;
	unsigned int i;

	/* Two guests of a size are there at once. */
	for (i = 0; i < SIZES && memory_fits(2 * size); i++, size *= 2) {
		int ret = seconds_take(site, row, size, &seconds[i], fail);

		if (ret)
			return ret;
		sizes[i] = (double)size / (1 << 20);
		fprintf(stderr, "  %.0f MiB: %.3f s\n", sizes[i], seconds[i]);
	}
	if (i < SIZES)
		fprintf(stderr, "  %llu MiB and more do not fit into free memory\n",
			(unsigned long long)size >> 20);
	if (i < SIZES_MIN)
		return fail_set(fail, -ENOMEM, "too little free memory for the row 'line': give a "
				"smaller --size");
	*value = largest_part(sizes, seconds, i);
	return 0;
}
