// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * strike.c - kill others while a process stands still at a point.
 *
 * What stalls is the agent that writes its journal, or the worker that asks it
 * to. Whoever is to be struck is killed then: the same kind of process on the
 * other host, and on @both this one as well. If it is not struck, it goes on.
 */
#include "strike.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define LOOK_MS		2

static const struct host *host_of(const struct pair *pair, enum side side)
{
	return side == SIDE_SOURCE ? &pair->hosts->source : &pair->hosts->dest;
}

/* The agent, also one that only starts, or the worker of a side; or <= 0. */
static pid_t process_of(const struct strike *strike, enum side side)
{
	return host_worker(host_of(strike->pair, side),
			   strike->cell->kind == INJECT_MOVE ? side_name(side) : "straddled");
}

static bool stands_still(pid_t pid)
{
	char path[64], state = 0;
	__cleanup_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	return file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'T';
}

/* The other one first: what it does alone is what it does without us. */
static void strike_now(struct strike *strike, pid_t here)
{
	enum side origin = strike->cell->origin, other = !origin;
	pid_t there = process_of(strike, other);

	if (strike->cell->struck & SIDE_BIT(other)) {
		if (there <= 0 || kill(there, SIGKILL))
			strike->nobody = true;
	}
	kill(here, strike->cell->struck & SIDE_BIT(origin) ? SIGKILL : SIGCONT);
	strike->done = true;
}

static void *strike_main(void *arg)
{
	struct strike *strike = arg;

	while (!__atomic_load_n(&strike->end, __ATOMIC_RELAXED) && !strike->done) {
		pid_t here = process_of(strike, strike->cell->origin);

		if (here > 0 && stands_still(here))
			strike_now(strike, here);
		else
			poll(NULL, 0, LOOK_MS);
	}
	return NULL;
}

/**
 * strike_start() - be ready to strike when the cell's fault stalls
 * @strike: to start; strike_end() in any case
 * @cell: which; one without others to kill needs no thread
 * @pair: its hosts
 *
 * Return: 0 or -errno.
 */
int strike_start(struct strike *strike, const struct cell *cell, const struct pair *pair)
{
	int ret;

	*strike = (struct strike){ .cell = cell, .pair = pair };
	if (!cell->struck)
		return 0;
	ret = -pthread_create(&strike->thread, NULL, strike_main, strike);
	strike->running = !ret;
	return ret;
}

/**
 * strike_end() - it has struck, or is not to any more
 * @strike: started
 */
void strike_end(struct strike *strike)
{
	__atomic_store_n(&strike->end, true, __ATOMIC_RELAXED);
	if (strike->running)
		pthread_join(strike->thread, NULL);
	strike->running = false;
}
