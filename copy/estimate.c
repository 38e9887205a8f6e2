// SPDX-License-Identifier: LGPL-2.1-or-later
/* estimate.c - will another pre-copy round get us there? */
#include "copy/estimate.h"

#define NS_PER_S	1000000000.0

static uint64_t per_second(uint64_t bytes, uint64_t ns)
{
	if (!ns)
		return bytes ? UINT64_MAX : 0;
	return (uint64_t)((double)bytes / (double)ns * NS_PER_S);
}

/**
 * estimate_rate() - how fast memory crosses
 * @round: what it measured
 *
 * Zero pages count as memory although they cost no bytes: they will again. Not so
 * where something was left out, which may be most of what was not zero.
 *
 * Return: bytes of guest memory a second.
 */
uint64_t estimate_rate(const struct round_result *round)
{
	return per_second(round->left_out ? round->data : round->pages, round->ns);
}

/**
 * estimate_dirty_rate() - how fast the guest dirties memory
 * @round: what it measured
 *
 * A page written twice in a round counts once, as it is sent once.
 *
 * Return: bytes a second.
 */
uint64_t estimate_dirty_rate(const struct round_result *round)
{
	return per_second(round->dirty, round->ns);
}

/**
 * estimate_outlook() - decide how to go on after a round
 * @round: what it measured; its @dirty is what is left to send
 * @downtime_ns: how long the guest may stand still
 * @memory_bytes: of the whole guest
 *
 * A round begins with what is sent in it and what is left out. With r = dirty
 * after it / dirty before it, k more rounds leave left * r^k and begin with
 * left * (1 + r + r^2 ...) < left / (1 - r) bytes. From r = 1 on nothing is
 * gained; below it the rounds are hopeless when they would go through more than
 * the whole guest once again before what is left fits the downtime.
 *
 * Return: the outlook.
 */
enum outlook estimate_outlook(const struct round_result *round,
			      uint64_t downtime_ns, uint64_t memory_bytes)
{
	double fits = (double)estimate_rate(round) * (double)downtime_ns / NS_PER_S;
	uint64_t begun = round->pages + round->left_out;
	double left = (double)round->dirty;
	double ratio, cost = 0;

	if (left <= fits)
		return OUTLOOK_CONVERGED;
	if (round->dirty >= begun)
		return OUTLOOK_HOPELESS;
	ratio = left / (double)begun;
	while (left > fits && left >= 1 && cost <= (double)memory_bytes) {
		cost += left;
		left *= ratio;
	}
	return cost > (double)memory_bytes ? OUTLOOK_HOPELESS
					   : OUTLOOK_CONVERGING;
}
