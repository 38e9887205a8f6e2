/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - the end that has the pages.
 *
 *   source_create()          bitmaps, no threads
 *   source_add_lane()        a thread for each: push lanes send in the
 *                            background, fault lanes answer wants
 *   source_populated()       what is to be sent at all
 *   source_written()         what the guest has dirtied since
 *   source_round_start()     one pre-copy round ... source_round_done()
 *   source_hold()            the guest stands still; what is dirty is missing
 *   source_push_start()      post-copy ... source_proven()
 *   source_lanes_end()       the lanes broke; source_has() says what came:
 *                            then source_add_lane() and source_push_start()
 *   source_destroy()         joins all threads, closes all lanes
 *
 * source->event_fd becomes readable when a round is done, when everything is
 * proven, and on the first error.
 */
#ifndef STRADDLE_SOURCE_H
#define STRADDLE_SOURCE_H

#include <pthread.h>

#include "copy/ahead.h"
#include "copy/bitmap.h"
#include "copy/digest.h"
#include "copy/estimate.h"
#include "copy/lane.h"
#include "copy/limit.h"
#include "copy/order.h"
#include "copy/stats.h"
#include "copy/worth.h"
#include "uffd/uffd.h"

#define SOURCE_LANES_MAX	64
/* What a round has sent before the rate of a link can be told by it. */
#define ROUND_SAMPLE_BYTES	(16u << 20)
#define ROUND_SAMPLE_NS		UINT64_C(100000000)

/* 3 bits a page. */
struct source_region {
	struct bitmap dirty;	/* to be sent; from source_hold() on: frozen,
				 * clear = the dest keeps what it has */
	struct bitmap sent;	/* test-and-set by whoever sends a page */
	struct bitmap filled;	/* sent with bytes in a round; only where
				 * the kind has is_hole() */
	struct proof proof;
};

struct source;

/* One lane and its thread. */
struct source_lane {
	struct source *source;
	struct lane *lane;
	pthread_t thread;
	uint8_t *buffer;		/* one run; this thread's */
	struct order_cursor cursor;	/* this thread's */
	bool packs;			/* this run is to be; this thread's */
	uint64_t data_bytes;		/* sent, as in stats; this thread's */
	uint64_t limited_ns;		/* waited for the limit; this thread's */
};

enum source_job { SOURCE_IDLE, SOURCE_ROUND, SOURCE_PUSH, SOURCE_STOP };

struct source {
	struct region_map *map;
	struct source_region regions[REGIONS_MAX];
	struct limit limit;
	struct worth worth;		/* of the push lanes */
	struct order order;
	struct ahead ahead;
	struct source_stats stats;
	int event_fd;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum source_job job;		/* @lock */
	uint64_t job_number;		/* @lock; counts orders to the lanes */
	unsigned int busy;		/* @lock; push lanes still at it */
	uint32_t generation;		/* @lock; of the current job */
	bool leaves_out;		/* of this round: what was written again;
					 * changes between rounds only */
	struct {
		uint64_t bytes, ns;	/* of data, and from the start: both */
	} sample;			/* before that nothing is left out; as in
					 * ROUND_SAMPLE, but for tests */
	int error;			/* @lock; the first */
	bool stopping;			/* atomic */
	bool cut_short;			/* atomic; end the round early */
	bool held;			/* atomic; wants may be answered */
	uint64_t wanted_ns;		/* atomic; when the newest want came */

	struct source_lane *lanes[SOURCE_LANES_MAX];
	unsigned int lane_count;	/* main thread */
	unsigned int push_lanes;	/* main thread */
	pthread_t sweeper;		/* counts what nobody sends */
	bool sweeping;			/* main thread: there is a sweeper */
	bool sweep_stop;		/* atomic; it is to end */
	bool sweeps_all;		/* it counts every page, nobody else
					 * does; changes without lanes only */
	int sweep_error;		/* atomic; the sweeper's own */
	uint64_t round_began_ns;	/* changes between rounds only */
	uint64_t round_bytes;		/* main thread; stats at its start */
	uint64_t round_pages;		/* main thread; stats at its start */
	uint64_t round_data;		/* stats at its start; changes between
					 * rounds only */
	uint64_t round_left_out;	/* main thread; stats at its start */
};

int source_create(struct region_map *map, uint64_t bandwidth,
		  struct source **source);
void source_destroy(struct source *source);
int source_add_lane(struct source *source, struct lane *lane);
int source_error(struct source *source);
void source_fail(struct source *source, int error);

int source_populated(struct source *source);
int source_written(struct source *source, struct uffd_tracker *tracker);
int source_written_since(struct source *source, struct uffd_tracker *tracker);
uint64_t source_dirty_bytes(const struct source *source);
uint64_t source_unsent_pages(const struct source *source);

void source_round_start(struct source *source, uint32_t generation,
			bool leaves_out);
void source_round_cut(struct source *source);
bool source_round_done(struct source *source, struct round_result *result);

void source_hold(struct source *source);
int source_push_start(struct source *source, uint32_t generation);
void source_lanes_end(struct source *source);
int source_has(struct source *source, struct region *region, uint64_t first,
	       uint64_t count, const uint64_t *present);
int source_rescue(struct source *source, int fd, const uint8_t *migration,
		  uint64_t *pages);
bool source_proven(const struct source *source);

/* Where who sends a page for the first time adds its digest; NULL: nowhere. */
static inline struct proof *source_counts(struct source *source,
					  const struct region *region)
{
	return source->sweeps_all ? NULL : &source->regions[region->id].proof;
}

/* Between the files of this end. */
void source_signal(struct source *source);
void source_order(struct source *source, enum source_job job,
		  uint32_t generation);
void source_lanes_destroy(struct source *source);
int source_sweep_start(struct source *source);
void source_sweep_end(struct source *source);
void source_sweep_all(struct source *source);
int push_round(struct source_lane *self, uint32_t generation);
int push_rest(struct source_lane *self, uint32_t generation);
int serve_wants(struct source_lane *self);
int run_send(struct source_lane *self, const struct frame *run,
	     const uint8_t *bytes, struct proof *proof);

#endif
