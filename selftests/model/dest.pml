/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dest.pml - the dest: from Prepare to the end of its row. */

/* An open row of the guest, of whichever side of this host, is in the way. */
#if !defined(TWICE) || defined(BUG_PREPARE_OVER_OPEN_ROW)
#define MAY_PREPARE(i)	true
#else
#ifdef HOME
#define MAY_PREPARE(i)	(!SOURCE_OPEN(OTHER(i)))
#else
#define MAY_PREPARE(i)	(!DEST_OPEN(OTHER(i)))
#endif
#endif

#define STATE_SENT(i)	(sw[i] == STOPPED || sw[i] == FROZEN || \
			 sw[i] == ASKING || sw[i] == ASKED)
#define WAITS(i)	(dw[i] == PREPARED || dw[i] == CREATED || dw[i] == LOADED)
#define NO_WORKER(i)	(dw[i] == NONE || dw[i] == DISCARDED)
#define DEST_IDLE(i)	(dw[i] == NONE && !dead[DST(i)])
#ifdef BUG_DIED_UNPROVEN
#define GUEST_ENDED(i)	true
#else
#define GUEST_ENDED(i)	(COPY(i) == GONE)
#endif
#define RUNS_BY_ROW(i)	(drow[i] == GO || drow[i] == RUNNING)
/* Where it cannot run any more. */
#ifdef BUG_DONE_IS_OVER
#define NEVER_AGAIN(i)	(drow[i] == DISCARDED || drow[i] == DIED || drow[i] == DONE)
#else
#define NEVER_AGAIN(i)	(drow[i] == DISCARDED || drow[i] == DIED)
#endif
/* Which guest is the copy that was taken back? */
#ifdef BUG_STALE_COPY_BY_NAME
#define STALE(i)	guest[DST(i)]
#else
#define STALE(i)	COPY(i)
#endif
/* A worker hears it once its guest runs; without one the agent answers. */
#define HEARS(i)	(HAS(i, TAKEN) && (DEST_IDLE(i) || dw[i] == RUNNING || \
					   dw[i] == COMPLETE))
/* Lanes are for a worker: its successor is waited for. */
#define ROW_ASKED_FOR(i)	(HAS(i, QUERY | CANCEL) || \
				 (HAS(i, RECOVER) && !RUNS_BY_ROW(i)))
#define ASKED_FOR(i)	HAS(i, QUERY | CANCEL | RECOVER)

/* From the journal: whoever answers knows no more than that. */
inline answer_from_row(i)
{
	if
	:: RUNS_BY_ROW(i) -> GOT(i, QUERY | CANCEL); SEND(i, SAYS_RAN)
	:: (drow[i] == SUPERSEDED || drow[i] == POISONED) && HAS(i, QUERY | CANCEL) ->
		GOT(i, QUERY | CANCEL); SEND(i, SAYS_RAN)
	:: (drow[i] == SUPERSEDED || drow[i] == POISONED) && !HAS(i, QUERY | CANCEL) ->
		GOT(i, RECOVER)
	:: else ->
		GOT(i, QUERY | CANCEL | RECOVER);
		if
		:: drow[i] == DISCARDED -> SEND(i, SAYS_NEVER_RAN)
		:: drow[i] == COMPLETE || drow[i] == DONE -> SEND(i, SAYS_COMPLETE)
		:: drow[i] == DIED -> SEND(i, SAYS_DIED)
		:: else -> SEND(i, SAYS_UNKNOWN)
		fi
	fi
}

/* The source opens lanes anew: those that it had are dropped first. */
inline recover(i)
{
	GOT(i, RECOVER);
#ifdef BUG_CLAIMED_IS_PRESENT
	bitmap[i] = present[i] | in_recv[i];
	lanes_drop(i);
#else
	lanes_drop(i);
	bitmap[i] = present[i];
#endif
	SEND(i, RECOVERED)
}

/* It stands in the journal: whoever goes on with it stops the copy. */
inline superseded(i)
{
#ifdef BUG_SETTLED_IS_DEAF
	if
	:: dw[i] == COMPLETE -> deaf[i] = true
	:: else
	fi;
#endif
	lanes_drop(i);
	whole[i] = 0;
	dw[i] = HEARD
}

inline copy_stop(i)
{
	if
	:: STALE(i) == RUNS ->
		assert(whose[DST(i)] == i);	/* and not another's */
		guest[DST(i)] = PAUSED
	:: else
	fi;
#ifndef BUG_STALE_COPY_UNFENCED
	if
	:: STALE(i) == PAUSED -> FENCE(i, DST(i))
	:: else
	fi
#endif
}

inline copy_gone(i)
{
	guest[DST(i)] = GONE;
	fence[DST(i)] = 0
}

inline dest_loop(i)
{
	do
	/* Prepare, Perform. */
	:: atomic { sw[i] == BEGUN && !met[i] && guest[DST(i)] == GONE &&
		    MAY_PREPARE(i) && !dead[DST(i)] && MOVE(drow[i], NONE, PREPARED);
		    met[i] = true; dw[i] = PREPARED }
	:: atomic { dw[i] == PREPARED && guest[DST(i)] == GONE ->
		    guest[DST(i)] = PAUSED; whose[DST(i)] = i; FENCE(i, DST(i)); dw[i] = CREATED }
	:: atomic { dw[i] == CREATED && STATE_SENT(i) &&
		    MOVE(drow[i], PREPARED, LOADED); dw[i] = LOADED;
		    if	/* some page is kept, or none */
		    :: arrived[i] = 1; present[i] = 1; sent[i] = 1
		    :: skip
		    fi }
	/* Finish. */
#ifdef BUG_GO_AFTER_START
	:: atomic { dw[i] == LOADED && HAS(i, FINISH) -> GOT(i, FINISH);
		    fence[DST(i)] = 0; guest_run(DST(i)); dw[i] = EARLY }
	:: atomic { dw[i] == EARLY && MOVE(drow[i], LOADED, GO); dw[i] = STARTED }
#else
	:: atomic { dw[i] == LOADED && HAS(i, FINISH) && MOVE(drow[i], LOADED, GO);
		    GOT(i, FINISH); fence[DST(i)] = 0; dw[i] = GO }
#endif
#ifdef BUG_GO_UNDONE
	/* Written, and its answer lost with the agent: the worker undoes. */
	:: atomic { dw[i] == LOADED && HAS(i, FINISH) && faults > 0 &&
		    MOVE(drow[i], LOADED, GO); faults--; copy_gone(i); dw[i] = NONE }
#endif
	:: atomic { dw[i] == GO && COPY(i) == PAUSED ->
		    guest_run(DST(i)); ran[i] = true; dw[i] = STARTED }
	:: atomic { dw[i] == STARTED ->
		    if
		    :: MOVE(drow[i], GO, RUNNING)
		    :: skip	/* a fact that cannot be written is true */
		    fi;
		    dw[i] = RUNNING; SEND(i, SAYS_RAN) }
#ifndef BUG_FACT_NOT_REPEATED
	/* And it is written later: what an operator may do depends on it. */
	:: atomic { dw[i] == RUNNING && MOVE(drow[i], GO, RUNNING) }
#endif
	/* Before GO it may give up by itself: an error, silence, CANCEL. */
	:: atomic { WAITS(i) && MOVE(drow[i], PREPARED, DISCARDED); dw[i] = DISCARDED }
	:: atomic { WAITS(i) && MOVE(drow[i], LOADED, DISCARDED); dw[i] = DISCARDED }
	:: atomic { dw[i] == DISCARDED && COPY(i) != GONE -> copy_gone(i) }
	:: atomic { dw[i] == DISCARDED && COPY(i) == GONE ->
		    dw[i] = NONE; SEND(i, SAYS_NEVER_RAN) }
	/* Without a row there is neither GO nor a promise. */
	:: atomic { WAITS(i) && drow[i] == NONE -> copy_gone(i); dw[i] = NONE }
#ifdef BUG_NEVER_RAN_UNSYNCED
	:: atomic { dw[i] == LOADED && HAS(i, QUERY) -> SEND(i, SAYS_NEVER_RAN) }
#endif
#ifdef BUG_DISCARD_WITHOUT_COMPARE
	:: atomic { dw[i] == GO && HAS(i, CANCEL) ->
		    drow[i] = DISCARDED; SEND(i, SAYS_NEVER_RAN) }
#endif
	/* Confirm. */
	:: atomic { dw[i] == RUNNING && COMPLETE_NOW(i) && COPY(i) == RUNS &&
		    MOVE(drow[i], GO, COMPLETE); dw[i] = COMPLETE; SEND(i, SAYS_COMPLETE) }
	:: atomic { dw[i] == RUNNING && COMPLETE_NOW(i) && COPY(i) == RUNS &&
		    MOVE(drow[i], RUNNING, COMPLETE); dw[i] = COMPLETE;
		    SEND(i, SAYS_COMPLETE) }
	:: atomic { (dw[i] == COMPLETE || dw[i] == NONE) && HAS(i, CONFIRMED) &&
		    MOVE(drow[i], COMPLETE, DONE); GOT(i, CONFIRMED); dw[i] = NONE }
	/* Nobody comes to say so: the row goes on answering COMPLETE. */
	:: atomic { (dw[i] == COMPLETE || DEST_IDLE(i)) && MOVE(drow[i], COMPLETE, DONE);
		    dw[i] = NONE }
	/* Its process is gone, which is seen, not supposed. */
	:: atomic { (dw[i] == GO || HAS_RUN(i) || DEST_IDLE(i)) && GUEST_ENDED(i) &&
		    MOVE(drow[i], GO, DIED); dw[i] = NONE; SEND(i, SAYS_DIED) }
	:: atomic { (dw[i] == GO || HAS_RUN(i) || DEST_IDLE(i)) && GUEST_ENDED(i) &&
		    MOVE(drow[i], RUNNING, DIED); dw[i] = NONE; SEND(i, SAYS_DIED) }
	/* Questions. */
	:: atomic { NO_WORKER(i) && !dead[DST(i)] && ROW_ASKED_FOR(i) -> answer_from_row(i) }
	:: atomic { HAS_RUN(i) && HAS(i, QUERY | CANCEL) ->
		    GOT(i, QUERY | CANCEL); SEND(i, SAYS_RAN) }
	:: atomic { HAS_RUN(i) && HAS(i, RECOVER) -> recover(i) }
	:: atomic { dw[i] == COMPLETE && ASKED_FOR(i) ->
		    GOT(i, QUERY | CANCEL | RECOVER); SEND(i, SAYS_COMPLETE) }
	/* A worker that was killed, or its agent: settled, or a successor. */
	:: atomic { DEST_IDLE(i) && MOVE(drow[i], PREPARED, DISCARDED); dw[i] = DISCARDED }
	:: atomic { DEST_IDLE(i) && MOVE(drow[i], LOADED, DISCARDED); dw[i] = DISCARDED }
#ifndef BUG_DISCARDED_NOT_REDONE
	:: atomic { DEST_IDLE(i) && drow[i] == DISCARDED && COPY(i) == PAUSED &&
		    fence[DST(i)] -> dw[i] = DISCARDED }
#endif
#ifdef BUG_TOMBSTONE_DROPPED
	:: atomic { DEST_IDLE(i) && drow[i] == DISCARDED && COPY(i) == GONE ->
		    drow[i] = NONE }
#endif
	:: atomic { DEST_IDLE(i) && drow[i] == GO && COPY(i) == PAUSED ->
		    lanes_drop(i); dw[i] = GO }
	:: atomic { DEST_IDLE(i) && RUNS_BY_ROW(i) && COPY(i) == RUNS ->
		    lanes_drop(i); dw[i] = RUNNING }
	/* The guest was taken back: told over an authenticated channel. */
	:: atomic { HAS(i, TAKEN) && WAITS(i) && MOVE(drow[i], LOADED, DISCARDED);
		    dw[i] = DISCARDED }
#ifdef BUG_SUPERSEDED_LATE
	/* Stopped and told, and written only then. */
	:: atomic { HEARS(i) && RUNS_BY_ROW(i) ->
		    copy_stop(i); GOT(i, TAKEN); SEND(i, SAYS_TOLD); superseded(i) }
	:: atomic { dw[i] == HEARD && MOVE(drow[i], GO, SUPERSEDED); dw[i] = NONE }
	:: atomic { dw[i] == HEARD && MOVE(drow[i], RUNNING, SUPERSEDED); dw[i] = NONE }
#else
#ifdef BUG_SUPERSEDED_NOT_WRITTEN
	/* An answer, no epoch: whoever starts there next finds GO. */
	:: atomic { HEARS(i) && RUNS_BY_ROW(i) ->
		    copy_stop(i); GOT(i, TAKEN); SEND(i, SAYS_TOLD);
		    lanes_drop(i); whole[i] = 0; dw[i] = NONE }
#else
	:: atomic { HEARS(i) && MOVE(drow[i], GO, SUPERSEDED); superseded(i) }
	:: atomic { HEARS(i) && MOVE(drow[i], RUNNING, SUPERSEDED); superseded(i) }
#endif
#endif
	:: atomic { HEARS(i) && MOVE(drow[i], COMPLETE, SUPERSEDED); superseded(i) }
#ifndef BUG_DONE_IS_OVER
	:: atomic { HEARS(i) && MOVE(drow[i], DONE, SUPERSEDED); superseded(i) }
#endif
	:: atomic { HEARS(i) && MOVE(drow[i], POISONED, SUPERSEDED); superseded(i) }
	/* Told again, or another agent: what was to be stopped is stopped. */
	:: atomic { DEST_IDLE(i) && drow[i] == SUPERSEDED &&
		    (HAS(i, TAKEN) || COPY(i) == RUNS) -> dw[i] = HEARD }
#ifndef BUG_SUPERSEDED_LATE
	:: atomic { dw[i] == HEARD ->
		    copy_stop(i); dw[i] = NONE;
		    if
		    :: HAS(i, TAKEN) && drow[i] == SUPERSEDED ->
			    GOT(i, TAKEN); SEND(i, SAYS_TOLD)
		    :: else
		    fi }
#endif
	:: atomic { DEST_IDLE(i) && COPY(i) == GONE && MOVE(drow[i], SUPERSEDED, DIED) }
#ifdef BUG_OBEYS_BY_LOOKS
	:: atomic { DEST_IDLE(i) && drow[i] == SUPERSEDED && COPY(i) == PAUSED ->
		    assert(!ran[i]); copy_gone(i) }
#endif
	:: atomic { HAS(i, TAKEN) && DEST_IDLE(i) && NEVER_AGAIN(i) ->
		    GOT(i, TAKEN); SEND(i, SAYS_TOLD) }
	od
}
