// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * exam.c - a guest that touches pages which are at the other host.
 *
 * One thread, whose waits are measured, or many; while nothing else moves, or while
 * the push fills the cable. What push has brought before it is touched is no fault
 * and does not count.
 */
#include "tools/bench/exam.h"

#include <errno.h>
#include <stdlib.h>

#include "sys.h"
#include "tools/bench/touch.h"

#define FAULT_LANES	4	/* of a guest with as many vCPUs, or more */

static struct touching touching_of(const struct engine *engine)
{
	const struct exam *exam = engine->party->arg;

	return (struct touching){
		.memory = engine->guest,
		.pages = engine->plan->size >> plan_page_shift(engine->plan),
		.page_shift = plan_page_shift(engine->plan),
		.count = exam->count,
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
	uint64_t *ns = calloc((exam->plan.size >> plan_page_shift(&exam->plan)) + 1, sizeof(*ns));
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

/**
 * exam_run() - have the guest touch, and see what that takes
 * @site: where
 * @exam: its plan is completed here
 * @outcomes: receives the source's and the dest's; of the latter the value
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int exam_run(const struct site *site, struct exam *exam, struct outcome outcomes[2],
	     struct fail *fail)
{
	struct plan *plan = &exam->plan;

	if (!plan->size) {
		plan->memory = site->memory;
		plan->size = site->memory_size;
		plan->filled = site->memory_size;
	}
	plan->push_lanes = exam->busy ? exam->row->lanes : 1;
	plan->fault_lanes = exam->threads ? FAULT_LANES : 1;
	plan->tls = exam->row->tls;
	if (!exam->count)
		exam->count = exam->threads ? faults_many(site) : site->faults;
	return parties_run(site, fault_source,
			   exam->busy && !exam->threads ? busy_dest : fault_dest, exam, outcomes,
			   fail);
}

/**
 * exam_value() - exam_run() of which only the value counts
 * @site: where
 * @exam: its plan is completed here
 * @value: receives microseconds of one thread, or touches a second of more
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int exam_value(const struct site *site, struct exam *exam, double *value, struct fail *fail)
{
	struct outcome outcomes[2];
	int ret = exam_run(site, exam, outcomes, fail);

	if (!ret)
		*value = outcomes[1].value;
	return ret;
}
