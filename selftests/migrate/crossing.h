/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crossing.h - what the tests of whole migrations share. */
#ifndef STRADDLE_TEST_CROSSING_H
#define STRADDLE_TEST_CROSSING_H

#include "lib/inspect.h"
#include "lib/move.h"
#include "lib/pair.h"
#include "lib/traces.h"

#define NO_OPTIONS	((const char *const[]){ NULL })

/* 12 MB/s: a guest of 48 MiB takes four seconds, and always dirties more. */
extern const struct net_rate crossing_slow;

/* A busy guest of 48 MiB on the source; @more overrides, NULL-ended. */
void crossing_guest(struct pair *pair, const char *name,
		    const char *const more[]);
/* One that touches few pages a second; @memory: one more option, or NULL. */
void crossing_slow_guest(struct pair *pair, const char *name, const char *memory);
/* Past the switch, most of its pages missing for as long as a test takes. */
void crossing_hold(struct pair *pair, const char *name, struct move *move);
/* It runs at @host, all memory as it left it, and nothing else is there. */
void crossing_arrived(struct pair *pair, const struct host *host,
		      const char *name);
/* Its other host has nothing of it but the row. */
void crossing_left(const struct host *host, const char *name, int guests);
/* Somebody resumes it by hand, and it does nothing. */
void crossing_resumed_waits(const struct host *host, const char *name);
/* The guest goes on at the source, the dest has nothing of it. */
void crossing_undone(struct pair *pair, const char *name);
/* Rows of a migration, "" where it has none at a side. */
void crossing_rows(struct pair *pair, const char *id, const char *source,
		   const char *dest);
/* Poll until a row is in a state; false: it does not get there. */
bool crossing_row_reaches(const struct host *host, const char *id,
			  enum side side, const char *state);

/* Poll until the agent's log has a text; false: it does not come. */
bool crossing_log_has(const struct host *host, const char *text);

#endif
