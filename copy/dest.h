/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dest.h - the end that misses the pages.
 *
 *   dest_create()          page states in a file on tmpfs, no threads
 *   dest_adopt()           instead: after GO, from what a predecessor left
 *   dest_add_lane()        a thread for each: push lanes receive, fault lanes
 *                          also answer the guest's faults
 *   dest_barrier_passed()  pre-copy: all push lanes are through a round
 *   dest_keep()            which pre-copied pages are good
 *   dest_serve()           while devices are loaded: only some threads' faults
 *   dest_switch()          from here on a missing page is asked for
 *   dest_stale()           what must not be mapped when the guest starts
 *   dest_settle()          map and count what was kept
 *   dest_lanes_end()       the lanes broke: what is present is served without
 *   dest_lanes_start()     there are new ones: what is missing is asked for
 *   dest_complete()        nothing is missing, everything is counted
 *   dest_stop()            joins all threads: the userfaultfd is free
 *   dest_destroy()         stops, closes all lanes
 *
 * A guest that frees memory meanwhile (a balloon) is told by events: see
 * discard.c.
 *
 * No byte reaches memory that the guest may see before its digest is checked
 * and its page is claimed: lanes receive into buffers of their own, so that a
 * claim never waits for a network.
 *
 * dest->event_fd becomes readable when a barrier is passed, when everything
 * is complete, and on the first error.
 */
#ifndef STRADDLE_DEST_H
#define STRADDLE_DEST_H

#include <pthread.h>

#include "copy/digest.h"
#include "copy/lane.h"
#include "copy/states.h"
#include "copy/stats.h"
#include "uffd/uffd.h"

#define DEST_LANES_MAX	(LEDGERS_MAX - 1)
#define BAD_RUNS_MAX	3	/* in a row on a lane, then it is cut */

struct dest;
struct fault_thread;

/* May this thread of the guest's process have pages before the switch? */
typedef bool dest_thread_fn(void *arg, uint32_t thread);

struct dest_lane {
	struct dest *dest;
	struct lane *lane;		/* NULL: it only watches */
	struct ledger *ledger;		/* this thread's */
	pthread_t thread;
	bool running;			/* main thread: to be joined */
	unsigned int bad_runs;		/* in a row; this thread's */
	uint32_t passed;		/* atomic; barriers, newest */
	struct fault_thread *faults;	/* this thread reads events; or NULL */
};

struct dest {
	struct region_map *map;
	struct states states;
	int uffd;			/* borrowed */
	struct dest_stats stats;
	int event_fd;			/* to the main thread */
	int stop_fd;			/* readable: threads end */
	int rewant_fd;			/* readable: @rewant has pages */

	uint64_t missing;		/* atomic; in pages of 4 KiB */
	uint64_t uncounted;		/* atomic; kept pages, not settled */
	uint64_t discards;		/* atomic; pages that the guest freed,
					 * whose digest did not come yet */
	/*
	 * Exclusively: events are read, and what they tell is written down.
	 * Shared: private pages are filled, kept ones read and counted. So
	 * whoever frees memory goes on after that, not in between.
	 */
	pthread_rwlock_t removal;
	bool stale;			/* set at the switch: pages that were
					 * dirtied since may lie in the file */
	uint64_t inserts;		/* likewise; a bit a region: none was
					 * received before, pages are inserted */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool switched;			/* @lock, and atomic to read: frames of
					 * post-copy are taken, faults read */
	bool owned;			/* atomic; every thread's faults are
					 * answered */
	dest_thread_fn *loads;		/* set before @switched: until @owned
					 * only these threads' are */
	void *loads_arg;
	uint32_t generation;		/* @lock; of post-copy frames */
	bool stopping;			/* @lock, and atomic to read */
	int error;			/* @lock; the first */
	struct {			/* @lock; runs whose digest was wrong */
		struct region *region;
		uint64_t first, count;
	} rewant[DEST_LANES_MAX];
	unsigned int rewants;		/* @lock */
	unsigned int asked;		/* @lock; of digests, answer due */
	unsigned int ask_region;	/* @lock; where to look for more */
	uint64_t ask_page;		/* @lock */
	pthread_mutex_t counting;	/* of kept and discarded pages */

	struct dest_lane *lanes[DEST_LANES_MAX];
	unsigned int lane_count;	/* main thread */
	struct dest_lane *watcher;	/* main thread; or NULL */
	bool waiting;			/* main thread: lanes wait for others
					 * to come, before their threads start */
	pthread_t early;		/* reads events before the switch */
	bool is_early;			/* main thread: it runs */
	int early_fd;			/* readable: it ends */
	pthread_t settler;
	bool settling;			/* main thread: there is a settler */
};

int dest_create(struct region_map *map, const char *states_path, int uffd,
		struct dest **dest);
int dest_adopt(struct region_map *map, const char *states_path, int uffd,
	       uint64_t inserts, struct dest **dest);
void dest_stop(struct dest *dest);
void dest_destroy(struct dest *dest);
int dest_add_lane(struct dest *dest, struct lane *lane);
int dest_lanes_end(struct dest *dest);
int dest_lanes_start(struct dest *dest, uint32_t generation);
int dest_error(struct dest *dest);
void dest_fail(struct dest *dest, int error);

uint32_t dest_barrier_passed(const struct dest *dest);
int dest_keep(struct dest *dest, struct region *region, uint64_t first,
	      uint64_t count, const uint64_t *keep);
int dest_serve(struct dest *dest, uint32_t generation, dest_thread_fn *loads,
	       void *arg);
uint64_t dest_inserts(struct dest *dest, uint32_t generation);
int dest_switch(struct dest *dest, uint32_t generation);
int dest_stale(struct dest *dest, int pagemap, uffd_run_fn *run, void *arg);
int dest_settle(struct dest *dest);
int dest_rescue(struct dest *dest, int fd, const uint8_t *migration);
bool dest_complete(const struct dest *dest);

/* A stopped dest takes nothing more, however much a source sends. */
static inline bool dest_stopping(const struct dest *dest)
{
	return __atomic_load_n(&dest->stopping, __ATOMIC_RELAXED);
}

static inline struct pages *dest_pages(struct dest *dest,
				       const struct region *region)
{
	return &dest->states.pages[region->id];
}

/* Between the files of this end. */
int dest_wake(struct dest *dest);
void dest_lanes_destroy(struct dest *dest);
void dest_lane_broke(struct dest_lane *self, int error);
void dest_signal(struct dest *dest);
int receive_rounds(struct dest_lane *self);
int receive_frame(struct dest_lane *self, const struct frame *frame,
		  const void *payload);
int fault_serve(struct dest_lane *self);
int fault_events(struct fault_thread *self);
int dest_layout_wait(struct dest_lane *self);
int early_start(struct dest *dest);
void early_end(struct dest *dest);
int discard_events(struct dest_lane *self, struct uffd_event *events);
void discard_arrived(struct dest *dest, struct region *region, uint64_t first,
		     uint64_t count, const struct digest *digests);
void discard_answered(struct dest *dest, const struct frame *frame);
bool discard_next(struct dest *dest, struct frame *ask);
int settle_kept(struct dest *dest);
int settle_page(struct dest *dest, struct region *region, uint64_t page,
		uint8_t *buffer);
void dest_rewant(struct dest *dest, const struct frame *run);
bool dest_rewant_next(struct dest *dest, struct frame *want);

#endif
