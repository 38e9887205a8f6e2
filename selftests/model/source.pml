/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source.pml - the source: from Begin to the end of its row. */

#ifdef HOME
/* Nothing of it is missing here, and nothing of an earlier one is open. */
#define MAY_BEGIN(i)	(i == 0 || (!DEST_OPEN(0) && present[0] == ALL_PAGES))
#else
#ifdef AGAIN
#ifdef FROM_DONE
#define MAY_BEGIN(i)	(begun[0] && !SOURCE_OPEN(0))
#else
#define MAY_BEGIN(i)	(i == 0 || (begun[0] && !SOURCE_OPEN(0)))
#endif
#else
#define MAY_BEGIN(i)	true
#endif
#endif

#define ASKS_OR_HOLDS(i)	(sw[i] == ASKED || sw[i] == HELD)
#define STANDS(i)	(sw[i] == STOPPING || sw[i] == STOPPED || sw[i] == FROZEN)

/* A fact that cannot be written is true all the same. */
#define FACT_HELD(i) \
	if \
	:: MOVE(srow[i], ASKED, HELD) \
	:: skip \
	fi

/* RAN. Lanes that broke are opened anew; once at a time, else two chase. */
inline ran_heard(i)
{
	GOT(i, SAYS_RAN);
	if
	:: sw[i] == ASKED -> FACT_HELD(i)
	:: else
	fi;
	sw[i] = HELD;
	if
	:: lane[i] == LANE_NONE && !HAS(i, RECOVER | RECOVERED) -> SEND(i, RECOVER)
	:: else
	fi
}

/* What arrived is what was here, or it is not. */
inline complete_heard(i)
{
	GOT(i, SAYS_COMPLETE);
	if
	:: sw[i] == ASKED -> FACT_HELD(i)
	:: else
	fi;
	if
	:: sw[i] = PROVEN
	:: uncounted[i] -> sw[i] = HELD		/* until an operator ends it */
	:: faults > 0 && FLIPS -> faults--; sw[i] = DIFFERS
	fi;
	lane[i] = LANE_NONE
}

/* Nobody owns it now; here anybody may resume it. */
inline died_heard(i)
{
	GOT(i, SAYS_DIED);
	if
	:: MOVE(srow[i], ASKED, DIED_THERE)
	:: MOVE(srow[i], HELD, DIED_THERE)
	:: faults > 0 && WORKERS -> faults--	/* its agent went first */
	:: srow[i] == NONE
	fi;
	sw[i] = NONE;
	lane[i] = LANE_NONE;
	OPEN(i, SRC(i))
}

/*
 * Its worker asks again by itself; another one has to be begun with that. And
 * whatever was resumed in between, by hand, is stopped once more.
 */
inline successor(i, state)
{
	if
	:: guest[SRC(i)] == GONE
	:: else -> guest[SRC(i)] = PAUSED; FENCE(i, SRC(i))
	fi;
	sw[i] = state;
	must_ask[i] = true;
	lane[i] = LANE_NONE;
	sent[i] = 0
}

/* Never a guest that runs, never before the last page, unless told to. */
inline tear_down(i)
{
	assert(guest[SRC(i)] != RUNS);
	assert(gave_up[i] || arrived[i] == ALL_PAGES || COPY(i) == GONE);
	guest[SRC(i)] = GONE;
	fence[SRC(i)] = 0
}

/* Behind another fence it waits. */
inline runs_here(i)
{
	OPEN(i, SRC(i));
	if
	:: guest[SRC(i)] == PAUSED && !fence[SRC(i)] -> guest_run(SRC(i))
	:: else
	fi
}

#ifdef BUG_TAKING_BACK_NEEDS_GUEST
#define TAKES_BACK(i)	(guest[SRC(i)] != GONE)
#else
#define TAKES_BACK(i)	true
#endif
#ifdef BUG_ANY_ANSWER_IS_HEARD
#define HEARD_BY(i)	(SAYS_TOLD | SAYS_RAN | SAYS_COMPLETE)
#else
#define HEARD_BY(i)	SAYS_TOLD
#endif

#define IDLE(i)		(sw[i] == NONE && !dead[SRC(i)])

/* The first one has arrived, its row has ended, and its source has not heard. */
inline begin_as_done(i)
{
	begun[i] = true; met[i] = true; ran[i] = true;
	srow[i] = HELD; guest[SRC(i)] = PAUSED; FENCE(i, SRC(i));
	drow[i] = DONE; guest[DST(i)] = RUNS; whose[DST(i)] = i;
	arrived[i] = ALL_PAGES; present[i] = ALL_PAGES
}

inline source_loop(i)
{
	do
	/* Begin, Prepare, Perform. */
#ifdef FROM_DONE
	:: atomic { i == 0 && !begun[i] -> begin_as_done(i) }
#endif
	:: atomic {
		!begun[i] && guest[SRC(i)] == RUNS && MAY_BEGIN(i) &&
		!dead[SRC(i)] && MOVE(srow[i], NONE, BEGUN);
		begun[i] = true; sw[i] = BEGUN
	   }
	:: atomic {
		sw[i] == BEGUN && dw[i] == CREATED &&
		MOVE(srow[i], BEGUN, PERFORMING);
		sw[i] = PERFORMING; lane[i] = LANE_NEW
	   }
	:: atomic { sw[i] == PERFORMING && MOVE(srow[i], PERFORMING, STOPPING);
		    sw[i] = STOPPING }
	:: atomic { sw[i] == STOPPING && guest[SRC(i)] == RUNS ->
		    guest[SRC(i)] = PAUSED }
	:: atomic { sw[i] == STOPPING && guest[SRC(i)] == PAUSED &&
		    MOVE(srow[i], STOPPING, STOPPED); sw[i] = STOPPED }
	/* Finish. */
	:: atomic { sw[i] == STOPPED && guest[SRC(i)] == PAUSED ->
		    FENCE(i, SRC(i)); sw[i] = FROZEN }
#ifdef BUG_ASKED_AFTER_FINISH
	:: atomic { sw[i] == FROZEN -> SEND(i, FINISH); sw[i] = ASKING }
	:: atomic { sw[i] == ASKING && MOVE(srow[i], STOPPED, ASKED); sw[i] = ASKED }
#else
	/* ASKED is synced before the question leaves. */
	:: atomic { sw[i] == FROZEN && MOVE(srow[i], STOPPED, ASKED); sw[i] = ASKING }
	:: atomic { sw[i] == ASKING -> SEND(i, FINISH); sw[i] = ASKED }
#endif
	/* Given up before it was asked. */
	:: atomic { sw[i] == BEGUN && MOVE(srow[i], BEGUN, RESUMED);
		    sw[i] = NONE; SEND(i, CANCEL) }
	:: atomic { sw[i] == PERFORMING && MOVE(srow[i], PERFORMING, RESUMED);
		    sw[i] = NONE; SEND(i, CANCEL) }
	:: atomic { STANDS(i) && MOVE(srow[i], STOPPING, RESUMING);
		    sw[i] = RESUMING; SEND(i, CANCEL) }
	:: atomic { STANDS(i) && MOVE(srow[i], STOPPED, RESUMING);
		    sw[i] = RESUMING; SEND(i, CANCEL) }
	/* The answers. */
	:: atomic { sw[i] == ASKED && HAS(i, SAYS_NEVER_RAN) &&
		    MOVE(srow[i], ASKED, RESUMING);
		    GOT(i, SAYS_NEVER_RAN); sw[i] = RESUMING }
	:: atomic { sw[i] == HELD && HAS(i, SAYS_NEVER_RAN) ->
		    assert(false) }
	:: atomic { ASKS_OR_HOLDS(i) && HAS(i, SAYS_RAN) -> ran_heard(i) }
	:: atomic { ASKS_OR_HOLDS(i) && HAS(i, SAYS_COMPLETE) -> complete_heard(i) }
	:: atomic { ASKS_OR_HOLDS(i) && HAS(i, SAYS_DIED) ->
		    died_heard(i) }
	:: atomic { ASKS_OR_HOLDS(i) && HAS(i, SAYS_UNKNOWN) ->
		    GOT(i, SAYS_UNKNOWN); unknown[i] = true }
	:: atomic { sw[i] == HELD && HAS(i, RECOVERED) ->
		    GOT(i, RECOVERED); lane[i] = LANE_NEW; sent[i] = bitmap[i] }
	:: atomic { HAS(i, RECOVERED_OLD) -> GOT(i, RECOVERED_OLD) }
	/* Lanes that the dest has dropped are broken here, too. */
	:: atomic { lane[i] == LANE_OLD -> lane[i] = LANE_NONE; must_ask[i] = true }
	/* No answer is not an answer. */
	:: atomic { ASKS_OR_HOLDS(i) && ASKS(i) ->
		    SEND(i, QUERY); must_ask[i] = false }
	/* UNKNOWN: asked again and again, and so after it was decided. */
	:: atomic { sw[i] == ASKED && unknown[i] && IS_DECIDED(i) ->
		    unknown[i] = false; must_ask[i] = true }
#ifndef TWICE	/* it has been seen to on the way there */
	:: atomic { sw[i] == ASKED && !cancelled[i] ->
		    SEND(i, CANCEL); cancelled[i] = true }
#endif
#ifdef BUG_RESUME_ON_SILENCE
	:: atomic { sw[i] == ASKED && MOVE(srow[i], ASKED, RESUMING);
		    sw[i] = RESUMING }
#endif
#ifdef BUG_UNKNOWN_IS_NEVER_RAN
	:: atomic { sw[i] == ASKED && HAS(i, SAYS_UNKNOWN) &&
		    MOVE(srow[i], ASKED, RESUMING); sw[i] = RESUMING }
#endif
#ifdef BUG_CLOSE_IS_COMPLETE
	:: atomic { sw[i] == HELD && ASKS(i) -> sw[i] = PROVEN }
#endif
	/* Confirm. */
	:: atomic { sw[i] == PROVEN && MOVE(srow[i], ASKED, TEARING_DOWN);
		    sw[i] = TEARING_DOWN }
	:: atomic { sw[i] == PROVEN && MOVE(srow[i], HELD, TEARING_DOWN);
		    sw[i] = TEARING_DOWN }
	:: atomic { sw[i] == DIFFERS && MOVE(srow[i], ASKED, CORRUPT); sw[i] = NONE }
	:: atomic { sw[i] == DIFFERS && MOVE(srow[i], HELD, CORRUPT); sw[i] = NONE }
	:: atomic { sw[i] == TEARING_DOWN ->
		    if
		    :: guest[SRC(i)] != GONE -> tear_down(i)
		    :: else
		    fi;
		    sw[i] = TORN_DOWN }
	:: atomic { sw[i] == TORN_DOWN && MOVE(srow[i], TEARING_DOWN, TORN_DOWN);
		    sw[i] = NONE; SEND(i, CONFIRMED) }
	/* It goes on here. */
	:: atomic { sw[i] == RESUMING -> runs_here(i); sw[i] = RESUMED }
	:: atomic { sw[i] == RESUMED && MOVE(srow[i], RESUMING, RESUMED); sw[i] = NONE }
	/* Taken back: a newer epoch, whatever the answer may be. */
	:: atomic { sw[i] == TAKING_BACK && TAKES_BACK(i) -> runs_here(i); sw[i] = TAKEN_BACK }
	:: atomic { sw[i] == TAKEN_BACK && MOVE(srow[i], TAKING_BACK, TAKEN_BACK);
		    sw[i] = NONE }
	/* A worker that was killed, or its agent: settled, or a successor. */
	:: atomic { IDLE(i) && MOVE(srow[i], BEGUN, RESUMED) }
	:: atomic { IDLE(i) && MOVE(srow[i], PERFORMING, RESUMED) }
	:: atomic { IDLE(i) && MOVE(srow[i], STOPPING, RESUMING) }
	:: atomic { IDLE(i) && MOVE(srow[i], STOPPED, RESUMING) }
	:: atomic { IDLE(i) && srow[i] == RESUMING -> sw[i] = RESUMING }
	:: atomic { IDLE(i) && srow[i] == ASKED -> successor(i, ASKED) }
	:: atomic { IDLE(i) && srow[i] == HELD -> successor(i, HELD) }
	:: atomic { IDLE(i) && srow[i] == TEARING_DOWN -> sw[i] = TEARING_DOWN }
	:: atomic { IDLE(i) && srow[i] == TAKING_BACK -> sw[i] = TAKING_BACK }
	/* Without a row nothing can be intended. */
	:: atomic { sw[i] != NONE && srow[i] == NONE ->
		    sw[i] = NONE; lane[i] = LANE_NONE }
	/* A guest that was taken back: the dest is told, until it has obeyed. */
	:: atomic { srow[i] == TAKEN_BACK && !told[i] && !dead[SRC(i)] &&
		    !HAS(i, TAKEN | SAYS_TOLD) ->
		    SEND(i, TAKEN) }
	:: atomic { HAS(i, HEARD_BY(i)) && srow[i] == TAKEN_BACK && !told[i] ->
		    GOT(i, HEARD_BY(i)); told[i] = true }
	od
}
