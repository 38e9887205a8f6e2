/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model.c - the model of ownership (model.pml), by spin: what it proves, that
 * each defect built into it is found, and that it has the states and moves of
 * protocol/owner.c.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"
#include "harness.h"

/* Which failures there may be; FAULTS says how many of them in one run. */
#define CRASHES		"-DWORKERS=1 -DHOSTS=1 -DDEADS=1 -DJOURNALS=1 -DDEATHS=1 " \
			"-DFLIPS=1 "
#define OPERATOR	"-DOPERATOR -DFENCES=1 "
#define BAG		"-DBAG "

static void skip_without_spin(void)
{
	char why[128];

	if (!checker_there(why, sizeof(why)))
		SKIP(_exit(0), "%s", why);
}

/* ---- what holds -------------------------------------------------------- */

static void proof_check(const char *flags, enum checker_kind kind)
{
	struct checker_result result;

	skip_without_spin();
	ASSERT_EQ(0, checker_run(flags, kind, &result));
	TH_LOG("%s states, %s s, %s", result.states, result.seconds, flags);
	ASSERT_STREQ("", result.violated) {
		TH_LOG("spin -t shows how");
	}
	ASSERT_TRUE(result.complete) {
		TH_LOG("not all states were looked at:\n%s", result.text);
	}
}

FIXTURE(proof) {
	char unused;
};

FIXTURE_VARIANT(proof) {
	const char *flags;
	enum checker_kind kind;
};

FIXTURE_SETUP(proof)
{
	(void)self;
}

FIXTURE_TEARDOWN(proof)
{
	(void)self;
}

#define PROOF(name, kind_, flags_) \
	FIXTURE_VARIANT_ADD(proof, name) { .flags = flags_, .kind = kind_ };

/* Assertions, over the worst of networks. */
PROOF(one_owner_after_two_failures, CHECK_ASSERTIONS,
      BAG "-DFAULTS=2 -DOUTSIDERS=1 " CRASHES)
PROOF(one_owner_with_operators, CHECK_ASSERTIONS,
      BAG OPERATOR "-DFAULTS=1 -DOUTSIDERS=1 " CRASHES)
PROOF(one_owner_on_the_way_home, CHECK_QUICKLY, BAG "-DHOME -DFAULTS=1 " CRASHES)
PROOF(one_owner_home_with_operators, CHECK_QUICKLY, BAG OPERATOR "-DHOME")
PROOF(one_owner_on_the_way_again, CHECK_QUICKLY, BAG "-DAGAIN -DFAULTS=1 " CRASHES)
PROOF(pages_are_written_once, CHECK_ASSERTIONS,
      BAG "-DPAGES=2 -DWRITES -DFAULTS=1 " CRASHES)

/* What is true when nothing more can happen, whatever was lost on the way. */
PROOF(all_is_well_without_an_operator, CHECK_ASSERTIONS,
      "-DFAULTS=3 -DDROPS=1 -DWORKERS=1")
PROOF(all_pages_come_without_an_operator, CHECK_ASSERTIONS,
      "-DPAGES=2 -DFAULTS=2 -DDROPS=1 -DWORKERS=1")
PROOF(all_is_well_home_without_an_operator, CHECK_QUICKLY,
      "-DHOME -DFAULTS=1 -DDROPS=1 -DWORKERS=1")
PROOF(all_is_well_again_without_an_operator, CHECK_QUICKLY,
      "-DAGAIN -DFAULTS=1 -DDROPS=1 -DWORKERS=1")

/* The same, and that there are no cycles: so it does come to that. */
PROOF(asking_comes_to_an_end, CHECK_CYCLES, "-DFAULTS=2 -DDROPS=1 -DWORKERS=1")
PROOF(every_hold_ends_by_an_operator, CHECK_CYCLES,
      OPERATOR "-DFAULTS=1 -DDROPS=1 " CRASHES)

TEST_F_TIMEOUT(proof, holds, 120)
{
	(void)self;
	proof_check(variant->flags, variant->kind);
}

/* Too many states for each time. */
FIXTURE(long_proof) {
	char unused;
};

FIXTURE_VARIANT(long_proof) {
	const char *flags;
};

FIXTURE_SETUP(long_proof)
{
	(void)self;
}

FIXTURE_TEARDOWN(long_proof)
{
	(void)self;
}

#define LONG_PROOF(name, flags_) \
	FIXTURE_VARIANT_ADD(long_proof, name) { .flags = flags_ };

LONG_PROOF(one_owner_with_operators_after_two_failures,
	   BAG OPERATOR "-DFAULTS=2 -DOUTSIDERS=1 " CRASHES)
LONG_PROOF(one_owner_again_with_operators, BAG OPERATOR "-DAGAIN")
LONG_PROOF(every_hold_ends_after_two_failures, OPERATOR "-DFAULTS=2 -DDROPS=1 " CRASHES)

TEST_F_LONG(long_proof, holds, 900)
{
	(void)self;
	proof_check(variant->flags, CHECK_ASSERTIONS);
}

/* ---- what is found ----------------------------------------------------- */

/* A part of the assertion that has to fail, as pan prints it. */
#define TWO_OWNERS	"||cut[0])||cut[1])"
#define TORN_DOWN_EARLY	"gave_up[0]||(arrived[0]=="
#define RUNNING_KILLED	"(guest[0]!="
#define RAN_DISCARDED	"!(ran[0])"
#define OVERWRITTEN	"!((written[0]&"
#define HELD_FOR_EVER	"(dead[0]|| !(((((srow[0]!="
#define OPEN_FOR_EVER	"(dead[1]|| !(((((((drow[0]!="
#define ANOTHER_STOPPED	"(whose[1]==0)"
#define LEFT_BEHIND	"(dead[1]||((guest[1]!="
#define LOST		"((guest[0]==1)+(guest[1]==1))==1"

FIXTURE(defect) {
	char unused;
};

FIXTURE_VARIANT(defect) {
	const char *bug;
	const char *violates;
	const char *flags;
};

FIXTURE_SETUP(defect)
{
	(void)self;
}

FIXTURE_TEARDOWN(defect)
{
	(void)self;
}

#define DEFECT(name, bug_, violates_, flags_) \
	FIXTURE_VARIANT_ADD(defect, name) { \
		.bug = "-DBUG_" bug_ " ", .violates = violates_, .flags = flags_, \
	};

DEFECT(resume_on_silence, "RESUME_ON_SILENCE", TWO_OWNERS, BAG)
DEFECT(go_journalled_after_the_start, "GO_AFTER_START", TWO_OWNERS,
       BAG "-DFAULTS=1 -DWORKERS=1")
DEFECT(close_taken_for_complete, "CLOSE_IS_COMPLETE", TORN_DOWN_EARLY, BAG)
DEFECT(asked_journalled_after_finish, "ASKED_AFTER_FINISH", TWO_OWNERS,
       BAG "-DFAULTS=1 -DWORKERS=1")
DEFECT(never_ran_without_discarded, "NEVER_RAN_UNSYNCED", TWO_OWNERS, BAG)
DEFECT(discarded_without_compare, "DISCARD_WITHOUT_COMPARE", TWO_OWNERS, BAG)
DEFECT(unknown_taken_for_never_ran, "UNKNOWN_IS_NEVER_RAN", TWO_OWNERS,
       BAG "-DFAULTS=2 -DJOURNALS=1 -DWORKERS=1")
DEFECT(died_without_a_look, "DIED_UNPROVEN", TWO_OWNERS, BAG "-DOPERATOR")
DEFECT(held_source_not_fenced, "NO_FENCE", TWO_OWNERS, BAG "-DFAULTS=1 -DOUTSIDERS=1")
DEFECT(take_back_without_fencing, "TAKE_BACK_UNFENCED", TWO_OWNERS, BAG "-DOPERATOR")
DEFECT(fencing_lifted_early, "FENCE_LIFTED_EARLY", TWO_OWNERS, BAG OPERATOR)
DEFECT(take_back_not_journalled_there, "SUPERSEDED_NOT_WRITTEN", TWO_OWNERS, BAG OPERATOR)
DEFECT(take_back_done_before_it_is_written, "SUPERSEDED_LATE", TWO_OWNERS,
       BAG OPERATOR "-DFAULTS=1 -DWORKERS=1")
DEFECT(any_answer_taken_for_heard, "ANY_ANSWER_IS_HEARD", TWO_OWNERS, BAG OPERATOR)
DEFECT(done_taken_for_gone, "DONE_IS_OVER", TWO_OWNERS, BAG OPERATOR)
DEFECT(take_back_obeyed_by_looks, "OBEYS_BY_LOOKS", RAN_DISCARDED, BAG OPERATOR)
DEFECT(stale_copy_not_fenced, "STALE_COPY_UNFENCED", TWO_OWNERS,
       BAG OPERATOR "-DFAULTS=1 -DOUTSIDERS=1")
DEFECT(given_up_without_fencing, "GIVE_UP_UNFENCED", RUNNING_KILLED,
       BAG OPERATOR "-DFAULTS=2 -DOUTSIDERS=1 -DDEATHS=1")
DEFECT(poison_counted_in_the_proof, "POISON_IS_PROOF", TORN_DOWN_EARLY, BAG "-DOPERATOR")
DEFECT(rescue_over_what_is_present, "RESCUE_OVER_PRESENT", "!(written[0])",
       BAG "-DOPERATOR -DWRITES -DPAGES=2")
DEFECT(prepare_over_an_open_row, "PREPARE_OVER_OPEN_ROW", RUNNING_KILLED,
       BAG "-DHOME -DFAULTS=1 -DHOSTS=1")
DEFECT(present_before_its_bytes, "PRESENT_BEFORE_BYTES", TORN_DOWN_EARLY,
       BAG "-DFAULTS=1 -DWORKERS=1")
DEFECT(older_lanes_let_in, "OLD_LANE", OVERWRITTEN, BAG "-DWRITES")
DEFECT(claimed_said_to_be_present, "CLAIMED_IS_PRESENT", HELD_FOR_EVER,
       "-DFAULTS=1 -DDROPS=1")
DEFECT(tombstone_dropped, "TOMBSTONE_DROPPED", HELD_FOR_EVER, "-DFAULTS=1 -DDROPS=1")
DEFECT(fence_opened_by_another, "FENCE_OF_ANOTHER", TWO_OWNERS,
       BAG "-DAGAIN -DFAULTS=1 -DJOURNALS=1")
DEFECT(copy_known_by_its_name_only, "COPY_BY_NAME", LOST,
       "-DAGAIN -DFAULTS=1 -DDROPS=1 -DWORKERS=1")
DEFECT(go_undone_for_a_lost_reply, "GO_UNDONE", HELD_FOR_EVER, "-DFAULTS=1 -DWORKERS=1")
DEFECT(discarded_not_redone, "DISCARDED_NOT_REDONE", LEFT_BEHIND,
       "-DFAULTS=1 -DWORKERS=1")
DEFECT(stale_copy_known_by_its_name_only, "STALE_COPY_BY_NAME", ANOTHER_STOPPED,
       BAG OPERATOR "-DAGAIN -DFROM_DONE")
DEFECT(taking_back_stuck_without_a_guest, "TAKING_BACK_NEEDS_GUEST", HELD_FOR_EVER,
       OPERATOR "-DFAULTS=1 -DHOSTS=1")
DEFECT(nothing_to_choose_in_asked, "ASKED_FOR_EVER", HELD_FOR_EVER,
       OPERATOR "-DFAULTS=2 -DHOSTS=1 -DJOURNALS=1")
DEFECT(settled_worker_hears_no_operator, "SETTLED_IS_DEAF", OPEN_FOR_EVER, OPERATOR)
DEFECT(running_not_written_again, "FACT_NOT_REPEATED", OPEN_FOR_EVER,
       OPERATOR "-DFAULTS=1 -DJOURNALS=1")

/* With it, and only with it: the rest of the model has to be sound. */
TEST_F_TIMEOUT(defect, is_found, 60)
{
	char flags[512];
	struct checker_result result;

	skip_without_spin();
	snprintf(flags, sizeof(flags), "%s%s", variant->bug, variant->flags);
	ASSERT_EQ(0, checker_run(flags, CHECK_QUICKLY, &result));
	ASSERT_NE(NULL, strstr(result.violated, variant->violates)) {
		TH_LOG("found: \"%s\"", result.violated);
	}
	ASSERT_EQ(0, checker_run(variant->flags, CHECK_QUICKLY, &result));
	ASSERT_TRUE(result.complete);
	ASSERT_STREQ("", result.violated);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
