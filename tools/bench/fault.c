// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fault.c - how long a guest waits for one page, and how many it gets a second.
 *
 * Four guests: one thread while nothing else moves; many threads likewise;
 * one thread while the push fills the cable, which works a little after each
 * page (its faults alone would fill the cable, too); one that walks.
 */
#include "tools/bench/exam.h"
#include "tools/bench/touch.h"

#define FAULTS_MANY	8	/* by many threads: times as many as by one */
#define FEW		16	/* threads */
#define WORK_US		200

/**
 * fault_measure() - a touch of a missing page until the thread goes on
 * @site: where
 * @row: which quantile, and whether with TLS
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_measure(const struct site *site, const struct row *row, double *value,
		  struct fail *fail)
{
	struct exam exam = { .row = row };

	return exam_value(site, &exam, value, fail);
}

/* ---- many threads -------------------------------------------------------------- */

/**
 * faults_many() - how many pages many threads touch
 * @site: where
 *
 * Return: pages.
 */
unsigned int faults_many(const struct site *site)
{
	uint64_t pages = site->memory_size / TOUCH_PAGE;
	uint64_t many = (uint64_t)site->faults * FAULTS_MANY;

	return (unsigned int)(many < pages ? many : pages);
}

/**
 * faults_measure() - threads that touch missing pages, each one after another
 * @site: where
 * @row: how many threads
 * @value: receives faults a second, of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int faults_measure(const struct site *site, const struct row *row, double *value,
		   struct fail *fail)
{
	struct exam exam = { .row = row, .threads = row->lanes };

	return exam_value(site, &exam, value, fail);
}

/**
 * faults_few_measure() - the same with 16 threads
 * @site: where
 * @row: the rest
 * @value: receives faults a second, of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int faults_few_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	struct exam exam = { .row = row, .threads = FEW };

	return exam_value(site, &exam, value, fail);
}

/* ---- one thread that walks ------------------------------------------------------- */

/**
 * walk_measure() - a thread that reads a page and the next one, and so on
 * @site: where
 * @row: the rest
 * @value: receives pages a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int walk_measure(const struct site *site, const struct row *row, double *value, struct fail *fail)
{
	struct exam exam = { .row = row, .threads = 1, .walks = true };

	return exam_value(site, &exam, value, fail);
}

/**
 * leap_measure() - the same pages, in an order that no neighbourhood explains
 * @site: where
 * @row: the rest
 * @value: receives pages a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int leap_measure(const struct site *site, const struct row *row, double *value, struct fail *fail)
{
	struct exam exam = { .row = row, .threads = 1 };

	return exam_value(site, &exam, value, fail);
}

/* ---- the cable of 1 Gbit/s ---------------------------------------------------- */

static int calm_fault(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US };

	return exam_value(site, &exam, value, fail);
}

static int busy_fault(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US, .busy = true };

	return exam_value(site, &exam, value, fail);
}

static int busy_walk(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	struct exam exam = { .row = row, .threads = 1, .walks = true, .busy = true };

	return exam_value(site, &exam, value, fail);
}

static int busy_push(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US, .busy = true };
	struct outcome outcomes[2];
	int ret = exam_run(site, &exam, outcomes, fail);

	if (!ret)
		*value = row_value(row, site->memory_size, outcomes);
	return ret;
}

/**
 * busy_fault_measure() - the same, while the push fills a cable of 1 Gbit/s
 * @site: where
 * @row: which quantile, how many push lanes, and whether with TLS
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int busy_fault_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	return narrow_run(site, row, busy_fault, value, fail);
}

/**
 * busy_push_measure() - that push itself, while the guest faults
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int busy_push_measure(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	return narrow_run(site, row, busy_push, value, fail);
}

/**
 * bands_fault_measure() - busy_fault_measure() where the cable's queue is in bands
 * @site: where
 * @row: which quantile, how many push lanes, and whether with TLS
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int bands_fault_measure(const struct site *site, const struct row *row, double *value,
			struct fail *fail)
{
	return narrow_bands_run(site, row, busy_fault, value, fail);
}

/**
 * bands_push_measure() - busy_push_measure() where the cable's queue is in bands
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int bands_push_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	return narrow_bands_run(site, row, busy_push, value, fail);
}

/**
 * fault_narrow_measure() - a fault on that cable, where nothing else moves
 * @site: where
 * @row: which quantile, and whether with TLS
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_narrow_measure(const struct site *site, const struct row *row, double *value,
			 struct fail *fail)
{
	return narrow_run(site, row, calm_fault, value, fail);
}

/**
 * busy_walk_measure() - walk_measure() on that cable, while the push fills it
 * @site: where
 * @row: how many push lanes
 * @value: receives pages a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int busy_walk_measure(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	return narrow_run(site, row, busy_walk, value, fail);
}
