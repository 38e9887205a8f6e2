/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.h - counters that any thread may add to and anybody may read. */
#ifndef STRADDLE_STATS_H
#define STRADDLE_STATS_H

#include <stdint.h>

/* Latencies: 8 steps an octave, so a quantile is right within 9 %. */
#define HISTOGRAM_STEPS		8
#define HISTOGRAM_BINS		(64 * HISTOGRAM_STEPS)

struct histogram {
	uint64_t bins[HISTOGRAM_BINS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
uint64_t histogram_quantile(const struct histogram *histogram, double q);

/* What a source counts. */
struct source_stats {
	uint64_t data_pages;		/* sent with their bytes */
	uint64_t zero_pages;		/* sent as headers */
	uint64_t data_bytes;		/* of @data_pages, as they are in memory */
	uint64_t packed_bytes;		/* of these, what was packed */
	uint64_t packed_to_bytes;	/* and what that came to */
	uint64_t left_out_bytes;	/* of memory: written again before its
					 * turn in a round, so not sent in it */
	uint64_t round_bytes;		/* on the wire in pre-copy */
	uint64_t push_bytes;		/* on the wire in post-copy, pushed */
	uint64_t fault_bytes;		/* on the wire as answers to wants */
	uint64_t wants;
	uint64_t repeated_pages;	/* wanted while on their way: twice;
					 * in pages of 4 KiB */
};

/* What a dest counts. */
struct dest_stats {
	uint64_t faults;		/* read from the userfaultfd */
	uint64_t network_faults;	/* of these, asked of the source */
	uint64_t duplicate_pages;	/* arrived, and were there already */
	uint64_t bad_runs;		/* digest did not match */
	uint64_t discarded_pages;	/* freed by the guest before they came */
	uint64_t stale_frames;		/* of an older generation: dropped */
	struct histogram fault_ns;	/* event read to page placed */
};

static inline void stat_add(uint64_t *counter, uint64_t value)
{
	__atomic_fetch_add(counter, value, __ATOMIC_RELAXED);
}

static inline uint64_t stat_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
