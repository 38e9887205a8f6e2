// SPDX-License-Identifier: LGPL-2.1-or-later
/* push.c - memory from end to end: post-copy's push, and a pre-copy round. */
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

static int push_source(struct party *party)
{
	struct engine engine;
	int ret = engine_open_source(&engine, party, party->arg);

	return ret ?: engine_push_source(&engine);
}

static int push_dest(struct party *party)
{
	struct engine engine;
	int ret = engine_open_dest(&engine, party, party->arg);

	return ret ?: engine_push_dest(&engine);
}

static bool round_sent(struct source *source)
{
	struct round_result result;

	return source_round_done(source, &result);
}

static bool round_received(struct dest *dest)
{
	return dest_barrier_passed(dest) == GENERATION;
}

static int round_source(struct party *party)
{
	struct engine engine;
	int ret = engine_open_source(&engine, party, party->arg);

	if (!ret)
		ret = party_meet(party);
	if (ret)
		return ret;
	party_begin(party);
	source_round_start(engine.source, GENERATION, false);
	ret = engine_wait_source(&engine, round_sent);
	party_end(party);
	return ret ?: party_meet(party);
}

static int round_dest(struct party *party)
{
	struct engine engine;
	int ret = engine_open_dest(&engine, party, party->arg);

	if (!ret)
		ret = party_meet(party);
	party_begin(party);
	if (!ret)
		ret = engine_wait_dest(&engine, round_received);
	party_end(party);
	return ret ?: party_meet(party);
}

static int measure(const struct site *site, const struct row *row, party_fn *source,
		   party_fn *dest, double *value, struct fail *fail)
{
	struct plan plan = {
		.push_lanes = row->lanes,
		.fault_lanes = 1,
		.tls = row->tls,
		.memory = site->memory,
		.size = site->memory_size,
		.filled = site->memory_size,
	};
	struct outcome outcomes[2];
	int ret = parties_run(site, source, dest, &plan, outcomes, fail);

	if (!ret)
		*value = row_value(row, site->memory_size, outcomes);
	return ret;
}

/**
 * push_run() - a post-copy that nobody disturbs, from end to end
 * @site: where
 * @plan: what is moved, and over what
 * @outcomes: receives the source's and the dest's
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int push_run(const struct site *site, struct plan *plan, struct outcome outcomes[2],
	     struct fail *fail)
{
	return parties_run(site, push_source, push_dest, plan, outcomes, fail);
}

/**
 * push_measure() - post-copy's push: from the order to the last page placed
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int push_measure(const struct site *site, const struct row *row, double *value,
		 struct fail *fail)
{
	return measure(site, row, push_source, push_dest, value, fail);
}

/**
 * round_measure() - a pre-copy round: from the order to the last barrier
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int round_measure(const struct site *site, const struct row *row, double *value,
		  struct fail *fail)
{
	return measure(site, row, round_source, round_dest, value, fail);
}
