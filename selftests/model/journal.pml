/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.pml - the rows of both hosts, and the one way to change them.
 *
 * MOVE is journal_move(): a compare-and-set. Every one of the model stands in
 * owner_table (protocol/owner.c), and the reverse: moves.c compares them.
 */
#ifndef COVERAGE
#define MOVE(row, from, to)	(row == from) -> row = to
#else	/* each tells once that it was made */
#define MOVE(row, from, to) \
	(row == from) -> row = to; c_code { \
		static int told; \
		if (!told++) \
			printf("move: %s %s\n", #from, #to); \
	}
#endif

mtype = {
	NONE,			/* no row, no worker */
	BEGUN, PERFORMING, STOPPING, STOPPED, ASKED, HELD,
	TEARING_DOWN, TORN_DOWN, RESUMING, RESUMED, CORRUPT,
	DIED_THERE, TAKING_BACK, TAKEN_BACK,
	PREPARED, LOADED, GO, DISCARDED, RUNNING, COMPLETE, DONE, DIED,
	SUPERSEDED, POISONED,
	/* Where only a worker stands. */
	FROZEN,			/* source: nobody else can run its guest */
	ASKING,			/* source: ASKED is synced, FINISH not sent */
	PROVEN, DIFFERS,	/* source: COMPLETE came; its proof */
	CREATED,		/* dest: the guest's copy is there, paused */
	STARTED,		/* dest: it runs, and nobody was told */
	HEARD,			/* dest: it was taken back; to be stopped */
	EARLY,			/* dest: with BUG_GO_AFTER_START */
	/* A guest's copy. */
	GONE, PAUSED, RUNS
};

mtype srow[MIGRATIONS] = NONE, drow[MIGRATIONS] = NONE;

/* A row that keeps its host from a second migration of the guest. */
#define SOURCE_OPEN(i)	(srow[i] != NONE && srow[i] != TORN_DOWN && \
			 srow[i] != RESUMED && srow[i] != TAKEN_BACK)
#define DEST_OPEN(i)	(drow[i] != NONE && drow[i] != DISCARDED && \
			 drow[i] != COMPLETE && drow[i] != DONE && \
			 drow[i] != DIED && drow[i] != POISONED)
#define IS_DECIDED(i)	(drow[i] == GO || drow[i] == RUNNING || \
			 drow[i] == COMPLETE || drow[i] == DONE || \
			 drow[i] == DIED || drow[i] == DISCARDED || \
			 drow[i] == SUPERSEDED || drow[i] == POISONED)
