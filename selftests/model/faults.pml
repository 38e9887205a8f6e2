/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* faults.pml - what fails: workers, hosts, journals, messages, guests. */

/* What it has sent last may be lost with it. */
inline connection_gone(i, from)
{
	must_ask[i] = true;
	if
	:: net[i] = net[i] & ~(from)
	:: skip
	fi
}

inline source_worker_gone(i)
{
	sw[i] = NONE;
	lane[i] = LANE_NONE;
	sent[i] = 0;
	connection_gone(i, TO_DEST & ~TAKEN)
}

inline dest_worker_gone(i)
{
	dw[i] = NONE;
	lanes_drop(i);
	whole[i] = 0;
#ifdef BUG_OLD_LANE
	old_recv[i] = 0;
#endif
	connection_gone(i, TO_SOURCE & ~SAYS_TOLD)
}

inline host_down(h)
{
	guest[h] = GONE;
	fence[h] = 0;
	if
	:: SRC(0) == h && sw[0] != NONE -> source_worker_gone(0)
	:: else
	fi;
	if
	:: DST(0) == h -> dest_worker_gone(0); pages_gone(0)
	:: else
	fi;
#ifdef TWICE
	if
	:: SRC(1) == h && sw[1] != NONE -> source_worker_gone(1)
	:: else
	fi;
	if
	:: DST(1) == h -> dest_worker_gone(1); pages_gone(1)
	:: else
	fi
#endif
}

inline journal_lost(h)
{
	if
	:: SRC(0) == h -> srow[0] = NONE
	:: else -> drow[0] = NONE
	fi;
#ifdef TWICE
	if
	:: SRC(1) == h -> srow[1] = NONE
	:: else -> drow[1] = NONE
	fi
#endif
}

inline faults_loop(i)
{
	do
	:: atomic { faults > 0 && WORKERS && sw[i] != NONE ->
		    faults--; source_worker_gone(i) }
	:: atomic { faults > 0 && WORKERS && dw[i] != NONE ->
		    faults--; dest_worker_gone(i) }
	:: atomic { faults > 0 && HOSTS -> faults--; host_down(SRC(i)) }
	:: atomic { faults > 0 && HOSTS -> faults--; host_down(DST(i)) }
	:: atomic { faults > 0 && DEADS -> faults--; host_down(SRC(i)); dead[SRC(i)] = true }
	:: atomic { faults > 0 && DEADS -> faults--; host_down(DST(i)); dead[DST(i)] = true }
	:: atomic { faults > 0 && JOURNALS && srow[i] != NONE -> faults--; journal_lost(SRC(i)) }
	:: atomic { faults > 0 && JOURNALS && drow[i] != NONE -> faults--; journal_lost(DST(i)) }
	:: atomic { faults > 0 && DEATHS && COPY(i) != GONE && (dw[i] == GO || HAS_RUN(i)) ->
		    faults--; copy_gone(i) }
	/* virsh resume, or a program that watches over guests */
	:: atomic { faults > 0 && OUTSIDERS && guest[SRC(i)] == PAUSED && !fence[SRC(i)] ->
		    faults--; guest_run(SRC(i)) }
	:: atomic { faults > 0 && OUTSIDERS && guest[DST(i)] == PAUSED && !fence[DST(i)] ->
		    faults--; guest_run(DST(i)) }
	/* All lanes break, and the control connection does not. */
#ifdef BAG
#ifndef TWICE
	:: atomic { lane[i] != LANE_NONE -> lane[i] = LANE_NONE }
#endif
#else
	:: atomic { faults > 0 && DROPS && lane[i] != LANE_NONE ->
		    faults--; lane[i] = LANE_NONE; must_ask[i] = true }
	:: atomic { faults > 0 && DROPS && net[i] -> faults--; must_ask[i] = true;
		    if
		    :: HAS(i, FINISH) -> net[i] = net[i] & ~FINISH
		    :: HAS(i, QUERY) -> net[i] = net[i] & ~QUERY
		    :: HAS(i, CANCEL) -> net[i] = net[i] & ~CANCEL
		    :: HAS(i, CONFIRMED) -> net[i] = net[i] & ~CONFIRMED
		    :: HAS(i, RECOVER) -> net[i] = net[i] & ~RECOVER
		    :: HAS(i, RECOVERED) -> net[i] = net[i] & ~RECOVERED
		    :: HAS(i, TAKEN) -> net[i] = net[i] & ~TAKEN
		    :: HAS(i, SAYS_NEVER_RAN) -> net[i] = net[i] & ~SAYS_NEVER_RAN
		    :: HAS(i, SAYS_RAN) -> net[i] = net[i] & ~SAYS_RAN
		    :: HAS(i, SAYS_COMPLETE) -> net[i] = net[i] & ~SAYS_COMPLETE
		    :: HAS(i, SAYS_DIED) -> net[i] = net[i] & ~SAYS_DIED
		    :: HAS(i, SAYS_UNKNOWN) -> net[i] = net[i] & ~SAYS_UNKNOWN
		    :: HAS(i, SAYS_TOLD) -> net[i] = net[i] & ~SAYS_TOLD
		    :: else -> net[i] = 0
		    fi }
#endif
	od
}
