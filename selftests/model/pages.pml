/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.pml - missing pages, lanes and their generations.
 *
 * A set of pages is a bit mask. What is received stands in the page at once
 * (in_recv: bytes may land at any time), then it is whole (arrived), then it is
 * PRESENT in the file that outlives workers; only then does the guest see it.
 */
byte arrived[MIGRATIONS];	/* its bytes are in the dest's memory */
byte present[MIGRATIONS];	/* the state file says so */
byte written[MIGRATIONS];	/* by the guest, at the dest, since */
byte sent[MIGRATIONS];		/* source worker: not to be sent again */
byte lane[MIGRATIONS];		/* source worker: where its lanes lead */
#define LANE_NONE	0
#define LANE_NEW	1	/* the dest's newest generation */
#define LANE_OLD	2	/* the dest has begun another since */
byte bitmap[MIGRATIONS];	/* with RECOVERED: what is not to be sent */
byte flying[MIGRATIONS];	/* on lanes of the newest generation */
byte in_recv[MIGRATIONS];	/* a thread of the dest writes it */
byte whole[MIGRATIONS];		/* received, not yet PRESENT */
bool file[MIGRATIONS];		/* of --rescue: what the dest may lack */
bool uncounted[MIGRATIONS];	/* it came by that: the source has no proof of it */
#ifdef BUG_OLD_LANE
byte old_recv[MIGRATIONS];	/* a thread of an older lane writes it */
#endif

#define HAS_RUN(i)	(dw[i] == STARTED || dw[i] == RUNNING)
#define COMPLETE_NOW(i)	(present[i] == ALL_PAGES && !in_recv[i] && !whole[i])

/* A lane breaks: what its thread was writing is MISSING once it has left. */
inline lanes_drop(i)
{
	flying[i] = 0;
#ifdef BUG_OLD_LANE
	old_recv[i] = old_recv[i] | in_recv[i];
#endif
	in_recv[i] = 0;
	if
	:: lane[i] == LANE_NEW -> lane[i] = LANE_OLD; must_ask[i] = true
	:: else
	fi;
	if
	:: HAS(i, RECOVERED) ->
		net[i] = (net[i] & ~RECOVERED) | RECOVERED_OLD
	:: else
	fi
}

/* The host of the dest has gone down: memory and tmpfs with it. */
inline pages_gone(i)
{
	arrived[i] = 0;
	present[i] = 0;
	written[i] = 0;
	flying[i] = 0;
	in_recv[i] = 0;
	whole[i] = 0;
#ifdef BUG_OLD_LANE
	old_recv[i] = 0;
#endif
	if
	:: lane[i] == LANE_NEW -> lane[i] = LANE_OLD
	:: else
	fi
}

/* The way of page p. */
inline page_loop(i, p)
{
	do
	:: atomic {
		lane[i] == LANE_NEW && (sw[i] == ASKED || sw[i] == HELD) &&
		!(sent[i] & p) && guest[SRC(i)] != GONE ->
		sent[i] = sent[i] | p;
		flying[i] = flying[i] | p
	   }
	:: atomic {
		HAS_RUN(i) && (flying[i] & p) ->
		flying[i] = flying[i] & ~p;
		if
		:: (present[i] | in_recv[i] | whole[i]) & p
		:: else ->
			in_recv[i] = in_recv[i] | p;
#ifdef BUG_PRESENT_BEFORE_BYTES
			present[i] = present[i] | p
#endif
		fi
	   }
	:: atomic {
		HAS_RUN(i) && (in_recv[i] & p) ->
		assert(!(written[i] & p));
		arrived[i] = arrived[i] | p;
		in_recv[i] = in_recv[i] & ~p;
		whole[i] = whole[i] | p
	   }
	:: atomic {
		HAS_RUN(i) && (whole[i] & p) ->
		whole[i] = whole[i] & ~p;
		present[i] = present[i] | p
	   }
#ifdef WRITES
	/* The guest writes what it sees. */
	:: atomic {
		COPY(i) == RUNS && (present[i] & arrived[i] & p) &&
		!(written[i] & p) -> written[i] = written[i] | p
	   }
#endif
#ifdef BUG_OLD_LANE
	:: atomic {
		old_recv[i] & p ->
		assert(!(written[i] & p));
		old_recv[i] = old_recv[i] & ~p
	   }
#endif
	od
}
