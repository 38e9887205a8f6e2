// SPDX-License-Identifier: LGPL-2.1-or-later
/* worth.c - does packing pay on these lanes? */
#include "copy/worth.h"

#include <string.h>

#define WAITS_PARTS	4	/* of their time plain lanes have to wait one of these */
#define GAIN		1.125	/* how much faster it has to be, packed */
#define LOSS		1.5	/* a trial that is so much slower has no hope */
#define REST_FACTOR	4

/* Go on for @runs. */
static void stretch_begin(struct worth *worth, unsigned int runs)
{
	worth->left = runs;
	worth->counted = 0;
	memset(&worth->sum, 0, sizeof(worth->sum));
}

/**
 * worth_init() - nothing is known yet: plain, to begin with
 * @worth: of new lanes; worth_fini() frees it
 */
void worth_init(struct worth *worth)
{
	*worth = (struct worth){ .rest = WORTH_REST };
	pthread_mutex_init(&worth->lock, NULL);
	stretch_begin(worth, WORTH_TRIAL);
}

/**
 * worth_fini() - free what worth_init() made
 * @worth: no lane uses it any more
 */
void worth_fini(struct worth *worth)
{
	pthread_mutex_destroy(&worth->lock);
}

/**
 * worth_packs() - how the next run is to go
 * @worth: shared by the lanes
 *
 * Return: true: packed.
 */
bool worth_packs(const struct worth *worth)
{
	return __atomic_load_n(&worth->packs, __ATOMIC_RELAXED);
}

static void way_take(struct worth *worth, bool packs)
{
	__atomic_store_n(&worth->packs, packs, __ATOMIC_RELAXED);
}

static double ns_a_byte(const struct worth *worth)
{
	return (double)worth->sum.ns / (double)worth->sum.bytes;
}

/* Do plain lanes wait enough for packing to gain by it? */
static bool waits(const struct worth *worth)
{
	return worth->sum.waited_ns >= worth->sum.ns / WAITS_PARTS;
}

static void trial_begin(struct worth *worth)
{
	worth->before = ns_a_byte(worth);
	worth->tries = true;
	way_take(worth, !worth->packs);
	stretch_begin(worth, WORTH_TRIAL);
}

static void trial_end(struct worth *worth)
{
	double tried = ns_a_byte(worth);
	double plain = worth->packs ? worth->before : tried;
	double packed = worth->packs ? tried : worth->before;
	bool pays = packed * GAIN < plain;

	if (pays == worth->packs)
		worth->rest = WORTH_REST;
	else if (worth->rest < WORTH_REST_MAX)
		worth->rest *= REST_FACTOR;
	way_take(worth, pays);
	worth->tries = false;
	stretch_begin(worth, worth->rest);
}

/* Packing on trial is costly where it loses: so it is looked at sooner. */
static bool is_hopeless(const struct worth *worth)
{
	return worth->tries && worth->packs && worth->counted >= WORTH_HOPELESS &&
	       ns_a_byte(worth) > LOSS * worth->before;
}

static void learn(struct worth *worth, const struct worth_run *run)
{
	/* The buffers are full when packing begins: all of its trial counts. */
	if (worth->left <= WORTH_MEASURED || (worth->tries && worth->packs)) {
		worth->counted++;
		worth->sum.bytes += run->bytes;
		worth->sum.ns += run->ns;
		worth->sum.waited_ns += run->waited_ns;
	}
	if (--worth->left && !is_hopeless(worth))
		return;
	if (worth->tries)
		trial_end(worth);
	else if (worth->packs || waits(worth))
		trial_begin(worth);
	else
		stretch_begin(worth, WORTH_MEASURED);
}

/**
 * worth_note() - learn from a run of one of the lanes
 * @worth: shared by the lanes
 * @run: what it took
 *
 * A run without bytes says nothing, nor does one that was on its way already when
 * another lane's took the other way.
 */
void worth_note(struct worth *worth, const struct worth_run *run)
{
	if (!run->bytes)
		return;
	pthread_mutex_lock(&worth->lock);
	if (run->packs == worth->packs)
		learn(worth, run);
	pthread_mutex_unlock(&worth->lock);
}
