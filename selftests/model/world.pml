/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* world.pml - guests, workers and messages, and the rule of one owner. */

mtype guest[2] = { RUNS, GONE };
byte whose[2] = 255;		/* the migration that made the copy */
byte fence[2];			/* the copy cannot run, whoever resumes it: the bits */
				/* of the migrations that have fenced it */
bool cut[2];			/* from the guest's disks and networks */
bool dead[2];			/* the host never comes back */

/* A host may have another migration's copy of the same name by now. */
#if defined(TWICE) && !defined(BUG_COPY_BY_NAME)
#define COPY(i)		(whose[DST(i)] == (i) -> guest[DST(i)] : GONE)
#else
#define COPY(i)		guest[DST(i)]
#endif

mtype sw[MIGRATIONS] = NONE;	/* what the workers believe; NONE: there is none */
mtype dw[MIGRATIONS] = NONE;
bool begun[MIGRATIONS];		/* an id is used once */
bool met[MIGRATIONS];		/* and once at the dest */
bool must_ask[MIGRATIONS];	/* the source's connection broke */
bool unknown[MIGRATIONS];	/* it was answered UNKNOWN */
bool cancelled[MIGRATIONS];

/* An operator's doing. */
bool fenced[MIGRATIONS];	/* the dest cannot run the guest, he knows */
bool taken[MIGRATIONS];		/* back, with epoch n + 2 */
bool told[MIGRATIONS];		/* the dest has heard that, and obeyed, */
				/* as the source's journal has it */
bool gave_up[MIGRATIONS];	/* the held source was killed */
bool ran[MIGRATIONS];		/* the dest's copy */
#ifdef BUG_SETTLED_IS_DEAF
bool deaf[MIGRATIONS];		/* the dest's worker hears no operator */
#endif

/* Exactly one owner: what is cut off is none. */
#define ONE_OWNER	assert(guest[A] != RUNS || guest[B] != RUNS || \
			       cut[A] || cut[B])

inline guest_run(h)
{
	guest[h] = RUNS;
	ONE_OWNER
}

/* Each has a fence of its own, which the others leave closed. */
#ifdef BUG_NO_FENCE
#define FENCE(i, h)	skip
#else
#define FENCE(i, h)	fence[h] = fence[h] | (1 << (i))
#endif
#ifdef BUG_FENCE_OF_ANOTHER
#define OPEN(i, h)	fence[h] = 0
#else
#define OPEN(i, h)	fence[h] = fence[h] & ~(1 << (i))
#endif

/* ---- messages ---------------------------------------------------------- */

#define FINISH		1
#define QUERY		2
#define CANCEL		4
#define CONFIRMED	8
#define RECOVER		16
#define TAKEN		32
#define TO_DEST		63
#define SAYS_NEVER_RAN	64
#define SAYS_RAN	128
#define SAYS_COMPLETE	256
#define SAYS_DIED	512
#define SAYS_UNKNOWN	1024
#define SAYS_TOLD	2048
#define RECOVERED	4096	/* with the dest's newest generation */
#define RECOVERED_OLD	8192	/* with one that is past */
#define TO_SOURCE	16320

short net[MIGRATIONS];		/* what is on its way */

#define HAS(i, what)	(net[i] & (what))
#define SEND(i, what)	net[i] = net[i] | (what)

/*
 * With BAG a message that was sent once may arrive at any time, any number of
 * times, or never: the worst of networks. Without, each arrives once, and what
 * goes wrong is counted, so that it ends.
 */
#ifdef BAG
#define ASKS(i)		(!HAS(i, QUERY))
#define GOT(i, what)	skip
#else
#define ASKS(i)		must_ask[i]
#define GOT(i, what) \
	if \
	:: net[i] = net[i] & ~(what) \
	:: faults > 0 && DROPS -> faults-- \
	fi
#endif

byte faults = FAULTS;
