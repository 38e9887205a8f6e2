/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operator.pml - operators of both hosts: straddle resolve, and power switches.
 *
 * Nothing here waits for anything, and two may do it at a time: what they order
 * is decided by the journal's compare-and-set. What an operator asserts with
 * --fenced he has seen to: the dest's host is off, gone, or cut off from the
 * guest's disks and networks, and it stays cut off until its copy is gone, or
 * paused.
 */

/* What stands here without a row is not another migration's. */
#ifdef HOME
#define NO_INCOMING(i)	(drow[OTHER(i)] == NONE)
#define NO_LEAVING(i)	(srow[OTHER(i)] == NONE)
#else
#ifdef AGAIN
#define NO_INCOMING(i)	(!SOURCE_OPEN(OTHER(i)))
#else
#define NO_INCOMING(i)	true
#endif
#define NO_LEAVING(i)	true
#endif

#define NO_ROW(i)	(srow[i] == NONE && begun[i] && sw[i] == NONE && \
			 guest[SRC(i)] == PAUSED && NO_INCOMING(i))
#define IS_HELD(i)	(srow[i] == ASKED || srow[i] == HELD || \
			 srow[i] == CORRUPT || NO_ROW(i))

#ifdef BUG_TAKE_BACK_UNFENCED
#define MAY_TAKE_BACK(i)	(guest[SRC(i)] == PAUSED)
#else
#define MAY_TAKE_BACK(i)	(fenced[i] && guest[SRC(i)] != GONE)
#endif

#ifdef BUG_FENCE_LIFTED_EARLY
#define LIFTS(i)	true
#else
#define LIFTS(i)	(dead[SRC(i)] || (!IS_HELD(i) && (!taken[i] || \
			 told[i] || COPY(i) == GONE)))
#endif

#ifdef BUG_SETTLED_IS_DEAF
#define HEARS_OPERATOR(i)	(!deaf[i])
#else
#define HEARS_OPERATOR(i)	true
#endif

/* Who lifts it has asked the others. */
#ifdef AGAIN
#define MAY_LIFT(i)	(LIFTS(0) && LIFTS(1))
#else
#define MAY_LIFT(i)	LIFTS(i)
#endif

/* The worker is ended first. */
inline take_back(i)
{
	sw[i] = TAKING_BACK;
	lane[i] = LANE_NONE;
	must_ask[i] = false;
	taken[i] = true
}

/* Nobody may resume it between the look at it and its end. */
inline give_up(i)
{
#ifndef BUG_GIVE_UP_UNFENCED
	FENCE(i, SRC(i));
#endif
	sw[i] = TEARING_DOWN;
	lane[i] = LANE_NONE;
	gave_up[i] = true
}

#define UNCLAIMED(i)	(ALL_PAGES & ~(present[i] | in_recv[i] | whole[i]))

/* Pages that lanes have claimed are theirs. */
inline rescue(i)
{
#ifdef BUG_RESCUE_OVER_PRESENT
	assert(!written[i]);
	arrived[i] = ALL_PAGES;
	present[i] = ALL_PAGES;
#else
	arrived[i] = arrived[i] | UNCLAIMED(i);
	present[i] = present[i] | UNCLAIMED(i);
#endif
	uncounted[i] = true
}

byte fences[MIGRATIONS] = FENCES;

inline operator_loop(i)
{
	do
	/* take back --fenced DEST, or without that, where the dest has proof */
	:: atomic { MAY_TAKE_BACK(i) && !dead[SRC(i)] && MOVE(srow[i], ASKED, TAKING_BACK);
		    take_back(i) }
	:: atomic { MAY_TAKE_BACK(i) && !dead[SRC(i)] && MOVE(srow[i], HELD, TAKING_BACK);
		    take_back(i) }
	:: atomic { MAY_TAKE_BACK(i) && !dead[SRC(i)] && MOVE(srow[i], CORRUPT, TAKING_BACK);
		    take_back(i) }
	:: atomic { guest[SRC(i)] != GONE && !dead[SRC(i)] &&
		    MOVE(srow[i], DIED_THERE, TAKING_BACK); take_back(i) }
	/* give up here: what is held, or was */
	:: atomic { !dead[SRC(i)] && guest[SRC(i)] != RUNS &&
		    MOVE(srow[i], HELD, TEARING_DOWN); give_up(i) }
	:: atomic { !dead[SRC(i)] && guest[SRC(i)] != RUNS &&
		    MOVE(srow[i], CORRUPT, TEARING_DOWN); give_up(i) }
	:: atomic { !dead[SRC(i)] && guest[SRC(i)] != RUNS &&
		    MOVE(srow[i], DIED_THERE, TEARING_DOWN); give_up(i) }
#ifndef BUG_ASKED_FOR_EVER
	/* It may be lost by that, and he says so. */
	:: atomic { !dead[SRC(i)] && guest[SRC(i)] != RUNS &&
		    MOVE(srow[i], ASKED, TEARING_DOWN); give_up(i) }
#endif
#ifndef TWICE
	/* --rescue at the source, and at some time, perhaps, at the dest */
	:: atomic { !file[i] && ASKS_OR_HOLDS(i) && guest[SRC(i)] == PAUSED -> file[i] = true }
	:: atomic { file[i] && dw[i] == RUNNING && UNCLAIMED(i) -> rescue(i) }
#endif
#ifndef TWICE
	/* --poison at the dest: the source is gone for good, he believes */
#ifdef BUG_POISON_IS_PROOF
	:: atomic { dw[i] == RUNNING && present[i] != ALL_PAGES ->
		    lanes_drop(i); must_ask[i] = true; whole[i] = 0;
		    present[i] = ALL_PAGES }
#else
	:: atomic { dw[i] == RUNNING && present[i] != ALL_PAGES &&
		    MOVE(drow[i], RUNNING, POISONED);
		    lanes_drop(i); must_ask[i] = true; whole[i] = 0; dw[i] = NONE }
#endif
#endif
	/* The dest is seen to. */
	:: atomic { IS_HELD(i) && fences[i] > 0 && !dead[DST(i)] ->
		    fences[i]--; host_down(DST(i)); fenced[i] = true }
	:: atomic { IS_HELD(i) && fences[i] > 0 && !cut[DST(i)] ->
		    fences[i]--; cut[DST(i)] = true; fenced[i] = true }
	:: atomic { IS_HELD(i) && dead[DST(i)] && !fenced[i] -> fenced[i] = true }
	:: atomic { cut[DST(i)] && MAY_LIFT(i) ->
		    cut[DST(i)] = false; fenced[i] = dead[DST(i)]; ONE_OWNER }
	/* What no row tells of is seen to by hand. */
	:: atomic { NO_ROW(i) && !dead[SRC(i)] ->
		    guest[SRC(i)] = GONE; fence[SRC(i)] = 0 }
	:: atomic { NO_ROW(i) && !dead[SRC(i)] && fenced[i] ->
		    taken[i] = true; fence[SRC(i)] = 0; guest_run(SRC(i)) }
	:: atomic { drow[i] == NONE && met[i] && dw[i] == NONE && !dead[DST(i)] &&
		    COPY(i) == PAUSED && NO_LEAVING(i) -> copy_gone(i) }
	:: atomic { (drow[i] == NONE || srow[i] == NONE) && cut[DST(i)] && taken[i] &&
		    COPY(i) != GONE -> dw[i] = NONE; copy_gone(i) }
	/* give up there: a stale copy that was stopped and reported */
	:: atomic { drow[i] == SUPERSEDED && COPY(i) == PAUSED && DEST_IDLE(i) &&
		    HEARS_OPERATOR(i) -> copy_gone(i) }
	od
}
