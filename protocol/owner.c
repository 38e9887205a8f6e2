/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owner.c - which state of a migration may follow which.
 *
 * The rules that keep a guest on one host:
 * - The dest decides once: GO and DISCARDED both leave LOADED by a
 *   compare-and-set of the journal. Whoever comes second finds the state
 *   gone. PREPARED, where nothing can start yet, may only be discarded.
 * - The source resumes from before its question (STOPPING, STOPPED), or from
 *   ASKED when the answer was NEVER_RAN; never from HELD, TEARING_DOWN or
 *   CORRUPT.
 * - RESUMED is how a migration ends at the source with the guest there. It
 *   follows RESUMING (the guest was stopped), or BEGUN and PERFORMING
 *   directly: then the guest never stopped, and there is nothing to redo.
 * - TEARING_DOWN follows HELD, or ASKED where Finish was answered COMPLETE at
 *   once. CORRUPT (the proofs differ) ends nothing: the source goes on
 *   holding its pages until an operator decides.
 * - TAKING_BACK and giving up (TEARING_DOWN from HELD, CORRUPT, DIED_THERE) are
 *   an operator's; so is POISONED. Who takes back has fenced the dest, or was
 *   told that the guest is dead there. A copy that comes back is SUPERSEDED.
 * - DELEGATED: another engine moves the guest (libvirt's own migration); who
 *   runs it is decided there, not here. It ends as MOVED, or as RESUMED when
 *   the guest turned out to be here still.
 * - COMPLETE and DIED follow GO and RUNNING: a fact that could not be written
 *   (the journal was busy) is skipped. After COMPLETE the migration owes nothing
 *   more: a guest that ends then ends as any guest does, and the answer to a
 *   late question stays COMPLETE.
 */
#include <string.h>

#include "protocol/journal.h"

#define FROM(state)	(UINT64_C(1) << STATE_##state)

const struct owner_rule owner_table[] = {
	{ STATE_BEGUN, "BEGUN", SIDE_SOURCE, false, false, FROM(NONE) },
	{ STATE_PERFORMING, "PERFORMING", SIDE_SOURCE, false, false, FROM(BEGUN) },
	{ STATE_STOPPING, "STOPPING", SIDE_SOURCE, true, false, FROM(PERFORMING) },
	{ STATE_STOPPED, "STOPPED", SIDE_SOURCE, false, false, FROM(STOPPING) },
	{ STATE_ASKED, "ASKED", SIDE_SOURCE, true, false, FROM(STOPPED) },
	{ STATE_HELD, "HELD", SIDE_SOURCE, false, false, FROM(ASKED) },
	{ STATE_TEARING_DOWN, "TEARING_DOWN", SIDE_SOURCE, true, false,
	  FROM(ASKED) | FROM(HELD) | FROM(CORRUPT) | FROM(DIED_THERE) },
	{ STATE_TORN_DOWN, "TORN_DOWN", SIDE_SOURCE, false, true, FROM(TEARING_DOWN) },
	{ STATE_RESUMING, "RESUMING", SIDE_SOURCE, true, false,
	  FROM(STOPPING) | FROM(STOPPED) | FROM(ASKED) },
	{ STATE_RESUMED, "RESUMED", SIDE_SOURCE, false, true,
	  FROM(BEGUN) | FROM(PERFORMING) | FROM(RESUMING) | FROM(DELEGATED) },
	{ STATE_CORRUPT, "CORRUPT", SIDE_SOURCE, false, false, FROM(ASKED) | FROM(HELD) },
	{ STATE_DELEGATED, "DELEGATED", SIDE_SOURCE, true, false, FROM(BEGUN) },
	{ STATE_MOVED, "MOVED", SIDE_SOURCE, false, true, FROM(DELEGATED) },
	{ STATE_DIED_THERE, "DIED_THERE", SIDE_SOURCE, false, false,
	  FROM(ASKED) | FROM(HELD) },
	{ STATE_TAKING_BACK, "TAKING_BACK", SIDE_SOURCE, true, false,
	  FROM(ASKED) | FROM(HELD) | FROM(CORRUPT) | FROM(DIED_THERE) },
	{ STATE_TAKEN_BACK, "TAKEN_BACK", SIDE_SOURCE, false, true, FROM(TAKING_BACK) },

	{ STATE_PREPARED, "PREPARED", SIDE_DEST, false, false, FROM(NONE) },
	{ STATE_LOADED, "LOADED", SIDE_DEST, false, false, FROM(PREPARED) },
	{ STATE_GO, "GO", SIDE_DEST, true, false, FROM(LOADED) },
	{ STATE_DISCARDED, "DISCARDED", SIDE_DEST, true, true,
	  FROM(PREPARED) | FROM(LOADED) },
	{ STATE_RUNNING, "RUNNING", SIDE_DEST, false, false, FROM(GO) },
	{ STATE_COMPLETE, "COMPLETE", SIDE_DEST, false, false, FROM(GO) | FROM(RUNNING) },
	{ STATE_DONE, "DONE", SIDE_DEST, false, true, FROM(COMPLETE) },
	{ STATE_DIED, "DIED", SIDE_DEST, false, true,
	  FROM(GO) | FROM(RUNNING) | FROM(SUPERSEDED) },
	{ STATE_SUPERSEDED, "SUPERSEDED", SIDE_DEST, false, false,
	  FROM(GO) | FROM(RUNNING) | FROM(COMPLETE) | FROM(DONE) | FROM(POISONED) },
	{ STATE_POISONED, "POISONED", SIDE_DEST, false, true, FROM(RUNNING) },
};

const size_t owner_table_count = sizeof(owner_table) / sizeof(owner_table[0]);

/**
 * owner_rule() - the row of a state
 * @state: which
 *
 * Return: the row, or NULL: STATE_NONE or no such state.
 */
const struct owner_rule *owner_rule(enum owner_state state)
{
	size_t i;

	for (i = 0; i < owner_table_count; i++)
		if (owner_table[i].state == state)
			return &owner_table[i];
	return NULL;
}

/**
 * owner_state_name() - a state in words
 * @state: which
 *
 * Return: "TEARING_DOWN", or "NONE".
 */
const char *owner_state_name(enum owner_state state)
{
	const struct owner_rule *rule = owner_rule(state);

	return rule ? rule->name : "NONE";
}

/**
 * owner_state_named() - the state of a name
 * @name: "TEARING_DOWN"
 *
 * Return: the state; STATE_NONE: no such name.
 */
enum owner_state owner_state_named(const char *name)
{
	size_t i;

	for (i = 0; i < owner_table_count; i++)
		if (!strcmp(owner_table[i].name, name))
			return owner_table[i].state;
	return STATE_NONE;
}

/**
 * owner_is_heralded() - is a dest told of it until it is known to have heard?
 * @state: of the source
 *
 * Before that it may run a copy that was taken back (TAKEN_BACK), or keep its guest
 * from migrating on, as that might be taken back (TORN_DOWN).
 *
 * Return: true if it is.
 */
bool owner_is_heralded(enum owner_state state)
{
	return state == STATE_TAKEN_BACK || state == STATE_TORN_DOWN;
}

/**
 * owner_may_move() - may one state follow another?
 * @from: where a migration stands
 * @to: where it is to go
 *
 * Return: true if the table says so.
 */
bool owner_may_move(enum owner_state from, enum owner_state to)
{
	const struct owner_rule *rule = owner_rule(to);

	return rule && (unsigned int)from < 64 && (rule->from & UINT64_C(1) << from);
}
