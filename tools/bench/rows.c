// SPDX-License-Identifier: LGPL-2.1-or-later
/* rows.c - the benchmark as a table, and how a row of it is run. */
#include <stdlib.h>

#include "tools/bench/bench.h"

#define STREAM		"plain TCP stream, 64 KiB blocks"
#define STREAMS		"two plain TCP streams, 64 KiB blocks"
#define STREAM_TLS	"TLS stream of the same keys, 64 KiB blocks"
#define MEMORY		"the same stream out of and into guest memory"
#define POPULATED	"pages made ahead by MADV_POPULATE_WRITE, recv into them"
#define ALIAS		"recv straight into a mapping, pages made by faults"
#define FLOOR		"echo of 16 B for 4 KiB + local userfaultfd round trip"
#define SMALL		"the same of 4 KiB pages"
#define FLOOR_HUGE	"echo of 16 B for 2 MiB"
#define LOCAL		"as many threads that fault locally"
#define IDLE		"the same without a push"
#define UNPACKED	"the same without --compressed"
#define BUSY		"network fault while 2 lanes push over 1 Gbit/s"
#define BANDS		"pfifo_fast in the cable's tbf"
#define ONE_QUEUE	"tbf's one queue"

const struct row rows[] = {
	{ "push-1", "MiB/s", "post-copy push, 1 lane", STREAM,
	  push_measure, stream_measure, AT_LEAST, 0.9, 1, false, USUAL },
	{ "push-2", "MiB/s", "post-copy push, 2 lanes", STREAMS,
	  push_measure, stream_measure, AT_LEAST, 0.9, 2, false, USUAL },
	{ "push-1-memory", "MiB/s", "post-copy push, 1 lane", MEMORY,
	  push_measure, stream_memory_measure, AT_LEAST, 0.9, 1, false, USUAL },
	{ "push-2-memory", "MiB/s", "post-copy push, 2 lanes", MEMORY " (two)",
	  push_measure, stream_memory_measure, AT_LEAST, 0.9, 2, false, USUAL },
	{ "push-1-tls", "MiB/s", "post-copy push, 1 lane, TLS", STREAM_TLS,
	  push_measure, stream_measure, AT_LEAST, 0.9, 1, true, USUAL },
	{ "push-1-tls-memory", "MiB/s", "post-copy push, 1 lane, TLS", MEMORY,
	  push_measure, stream_memory_measure, AT_LEAST, 0.9, 1, true, USUAL },
	{ "push-2-tls", "MiB/s", "post-copy push, 2 lanes, TLS", STREAM_TLS " (two)",
	  push_measure, stream_measure, AT_LEAST, 0.9, 2, true, USUAL },
	{ "round-1", "MiB/s", "pre-copy round, 1 lane", STREAM,
	  round_measure, stream_measure, AT_LEAST, 0.8, 1, false, USUAL },
	{ "round-2", "MiB/s", "pre-copy round, 2 lanes", STREAMS,
	  round_measure, stream_measure, AT_LEAST, 0.8, 2, false, USUAL },
	{ "round-1-memory", "MiB/s", "pre-copy round, 1 lane", MEMORY,
	  round_measure, stream_memory_measure, AT_LEAST, 0.8, 1, false, USUAL },
	{ "round-1-tls", "MiB/s", "pre-copy round, 1 lane, TLS", STREAM_TLS,
	  round_measure, stream_measure, AT_LEAST, 0.8, 1, true, USUAL },
	{ "push-1-cpu", "ms/GiB", "CPU time of both ends of the push, 1 lane", STREAM,
	  push_measure, stream_measure, NO_GOAL, 0, 1, false, CPU_TIME },
	{ "push-1-memory-cpu", "ms/GiB", "CPU time of both ends of the push, 1 lane", MEMORY,
	  push_measure, stream_memory_measure, NO_GOAL, 0, 1, false, CPU_TIME },
	/* How received bytes get into memory: the lanes' way against the others. */
	{ "fill-insert", "MiB/s", "recv and insert as a lane does, memory never written",
	  "pwrite into the memfd, then UFFDIO_CONTINUE",
	  fill_insert_measure, fill_map_measure, AT_LEAST, 0.95, 1, false, USUAL },
	{ "fill-cold", "MiB/s", "recv and fill as after rounds, memory never written", POPULATED,
	  fill_cold_measure, populate_cold_measure, AT_LEAST, 0.95, 1, false, USUAL },
	{ "fill-cold-alias", "MiB/s", "recv and fill as after rounds, memory never written", ALIAS,
	  fill_cold_measure, alias_cold_measure, AT_LEAST, 0.95, 1, false, USUAL },
	{ "fill-warm", "MiB/s", "the same, all pages are there", POPULATED,
	  fill_warm_measure, populate_warm_measure, AT_LEAST, 0.95, 1, false, USUAL },
	{ "fill-warm-alias", "MiB/s", "the same, all pages are there", ALIAS,
	  fill_warm_measure, alias_warm_measure, AT_LEAST, 0.95, 1, false, USUAL },
	/* Of memory that compresses as programs do. */
	{ "push-2-packed", "MiB/s", "post-copy push of /usr/lib, 2 lanes, --compressed", UNPACKED,
	  packed_measure, unpacked_measure, AT_LEAST, 1, 2, false, USUAL },
	{ "push-narrow-packed", "MiB/s", "the same over 1 Gbit/s", UNPACKED,
	  packed_narrow_measure, unpacked_narrow_measure, AT_LEAST, 1.5, 2, false, USUAL },
	{ "push-narrow-packed-tls", "MiB/s", "the same over 1 Gbit/s, TLS", UNPACKED,
	  packed_narrow_measure, unpacked_narrow_measure, AT_LEAST, 1.5, 2, true, USUAL },
	/* Of pages of 2 MiB. */
	{ "push-2-huge", "MiB/s", "post-copy push of 2 MiB pages, 2 lanes", SMALL,
	  push_huge_measure, push_measure, NO_GOAL, 0, 2, false, USUAL },
	{ "fault-huge", "us", "network fault of 2 MiB, median, no push", FLOOR_HUGE,
	  fault_huge_measure, fault_huge_floor_measure, AT_MOST, 1.3, 1, false, USUAL },
	/* What a whole post-copy takes of the wire, and of time. */
	{ "wire", "byte", "on the wire, for each byte that is not zero; post-copy", NULL,
	  wire_measure, NULL, AT_MOST, 1.02, 2, false, USUAL },
	{ "line", "part", "time over size, 0.5 to 16 times --size: farthest from a line", NULL,
	  line_measure, NULL, AT_MOST, 0.10, 2, false, USUAL },
	/* Faults: how long one thread waits, how many pages many get. */
	{ "fault-idle", "us", "network fault of 4 KiB, median, no push", FLOOR,
	  fault_measure, fault_floor_measure, AT_MOST, 1.3, 1, false, USUAL },
	{ "fault-idle-p99", "us", "the same, 99 % are shorter", FLOOR,
	  fault_measure, fault_floor_measure, AT_MOST, 1.3, 1, false, P99 },
	{ "fault-idle-tls", "us", "network fault of 4 KiB, median, no push, TLS", FLOOR " (plain)",
	  fault_measure, fault_floor_measure, NO_GOAL, 0, 1, true, USUAL },
	{ "fault-idle-tls-p99", "us", "the same, 99 % are shorter", FLOOR " (plain)",
	  fault_measure, fault_floor_measure, NO_GOAL, 0, 1, true, P99 },
	{ "fault-busy", "us", BUSY ", median", IDLE,
	  busy_fault_measure, fault_narrow_measure, NO_GOAL, 0, 2, false, USUAL },
	{ "fault-busy-p99", "us", BUSY ", 99 % are shorter", IDLE,
	  busy_fault_measure, fault_narrow_measure, AT_MOST, 3, 2, false, P99 },
	{ "push-busy", "MiB/s", "that push, while a thread faults", STREAMS ", 1 Gbit/s",
	  busy_push_measure, stream_narrow_measure, AT_LEAST, 0.8, 2, false, USUAL },
	{ "fault-busy-bands", "us", BUSY ", median; " BANDS, ONE_QUEUE,
	  bands_fault_measure, busy_fault_measure, NO_GOAL, 0, 2, false, USUAL },
	{ "fault-busy-bands-p99", "us", "the same, 99 % are shorter", ONE_QUEUE,
	  bands_fault_measure, busy_fault_measure, NO_GOAL, 0, 2, false, P99 },
	{ "push-busy-bands", "MiB/s", "that push, while a thread faults", ONE_QUEUE,
	  bands_push_measure, busy_push_measure, NO_GOAL, 0, 2, false, USUAL },
	{ "faults-16", "1/s", "network faults of 16 threads", LOCAL,
	  faults_measure, faults_local_measure, NO_GOAL, 0, 16, false, USUAL },
	{ "faults-64", "1/s", "network faults of 64 threads", LOCAL,
	  faults_measure, faults_local_measure, NO_GOAL, 0, 64, false, USUAL },
	{ "faults-256", "1/s", "network faults of 256 threads", LOCAL,
	  faults_measure, faults_local_measure, NO_GOAL, 0, 256, false, USUAL },
	{ "faults-256-16", "1/s", "network faults of 256 threads", "those of 16 threads",
	  faults_measure, faults_few_measure, AT_LEAST, 0.9, 256, false, USUAL },
	{ "walk", "1/s", "pages that a thread reads in order, no push", "the same in no order",
	  walk_measure, leap_measure, NO_GOAL, 0, 1, false, USUAL },
	{ "walk-busy", "1/s", "the same while 2 lanes push over 1 Gbit/s", NULL,
	  busy_walk_measure, NULL, NO_GOAL, 0, 2, false, USUAL },
	{ "states-source", "bit/page", "bookkeeping of the source, guest of 8 GiB", NULL,
	  books_source_measure, NULL, AT_MOST, 4, 0, false, USUAL },
	{ "states-dest", "bit/page", "bookkeeping of the dest, guest of 8 GiB", NULL,
	  books_dest_measure, NULL, AT_MOST, 4, 0, false, USUAL },
	{ "resident-source", "MiB", "resident memory of the source's process, guest of 8 GiB", NULL,
	  memory_source_measure, NULL, AT_MOST, 64, 0, false, USUAL },
	{ "resident-dest", "MiB", "the dest's, without the guest's memory", NULL,
	  memory_dest_measure, NULL, AT_MOST, 64, 0, false, USUAL },
};

const unsigned int rows_count = sizeof(rows) / sizeof(rows[0]);

/**
 * double_compare() - for qsort(), the smallest first
 * @a: a double
 * @b: another one
 *
 * Return: below 0, 0 or above it.
 */
int double_compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static struct spread spread_of(double *values, unsigned int count)
{
	unsigned int middle = count / 2;

	qsort(values, count, sizeof(*values), double_compare);
	return (struct spread){
		.min = values[0],
		.median = count % 2 ? values[middle]
				    : (values[middle - 1] + values[middle]) / 2,
		.max = values[count - 1],
	};
}

static bool goal_met(const struct row *row, const struct result *result)
{
	double value = row->against ? result->ratio.median : result->ours.median;

	if (row->against && !result->compared)
		return false;
	return row->sense == AT_LEAST ? value >= row->goal : value <= row->goal;
}

/**
 * row_quantile() - which of a thread's waits a row gives
 * @row: of faults
 *
 * Return: the share of waits that are shorter.
 */
double row_quantile(const struct row *row)
{
	return row->aspect == P99 ? 0.99 : 0.5;
}

/**
 * row_value() - what a row says of a transfer
 * @row: throughput in MiB/s, or CPU time in ms a GiB
 * @bytes: that crossed
 * @outcomes: the source's, and the dest's
 *
 * Return: the value.
 */
double row_value(const struct row *row, uint64_t bytes, const struct outcome outcomes[2])
{
	uint64_t ns = outcomes[1].ended_ns - outcomes[0].began_ns;
	uint64_t cpu_ns = outcomes[0].cpu_ns + outcomes[1].cpu_ns;

	if (row->aspect == CPU_TIME)
		return (double)cpu_ns / 1e6 * (1 << 30) / (double)bytes;
	return (double)bytes / (1 << 20) * 1e9 / (double)ns;
}

/**
 * row_goal() - a row's goal in words
 * @row: of the table
 * @text: receives ">= 0.8 x", "<= 64", "" (none)
 * @size: of @text
 */
void row_goal(const struct row *row, char *text, size_t size)
{
	*text = '\0';
	if (row->sense != NO_GOAL)
		snprintf(text, size, "%s %g%s", row->sense == AT_LEAST ? ">=" : "<=", row->goal,
			 row->against ? " x" : "");
}

/**
 * result_make() - what a row's measurements say
 * @row: of them
 * @ours: one a pair; sorted here
 * @peer: likewise, unless the row is against nothing
 * @pairs: 1 to PAIRS_MAX
 * @result: receives it
 */
void result_make(const struct row *row, double *ours, double *peer, unsigned int pairs,
		 struct result *result)
{
	double ratio[PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < pairs && row->against; i++)
		ratio[i] = ours[i] / peer[i];
	if (row->against) {
		result->peer = spread_of(peer, pairs);
		result->compared = result->peer.min > 0;
	}
	if (result->compared)
		result->ratio = spread_of(ratio, pairs);
	result->ours = spread_of(ours, pairs);
	result->met = goal_met(row, result);
	result->measured = true;
}

/**
 * row_run() - measure ours and the peer in turn
 * @site: where
 * @row: what
 * @pairs: how often, 1 to PAIRS_MAX
 * @result: receives what came out
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int row_run(const struct site *site, const struct row *row, unsigned int pairs,
	    struct result *result, struct fail *fail)
{
	double ours[PAIRS_MAX], peer[PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < pairs; i++) {
		int ret;

		memory_warm(site->memory_size);
		ret = row->ours(site, row, &ours[i], fail);
		memory_warm(site->memory_size);
		if (!ret && row->peer)
			ret = row->peer(site, row, &peer[i], fail);
		if (ret)
			return ret;
	}
	result_make(row, ours, peer, pairs, result);
	return 0;
}
