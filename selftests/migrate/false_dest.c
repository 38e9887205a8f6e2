// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * false_dest.c - a dest that misbehaves, in each phase.
 *
 * Before the source has asked (ASKED) its guest goes on. From then on it may
 * run elsewhere, so the guest is held until there is an answer, and nothing
 * but NEVER_RAN lets it go on.
 *
 * What breaks it, tried once each:
 * - answer_take() in protocol/finish.c takes RAN for NEVER_RAN: the guest
 *   runs on here although it runs there (after_ran_*, wrong_proof_*).
 * - proof_matches() says true whatever came: a lie about the last page kills
 *   the guest here (wrong_proof_tears_nothing_down).
 */
#include <errno.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "scripted.h"

FIXTURE(false_dest) {
	struct pair *pair;
	struct host *source;
	struct scripted dest;
	struct move move;
	struct fail fail;
	char address[32];
};

FIXTURE_VARIANT(false_dest) {
	enum misdeed misdeed;
};

FIXTURE_VARIANT_ADD(false_dest, garbage) { .misdeed = GARBAGE };
FIXTURE_VARIANT_ADD(false_dest, wrong_message) { .misdeed = WRONG_MESSAGE };
FIXTURE_VARIANT_ADD(false_dest, unknown_message) { .misdeed = UNKNOWN_MESSAGE };
FIXTURE_VARIANT_ADD(false_dest, huge_message) { .misdeed = HUGE_MESSAGE };
FIXTURE_VARIANT_ADD(false_dest, closed) { .misdeed = CLOSED };

/* Faults of the source's agent, or NULL. Return: false: it has none. */
static bool hosts_open(FIXTURE_DATA(false_dest) *self, const char *inject)
{
	int ret = pair_create_faulty(&self->pair, PAIR_PLAIN, NULL, inject,
				     NULL, &self->fail);

	if (ret == -EOPNOTSUPP)
		SKIP(return false, "%s", self->fail.text);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	snprintf(self->address, sizeof(self->address), "%s:%d",
		 self->pair->hosts->dest.address, SCRIPTED_PORT);
	scripted_listen(&self->dest, &self->pair->hosts->dest);
	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "16M", NULL });
	return true;
}

FIXTURE_SETUP(false_dest)
{
	hosts_open(self, NULL);
}

FIXTURE_TEARDOWN(false_dest)
{
	scripted_end(&self->dest);
	move_end(&self->move);
	pair_destroy(self->pair);
}

#define ONE_ROUND	"\"live\":true,\"postcopy\":true,\"rounds_max\":1"
#define STOPPED		"\"live\":false"
#define POSTCOPY	"\"live\":false,\"postcopy\":true"

static void begin(FIXTURE_DATA(false_dest) *self, const char *options)
{
	ASSERT_EQ(0, move_start(&self->move, self->source, "db", self->address,
				options));
	scripted_take(&self->dest, MSG_PREPARE);
}

static void goes_on(FIXTURE_DATA(false_dest) *self)
{
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_STREQ("RESUMED", self->move.state);
	EXPECT_LT(0, strlen(self->move.error));
	crossing_rows(self->pair, self->move.id, "RESUMED", "");
	crossing_undone(self->pair, "db");
}

static void is_held(FIXTURE_DATA(false_dest) *self, const char *state)
{
	struct guest_stats stats = { .state = "" };

	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, state));
	EXPECT_EQ(0, guest_stats_get(self->source, "db", &stats, &self->fail));
	EXPECT_STREQ("paused", stats.state);
}

static void answer(FIXTURE_DATA(false_dest) *self, Straddle__AnswerKind kind,
		   uint64_t pages)
{
	Straddle__RegionProof proof = STRADDLE__REGION_PROOF__INIT;
	Straddle__RegionProof *list[] = { &proof };
	Straddle__Answer said = STRADDLE__ANSWER__INIT;

	proof.pages = pages;
	said.kind = kind;
	said.reason = (char *)"the script says so";
	said.n_proof = pages ? 1 : 0;
	said.proof = list;
	scripted_send(&self->dest, MSG_ANSWER, &said.base);
}

TEST_F(false_dest, in_prepare_the_guest_goes_on)
{
	begin(self, ONE_ROUND);
	scripted_misdeed(&self->dest, variant->misdeed);
	goes_on(self);
}

TEST_F(false_dest, in_perform_the_guest_goes_on)
{
	begin(self, ONE_ROUND);
	scripted_prepared(&self->dest);
	ASSERT_EQ(0, move_wait_round(&self->move, 1));
	scripted_misdeed(&self->dest, variant->misdeed);
	goes_on(self);
}

TEST_F(false_dest, after_the_stop_the_guest_goes_on)
{
	begin(self, STOPPED);
	scripted_prepared(&self->dest);
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_STOPPED));
	scripted_misdeed(&self->dest, variant->misdeed);
	goes_on(self);
}

/* It asks again over a new connection; NEVER_RAN lets the guest go on. */
TEST_F(false_dest, after_asked_the_guest_is_held_until_never_ran)
{
	begin(self, POSTCOPY);
	scripted_prepared(&self->dest);
	ASSERT_TRUE(scripted_await(&self->dest, MSG_FINISH));
	is_held(self, "ASKED");
	scripted_misdeed(&self->dest, variant->misdeed);
	scripted_take(&self->dest, MSG_QUERY);
	is_held(self, "ASKED");
	answer(self, STRADDLE__ANSWER_KIND__NEVER_RAN, 0);
	goes_on(self);
}

/* It ran there: the guest here never runs again, whatever comes. */
TEST_F(false_dest, after_ran_the_guest_is_held_for_good)
{
	begin(self, POSTCOPY);
	scripted_prepared(&self->dest);
	ASSERT_TRUE(scripted_await(&self->dest, MSG_FINISH));
	answer(self, STRADDLE__ANSWER_KIND__RAN, 0);
	is_held(self, "HELD");
	scripted_misdeed(&self->dest, variant->misdeed);
	scripted_take(&self->dest, MSG_QUERY);
	answer(self, STRADDLE__ANSWER_KIND__NEVER_RAN, 0);
	scripted_misdeed(&self->dest, variant->misdeed);
	scripted_take(&self->dest, MSG_QUERY);
	is_held(self, "HELD");
}

/* ---- one of each --------------------------------------------------------- */

FIXTURE(lying_dest) {
	FIXTURE_DATA(false_dest) base;
};

FIXTURE_SETUP(lying_dest)
{
	fixture_setup_false_dest_body(&self->base, NULL);
}

FIXTURE_TEARDOWN(lying_dest)
{
	fixture_teardown_false_dest_body(&self->base, NULL);
}

TEST_F(lying_dest, silence_in_prepare_ends_by_abort)
{
	begin(&self->base, ONE_ROUND);
	ASSERT_EQ(0, agent_ask(self->base.source, NULL, &self->base.fail,
			       "{\"do\":\"abort\",\"guest\":\"db\"}"));
	goes_on(&self->base);
	EXPECT_NE(NULL, strstr(self->base.move.error, "aborted"));
}

/* The abort is for the dest to decide, once it was asked. */
TEST_F(lying_dest, abort_after_asked_is_a_cancel_for_the_dest)
{
	struct json_object *answered;
	const char *text;

	begin(&self->base, POSTCOPY);
	scripted_prepared(&self->base.dest);
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_FINISH));
	is_held(&self->base, "ASKED");
	ASSERT_EQ(0, agent_ask(self->base.source, NULL, &self->base.fail,
			       "{\"do\":\"abort\",\"guest\":\"db\"}"));
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_CANCEL));
	is_held(&self->base, "ASKED");
	ASSERT_EQ(0, agent_ask(self->base.source, &answered, &self->base.fail,
			       "{\"do\":\"status\",\"guest\":\"db\"}"));
	text = json_object_to_json_string(answered);
	EXPECT_NE(NULL, strstr(text, "ASKED"));
	json_object_put(answered);
	answer(&self->base, STRADDLE__ANSWER_KIND__NEVER_RAN, 0);
	goes_on(&self->base);
}

TEST_F(lying_dest, disks_that_nobody_offered_are_not_sent)
{
	Straddle__Prepared said = STRADDLE__PREPARED__INIT;
	uint32_t first = 0;

	begin(&self->base, POSTCOPY);
	said.token.data = self->base.dest.token;
	said.token.len = sizeof(self->base.dest.token);
	said.fault_lanes = said.push_lanes = 1;
	said.n_copy = 1;
	said.copy = &first;
	scripted_send(&self->base.dest, MSG_PREPARED, &said.base);
	goes_on(&self->base);
	EXPECT_NE(NULL, strstr(self->base.move.error, "which nobody offered"));
}

TEST_F(lying_dest, held_guest_stays_when_nobody_knows_the_migration)
{
	begin(&self->base, POSTCOPY);
	scripted_prepared(&self->base.dest);
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_FINISH));
	answer(&self->base, STRADDLE__ANSWER_KIND__UNKNOWN, 0);
	scripted_take(&self->base.dest, MSG_QUERY);
	is_held(&self->base, "ASKED");
	answer(&self->base, STRADDLE__ANSWER_KIND__NEVER_RAN, 0);
	goes_on(&self->base);
}

TEST_F(lying_dest, held_guest_stays_when_it_died_there)
{
	begin(&self->base, POSTCOPY);
	scripted_prepared(&self->base.dest);
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_FINISH));
	answer(&self->base, STRADDLE__ANSWER_KIND__DIED, 0);
	EXPECT_EQ(-ECANCELED, move_wait(&self->base.move));
	is_held(&self->base, "DIED_THERE");
	EXPECT_NE(NULL, strstr(self->base.move.error, "operator"));
}

/* As one whose worker has died says it, from its journal. */
TEST_F(lying_dest, ran_without_a_number_is_not_none_missing)
{
	FIXTURE_DATA(false_dest) *base = &self->base;

	begin(base, POSTCOPY);
	scripted_prepared(&base->dest);
	ASSERT_TRUE(scripted_await(&base->dest, MSG_FINISH));
	answer(base, STRADDLE__ANSWER_KIND__RAN, 0);
	ASSERT_EQ(0, move_wait_state(&base->move, STATE_HELD));
	EXPECT_TRUE(base->move.progress.missing_unknown);
}

TEST_F(lying_dest, wrong_proof_tears_nothing_down)
{
	begin(&self->base, POSTCOPY);
	scripted_prepared(&self->base.dest);
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_FINISH));
	answer(&self->base, STRADDLE__ANSWER_KIND__RAN, 0);
	answer(&self->base, STRADDLE__ANSWER_KIND__COMPLETE, 4096);
	EXPECT_EQ(-ECANCELED, move_wait(&self->base.move));
	EXPECT_STREQ("CORRUPT", self->base.move.state);
	EXPECT_NE(NULL, strstr(self->base.move.error, "proof of region 0"));
	is_held(&self->base, "CORRUPT");
}

/* ---- while the source's disk is full ------------------------------------- */

FIXTURE(full_source) {
	FIXTURE_DATA(false_dest) base;
	bool skipped;
};

FIXTURE_VARIANT(full_source) {
	const char *inject;
	Straddle__AnswerKind said;	/* after RAN */
	uint64_t pages;			/* of its proof */
	const char *state;
};

FIXTURE_VARIANT_ADD(full_source, corrupt) {
	"journal.CORRUPT:fail=ENOSPC", STRADDLE__ANSWER_KIND__COMPLETE, 4096,
	"CORRUPT"
};
FIXTURE_VARIANT_ADD(full_source, died) {
	"journal.DIED_THERE:fail=ENOSPC", STRADDLE__ANSWER_KIND__DIED, 0,
	"DIED_THERE"
};

FIXTURE_SETUP(full_source)
{
	self->skipped = !hosts_open(&self->base, variant->inject);
}

FIXTURE_TEARDOWN(full_source)
{
	if (!self->skipped)
		fixture_teardown_false_dest_body(&self->base, NULL);
}

/* Else the row says that it is only to be served on. */
TEST_F(full_source, what_an_operator_has_to_know_is_written_in_the_end)
{
	if (self->skipped)
		return;
	begin(&self->base, POSTCOPY);
	scripted_prepared(&self->base.dest);
	ASSERT_TRUE(scripted_await(&self->base.dest, MSG_FINISH));
	answer(&self->base, STRADDLE__ANSWER_KIND__RAN, 0);
	answer(&self->base, variant->said, variant->pages);
	EXPECT_EQ(-ECANCELED, move_wait(&self->base.move));
	EXPECT_STREQ(variant->state, self->base.move.state);
	EXPECT_FALSE(strstr(self->base.move.error, "space"));
	EXPECT_EQ(1, fault_struck(self->base.source, variant->inject));
	is_held(&self->base, variant->state);
}

static bool is_unheard(FIXTURE_DATA(false_dest) *self)
{
	struct json_object *told;
	bool unheard;

	ASSERT_EQ(0, agent_ask(self->source, &told, &self->fail, "{\"do\":\"history\"}"));
	unheard = strstr(json_object_to_json_string(told), "\"acknowledged\":false") ||
		  strstr(json_object_to_json_string(told), "\"acknowledged\": false");
	json_object_put(told);
	return unheard;
}

/* That it runs was said before it was taken back: it is no answer to that. */
TEST_F_TIMEOUT(lying_dest, take_back_is_not_heard_by_an_older_answer, 60)
{
	FIXTURE_DATA(false_dest) *base = &self->base;

	begin(base, POSTCOPY);
	scripted_prepared(&base->dest);
	ASSERT_TRUE(scripted_await(&base->dest, MSG_FINISH));
	answer(base, STRADDLE__ANSWER_KIND__RAN, 0);
	is_held(base, "HELD");
	ASSERT_EQ(0, agent_ask(base->source, NULL, &base->fail,
			       "{\"do\":\"resolve\",\"guest\":\"db\",\"resolution\":\"take-back\","
			       "\"fenced\":\"%s\"}", base->address)) {
		TH_LOG("%s", base->fail.text);
	}
	scripted_take(&base->dest, MSG_SUPERSEDE);
	answer(base, STRADDLE__ANSWER_KIND__RAN, 0);
	scripted_take(&base->dest, MSG_SUPERSEDE);
	EXPECT_TRUE(is_unheard(base));
	answer(base, STRADDLE__ANSWER_KIND__DIED, 0);
	EXPECT_EQ(0, host_settle(base->source));
	EXPECT_FALSE(is_unheard(base));
}

TEST_HARNESS_MAIN
