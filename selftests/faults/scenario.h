/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scenario.h - migrations in which a point is come to.
 *
 * Most are in the plain one. For a message that is sent after a cut only, the
 * scenario cuts; for a state that an operator causes, it is the operator.
 */
#ifndef STRADDLE_TEST_SCENARIO_H
#define STRADDLE_TEST_SCENARIO_H

#include <stdbool.h>

#include "protocol/protocol.h"

#define STEPS_MAX	6

/* What the scenario does itself, once a row is in a state. */
enum deed {
	DO_NOTHING,			/* ends the list */
	DO_ABORT,
	DO_LINK_DOWN,
	DO_LINK_UP,
	DO_DAMAGE_THERE,		/* the guest's memory at the dest */
	DO_RECOVER_TO,			/* the dest, by another name of it */
	DO_KILL_THERE,			/* the guest's process at the dest */
	DO_TAKE_BACK,
	DO_TAKE_BACK_FENCED,
	DO_GIVE_UP,			/* the held copy at the source */
	DO_GIVE_UP_THERE,		/* the superseded one at the dest */
	DO_POISON,
};

struct step {
	enum deed deed;
	enum side side;			/* whose row */
	const char *state;		/* its state; or a later one of a list "A B" */
};

struct scenario {
	const char *name;
	const char *options;		/* of the migration, as JSON */
	const char *inject[2];		/* by enum side: further faults, or NULL */
	struct step steps[STEPS_MAX];
	bool restart;			/* faults from a restart of the agents on */
	bool operated;			/* an operator gives a copy up: witnesses
					 * and pages tell of two */
	bool slow;			/* the guest: it touches next to nothing */
	bool poisoned;			/* pages are given up */
};

void scenario_find(const char *point, enum side origin, const struct scenario **scenario,
		   const char **never);

#endif
