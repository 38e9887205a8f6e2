/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* outcome.pml - what has to be true once nothing more can happen. */

#define HOST_LEFT(h)	(dead[h] || (guest[h] != PAUSED && !cut[h]))
#define ALL_THERE(i)	((drow[i] != COMPLETE && drow[i] != DONE) || \
			 COPY(i) != RUNS || arrived[i] == ALL_PAGES)

/* Nobody is held, nothing is in the way: whatever failed. */
inline all_left(i)
{
	assert(dead[SRC(i)] || !SOURCE_OPEN(i));
	assert(dead[DST(i)] || !DEST_OPEN(i));
	assert(HOST_LEFT(SRC(i)));
	assert(HOST_LEFT(DST(i)));
	assert(ALL_THERE(i))
}

/* It goes on, with all of its pages, on one host, and nobody was needed. */
inline all_well(i)
{
	all_left(i);
	assert((guest[A] == RUNS) + (guest[B] == RUNS) == 1)
}

inline outcome_see()
{
	timeout;
#ifdef OPERATOR
	all_left(0);
#ifdef TWICE
	all_left(1)
#endif
#else
	all_well(0);
#ifdef TWICE
	all_well(1)
#endif
#endif
}
