/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * owner.c - the table of owner states, against the rules it has to keep.
 *
 * The rules are stated here apart from the table: a guest may run at the
 * source only where the dest cannot have started it, and the other way round.
 */
#include <string.h>

#include "harness.h"
#include "protocol/journal.h"

/* Every legal step, written down a second time, from what the phases need. */
static const enum owner_state steps[][2] = {
	{ STATE_NONE, STATE_BEGUN },
	{ STATE_BEGUN, STATE_PERFORMING },
	{ STATE_BEGUN, STATE_RESUMED },
	{ STATE_PERFORMING, STATE_STOPPING },
	{ STATE_PERFORMING, STATE_RESUMED },
	{ STATE_STOPPING, STATE_STOPPED },
	{ STATE_STOPPING, STATE_RESUMING },
	{ STATE_STOPPED, STATE_ASKED },
	{ STATE_STOPPED, STATE_RESUMING },
	{ STATE_ASKED, STATE_HELD },
	{ STATE_ASKED, STATE_TEARING_DOWN },
	{ STATE_ASKED, STATE_RESUMING },
	{ STATE_ASKED, STATE_CORRUPT },
	{ STATE_HELD, STATE_TEARING_DOWN },
	{ STATE_HELD, STATE_CORRUPT },
	{ STATE_TEARING_DOWN, STATE_TORN_DOWN },
	{ STATE_RESUMING, STATE_RESUMED },
	{ STATE_BEGUN, STATE_DELEGATED },
	{ STATE_DELEGATED, STATE_MOVED },
	{ STATE_DELEGATED, STATE_RESUMED },
	{ STATE_NONE, STATE_PREPARED },
	{ STATE_PREPARED, STATE_LOADED },
	{ STATE_PREPARED, STATE_DISCARDED },
	{ STATE_LOADED, STATE_GO },
	{ STATE_LOADED, STATE_DISCARDED },
	{ STATE_GO, STATE_RUNNING },
	{ STATE_GO, STATE_DIED },
	{ STATE_GO, STATE_COMPLETE },
	{ STATE_RUNNING, STATE_COMPLETE },
	{ STATE_RUNNING, STATE_DIED },
	{ STATE_COMPLETE, STATE_DONE },
	/* an operator's, and what he needs for it */
	{ STATE_ASKED, STATE_DIED_THERE },
	{ STATE_HELD, STATE_DIED_THERE },
	{ STATE_ASKED, STATE_TAKING_BACK },
	{ STATE_HELD, STATE_TAKING_BACK },
	{ STATE_CORRUPT, STATE_TAKING_BACK },
	{ STATE_DIED_THERE, STATE_TAKING_BACK },
	{ STATE_TAKING_BACK, STATE_TAKEN_BACK },
	{ STATE_CORRUPT, STATE_TEARING_DOWN },
	{ STATE_DIED_THERE, STATE_TEARING_DOWN },
	{ STATE_RUNNING, STATE_POISONED },
	{ STATE_GO, STATE_SUPERSEDED },
	{ STATE_RUNNING, STATE_SUPERSEDED },
	{ STATE_COMPLETE, STATE_SUPERSEDED },
	{ STATE_DONE, STATE_SUPERSEDED },
	{ STATE_POISONED, STATE_SUPERSEDED },
	{ STATE_SUPERSEDED, STATE_DIED },
};

static bool step_expected(int from, int to)
{
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i][0] == (enum owner_state)from && steps[i][1] == (enum owner_state)to)
			return true;
	return false;
}

/* Also numbers that are no state. */
TEST(every_step_is_as_the_rules_say)
{
	int from, to;

	for (from = -1; from <= 70; from++)
		for (to = -1; to <= 70; to++)
			EXPECT_EQ(step_expected(from, to), owner_may_move(from, to)) {
				TH_LOG("%d %s -> %d %s", from, owner_state_name(from), to,
				       owner_state_name(to));
			}
}

/* What can follow a state in any number of steps. */
static bool reachable(enum owner_state from, enum owner_state to)
{
	uint64_t seen = UINT64_C(1) << from, before;
	size_t i;
	int at;

	do {
		before = seen;
		for (i = 0; i < owner_table_count; i++)
			for (at = 0; at < 64; at++)
				if (seen & UINT64_C(1) << at &&
				    owner_may_move(at, owner_table[i].state))
					seen |= UINT64_C(1) << owner_table[i].state;
	} while (seen != before);
	return from != to && (seen & UINT64_C(1) << to);
}

TEST(what_is_discarded_never_runs)
{
	EXPECT_FALSE(reachable(STATE_DISCARDED, STATE_GO));
	EXPECT_FALSE(reachable(STATE_DISCARDED, STATE_RUNNING));
	EXPECT_FALSE(reachable(STATE_GO, STATE_DISCARDED));
	EXPECT_TRUE(reachable(STATE_PREPARED, STATE_GO));
}

TEST(what_is_held_is_never_resumed)
{
	EXPECT_FALSE(reachable(STATE_HELD, STATE_RESUMING));
	EXPECT_FALSE(reachable(STATE_HELD, STATE_RESUMED));
	EXPECT_FALSE(reachable(STATE_TEARING_DOWN, STATE_RESUMED));
	EXPECT_FALSE(reachable(STATE_CORRUPT, STATE_RESUMED));
	EXPECT_FALSE(reachable(STATE_TAKING_BACK, STATE_TEARING_DOWN));
	EXPECT_FALSE(reachable(STATE_RESUMING, STATE_ASKED));
	EXPECT_FALSE(reachable(STATE_RESUMING, STATE_TEARING_DOWN));
}

/* What libvirt moves is never taken for ours. */
TEST(what_is_delegated_is_never_asked_for)
{
	EXPECT_FALSE(reachable(STATE_DELEGATED, STATE_ASKED));
	EXPECT_FALSE(reachable(STATE_DELEGATED, STATE_RESUMING));
	EXPECT_FALSE(reachable(STATE_PERFORMING, STATE_DELEGATED));
	EXPECT_FALSE(reachable(STATE_STOPPING, STATE_MOVED));
}

TEST(sides_do_not_mix_and_ends_end)
{
	size_t i, j;

	for (i = 0; i < owner_table_count; i++)
		for (j = 0; j < owner_table_count; j++) {
			const struct owner_rule *from = &owner_table[i], *to = &owner_table[j];

			/* But for what an operator took back elsewhere. */
			if (from->side != to->side ||
			    (from->ended && to->state != STATE_SUPERSEDED))
				EXPECT_FALSE(owner_may_move(from->state, to->state)) {
					TH_LOG("%s -> %s", from->name, to->name);
				}
		}
}

TEST(names_lead_back_to_states)
{
	size_t i;

	for (i = 0; i < owner_table_count; i++) {
		EXPECT_EQ(owner_table[i].state, owner_state_named(owner_table[i].name));
		EXPECT_STREQ(owner_table[i].name, owner_state_name(owner_table[i].state));
		EXPECT_EQ(&owner_table[i], owner_rule(owner_table[i].state));
	}
	EXPECT_EQ(STATE_NONE, owner_state_named("NONSENSE"));
	EXPECT_STREQ("NONE", owner_state_name(STATE_NONE));
	EXPECT_NULL(owner_rule(STATE_NONE));
}

TEST_HARNESS_MAIN
