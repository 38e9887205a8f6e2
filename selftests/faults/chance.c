// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * chance.c - what a migration of the soak is like, and what strikes it.
 *
 * All of it follows from one number. When exactly a blow hits depends on the
 * machine as well.
 */
#include "chance.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "selftests/lib/cut.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define NS_PER_MS	UINT64_C(1000000)
#define TRIES		64		/* for a cell of that side without a scenario */

/**
 * chance_next() - the next random number
 * @random: the state; any number begins
 *
 * Return: 64 bits (SplitMix64).
 */
uint64_t chance_next(uint64_t *random)
{
	uint64_t x = *random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static unsigned int below(uint64_t *random, unsigned int limit)
{
	return (unsigned int)(chance_next(random) % limit);
}

#define ONE_OF(random, array) (array)[below(random, sizeof(array) / sizeof((array)[0]))]

/**
 * ground_choose() - hosts and a guest for some migrations
 * @ground: receives it
 * @random: the state of chance
 */
void ground_choose(struct ground *ground, uint64_t *random)
{
	static const enum pair_security securities[] = { PAIR_PLAIN, PAIR_X509, PAIR_PSK };
	static const char *const workloads[] = { "hot", "random", "sequential", "zipf" };
	static const char *const engines[] = { "threads", "threads", "kvm" };
	unsigned int mib = 16 + below(random, 33);
	size_t n = 0;

	ground->security = ONE_OF(random, securities);
	ground->migrations = 3 + below(random, 8);
	snprintf(ground->memory, sizeof(ground->memory), "%uM", mib);
	snprintf(ground->working_set, sizeof(ground->working_set), "%uM", mib - 2);
	snprintf(ground->rate, sizeof(ground->rate), "%u", 500u << below(random, 8));
	ground->guest[n++] = "--engine";
	ground->guest[n++] = access("/dev/kvm", R_OK | W_OK) ? "threads"
							     : ONE_OF(random, engines);
	ground->guest[n++] = "--memory";
	ground->guest[n++] = ground->memory;
	ground->guest[n++] = "--workload";
	ground->guest[n++] = ONE_OF(random, workloads);
	ground->guest[n++] = "--working-set";
	ground->guest[n++] = ground->working_set;
	ground->guest[n++] = "--rate";
	ground->guest[n++] = ground->rate;
	if (below(random, 2))
		ground->guest[n++] = "--private";
	ground->guest[n] = NULL;
}

static void options_choose(struct chance *chance, uint64_t *random)
{
	static const char *const ways[] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		"\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		"\"live\":true,\"postcopy\":true,\"rounds_max\":1",
		"\"live\":true,\"postcopy\":true,\"postcopy_after_precopy\":true",
		"\"live\":true,\"postcopy\":true",
		"\"live\":true,\"rounds_max\":3",
		"\"live\":false",
	};
	static const unsigned int bandwidths[] = { 0, 8000000, 24000000, 64000000 };

	const char *way = ONE_OF(random, ways);
	size_t used = (size_t)snprintf(chance->options, sizeof(chance->options),
				       "%s,\"bandwidth\":%u,\"compressed\":%s", way,
				       ONE_OF(random, bandwidths),
				       below(random, 2) ? "true" : "false");

	if (strstr(way, "postcopy"))
		snprintf(chance->options + used, sizeof(chance->options) - used,
			 ",\"postcopy_bandwidth\":%u", ONE_OF(random, bandwidths));
}

/* One of the matrix that needs nobody else, at one of the first times. */
static void fault_choose(struct chance *chance, const struct cell *cells, size_t count,
			 uint64_t *random)
{
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		const struct cell *cell = &cells[below(random, (unsigned int)count)];
		char *inject = chance->inject[cell->origin];
		size_t used = strlen(inject);

		if (cell->struck || cell->never || cell->scenario->operated)
			continue;
		snprintf(inject + used, sizeof(chance->inject[0]) - used, "%s%s/#%u",
			 used ? "," : "", cell->spec, below(random, 4) ? 1 : 1 + below(random, 9));
		return;
	}
}

static void blow_choose(struct blow *blow, uint64_t *random)
{
	*blow = (struct blow){
		.kind = (enum blow_kind)below(random, BLOW_KINDS),
		.side = (enum side)below(random, 2),
		.at_ms = below(random, 2000),
		.for_ms = 100 + below(random, 5000),
		.what = below(random, CUT_PUSH + 1),
	};
}

/**
 * chance_choose() - how to migrate, and what strikes it
 * @chance: receives it
 * @cells: faults to choose from
 * @count: how many
 * @random: the state of chance
 */
void chance_choose(struct chance *chance, const struct cell *cells, size_t count,
		   uint64_t *random)
{
	unsigned int faults = below(random, 3);

	memset(chance, 0, sizeof(*chance));
	options_choose(chance, random);
	while (faults--)
		fault_choose(chance, cells, count, random);
	chance->blow_count = below(random, BLOWS_MAX);
	for (faults = 0; faults < chance->blow_count; faults++)
		blow_choose(&chance->blows[faults], random);
}

/**
 * chance_say() - what was chosen, in a line
 * @chance: chosen
 * @text: receives it
 * @size: of @text
 */
void chance_say(const struct chance *chance, char *text, size_t size)
{
	static const char *const kinds[] = {
		[BLOW_LINK] = "link", [BLOW_AGENT] = "agent", [BLOW_WORKER] = "worker",
		[BLOW_RESET] = "reset",
	};
	size_t used = (size_t)snprintf(text, size, "%s; source '%s', dest '%s'", chance->options,
				       chance->inject[SIDE_SOURCE], chance->inject[SIDE_DEST]);
	unsigned int i;

	for (i = 0; i < chance->blow_count && used < size; i++) {
		const struct blow *blow = &chance->blows[i];

		used += (size_t)snprintf(text + used, size - used, "; %s@%s at %u ms",
					 kinds[blow->kind], side_name(blow->side), blow->at_ms);
	}
}

static void blow_strike(struct course *course, struct blow *blow)
{
	const struct host *host = course_host(course, blow->side);
	struct fail ignored = { 0 };
	pid_t worker;

	blow->stage = blow->kind == BLOW_LINK ? 1 : 2;
	switch (blow->kind) {
	case BLOW_LINK:
		net_link_down(host->net, HOST_LINK, &ignored);
		break;
	case BLOW_AGENT:
		if (*course_agent(course, blow->side) > 0)
			kill(*course_agent(course, blow->side), SIGKILL);
		break;
	case BLOW_WORKER:
		worker = host_worker(host, side_name(blow->side));
		if (worker > 0)
			kill(worker, SIGKILL);
		break;
	default:
		worker = host_worker(host, side_name(blow->side));
		if (worker > 0)
			cut_connection(worker, (enum cut_what)blow->what);
		break;
	}
}

static void blow_mend(struct course *course, struct blow *blow)
{
	struct fail ignored = { 0 };

	net_link_up(course_host(course, blow->side)->net, HOST_LINK, &ignored);
	blow->stage = 2;
}

/**
 * chance_strike() - the blows that are due
 * @course: under way
 * @arg: its struct chance
 */
void chance_strike(struct course *course, void *arg)
{
	struct chance *chance = arg;
	uint64_t gone_ms = (now_ns() - chance->began_ns) / NS_PER_MS;
	unsigned int i;

	for (i = 0; i < chance->blow_count; i++) {
		struct blow *blow = &chance->blows[i];

		if (!blow->stage && gone_ms >= blow->at_ms)
			blow_strike(course, blow);
		else if (blow->stage == 1 && gone_ms >= blow->at_ms + blow->for_ms)
			blow_mend(course, blow);
	}
}

/**
 * chance_end() - links are up again
 * @course: over
 * @chance: of it
 */
void chance_end(struct course *course, struct chance *chance)
{
	unsigned int i;

	for (i = 0; i < chance->blow_count; i++)
		if (chance->blows[i].stage == 1)
			blow_mend(course, &chance->blows[i]);
}
