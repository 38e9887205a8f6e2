// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * wire.c - what a post-copy puts on the wire for each byte that is not zero.
 *
 * Counted by the source host's interface, both directions. The link takes
 * packets of up to 64 KiB, so that headers of TCP and IP count once in so many
 * bytes; what those add on a wire of 1500 bytes, they add to everybody.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

#define GROUP	16	/* pages; of these ... */
#define ZEROES	4	/* ... are zero: one alone, and three in a row */

static int interface_bytes(uint64_t *bytes)
{
	__cleanup_file FILE *file = fopen("/proc/self/net/dev", "re");
	uint64_t received, sent;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (colon && strstr(line, "eth0") &&
		    sscanf(colon + 1, "%" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
			   &received, &sent) == 2) {
			*bytes = received + sent;
			return 0;
		}
	}
	return -EIO;
}

static int wire_source(struct party *party)
{
	const struct plan *plan = party->arg;
	uint64_t before, after;
	struct engine engine;
	int ret = engine_open_source(&engine, party, plan);

	if (!ret)
		ret = interface_bytes(&before);
	if (!ret)
		ret = engine_push_source(&engine);
	if (!ret)
		ret = interface_bytes(&after);
	if (!ret)
		party->outcome->value = (double)(after - before);
	return ret;
}

static int wire_dest(struct party *party)
{
	struct engine engine;
	int ret = engine_open_dest(&engine, party, party->arg);

	return ret ?: engine_push_dest(&engine);
}

/* Written, as zero: a hole would not even be looked at. */
static int zeroes_write(int memory, uint64_t size)
{
	static const uint8_t zeroes[3 * 4096];
	uint64_t at;
	int ret = 0;

	for (at = 0; !ret && at < size; at += GROUP * 4096) {
		ret = sys_pwrite_all(memory, zeroes, 4096, at + 3 * 4096);
		if (!ret)
			ret = sys_pwrite_all(memory, zeroes, sizeof(zeroes), at + 8 * 4096);
	}
	return ret;
}

/**
 * wire_measure() - bytes on the wire for each byte that is not zero
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives the quotient
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int wire_measure(const struct site *site, const struct row *row, double *value,
		 struct fail *fail)
{
	struct plan plan = {
		.push_lanes = row->lanes,
		.fault_lanes = 1,
		.tls = row->tls,
		.size = site->memory_size / (GROUP * 4096) * (GROUP * 4096),
	};
	struct outcome outcomes[2];
	int ret;

	plan.filled = plan.size;
	plan.memory = memory_create(plan.size, plan.size);
	if (plan.memory < 0)
		return plan.memory;
	ret = zeroes_write(plan.memory, plan.size);
	if (!ret)
		ret = parties_run(site, wire_source, wire_dest, &plan, outcomes, fail);
	close(plan.memory);
	if (!ret)
		*value = outcomes[0].value / ((double)plan.size * (GROUP - ZEROES) / GROUP);
	return ret;
}
