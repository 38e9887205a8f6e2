// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fault.c - how long a guest waits for one page, and how many it gets a second.
 *
 * Four guests: one thread while nothing else moves; many threads likewise;
 * one thread while the push fills the cable, which works a little after each
 * page (its faults alone would fill the cable, too); one that walks. What push has brought
 * before it is touched is no fault and does not count.
 */
#include <stdlib.h>

#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"
#include "tools/bench/touch.h"

#define FAULT_LANES	4	/* of a guest with as many vCPUs, or more */
#define FAULTS_MANY	8	/* by many threads: times as many as by one */
#define FEW		16	/* threads */
#define WORK_US		200

/* What the two processes go by. */
struct exam {
	struct plan plan;
	const struct row *row;
	unsigned int threads;	/* that fault; 0: one, whose waits are measured */
	unsigned int pause_us;	/* of that one: work between two faults */
	bool busy;		/* the push runs meanwhile */
	bool walks;		/* page after page: not all of them are faults */
};

static struct touching touching_of(const struct engine *engine)
{
	const struct exam *exam = engine->party->arg;
	const struct site *site = engine->party->site;

	return (struct touching){
		.memory = engine->guest,
		.pages = engine->plan->size / TOUCH_PAGE,
		.count = exam->threads ? faults_many(site) : site->faults,
		.threads = exam->threads,
		.quantile = row_quantile(exam->row),
		.pause_us = exam->pause_us,
		.walks = exam->walks,
	};
}

/* What push has brought, and what went along with others, is no fault. */
static bool each_faults(const struct exam *exam)
{
	return !exam->busy && !exam->walks;
}

static int fault_source(struct party *party)
{
	const struct exam *exam = party->arg;
	struct engine engine;
	int ret = party_apart(true);

	if (!ret)
		ret = engine_open_source(&engine, party, &exam->plan);
	if (ret)
		return ret;
	source_hold(engine.source);
	ret = party_meet(party);
	party_begin(party);
	if (!ret && exam->busy)
		ret = source_push_start(engine.source, GENERATION);
	/* Wants are answered until the dest has seen enough. */
	return ret ?: party_meet(party);
}

static uint64_t fetched(const struct engine *engine)
{
	return stat_read(&engine->dest->stats.network_faults);
}

static int dest_open(struct engine *engine, struct party *party)
{
	const struct exam *exam = party->arg;
	int ret = party_apart(false);

	if (!ret)
		ret = engine_open_dest(engine, party, &exam->plan);
	if (!ret)
		ret = engine_switch(engine);
	return ret ?: party_meet(party);
}

static int fault_dest(struct party *party)
{
	struct touching touching;
	struct engine engine;
	int ret = dest_open(&engine, party);

	if (ret)
		return ret;
	touching = touching_of(&engine);
	ret = touch_all(&touching, &party->outcome->value);
	if (!ret && each_faults(party->arg) && fetched(&engine) != touching.count)
		ret = -EBADMSG;
	return ret ?: party_meet(party);
}

/* Return: how many pages were asked of the source, their waits in @ns. */
static size_t touch_busy(const struct engine *engine, uint64_t *ns)
{
	struct touching touching = touching_of(engine);
	uint64_t i, before;
	size_t count = 0;

	for (i = 0; i < touching.pages && !dest_complete(engine->dest); i++) {
		before = fetched(engine);
		ns[count] = touch(&touching, i);
		count += fetched(engine) != before;
	}
	return count;
}

static bool complete(struct dest *dest)
{
	return dest_complete(dest);
}

static int busy_dest(struct party *party)
{
	const struct exam *exam = party->arg;
	uint64_t *ns = calloc(exam->plan.size / TOUCH_PAGE + 1, sizeof(*ns));
	struct engine engine;
	int ret = ns ? dest_open(&engine, party) : -ENOMEM;
	size_t count = 0;

	if (!ret) {
		count = touch_busy(&engine, ns);
		ret = engine_wait_dest(&engine, complete);
		party_end(party);
	}
	if (!ret && !count)
		ret = -ENODATA;
	if (!ret)
		party->outcome->value = quantile_us(ns, count, row_quantile(exam->row));
	free(ns);
	return ret ?: party_meet(party);
}

static int measure(const struct site *site, struct exam *exam, struct outcome outcomes[2],
		   struct fail *fail)
{
	exam->plan = (struct plan){
		.push_lanes = exam->busy ? exam->row->lanes : 1,
		.fault_lanes = exam->threads ? FAULT_LANES : 1,
		.tls = exam->row->tls,
		.memory = site->memory,
		.size = site->memory_size,
		.filled = site->memory_size,
	};
	return parties_run(site, fault_source,
			   exam->busy && !exam->threads ? busy_dest : fault_dest, exam, outcomes,
			   fail);
}

static int measure_value(const struct site *site, struct exam *exam, double *value,
			 struct fail *fail)
{
	struct outcome outcomes[2];
	int ret = measure(site, exam, outcomes, fail);

	if (!ret)
		*value = outcomes[1].value;
	return ret;
}

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

	return measure_value(site, &exam, value, fail);
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

	return measure_value(site, &exam, value, fail);
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

	return measure_value(site, &exam, value, fail);
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

	return measure_value(site, &exam, value, fail);
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

	return measure_value(site, &exam, value, fail);
}

/* ---- the cable of 1 Gbit/s ---------------------------------------------------- */

static int calm_fault(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US };

	return measure_value(site, &exam, value, fail);
}

static int busy_fault(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US, .busy = true };

	return measure_value(site, &exam, value, fail);
}

static int busy_walk(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	struct exam exam = { .row = row, .threads = 1, .walks = true, .busy = true };

	return measure_value(site, &exam, value, fail);
}

static int busy_push(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	struct exam exam = { .row = row, .pause_us = WORK_US, .busy = true };
	struct outcome outcomes[2];
	int ret = measure(site, &exam, outcomes, fail);

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
