/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject_language.c - faults as users write them, and when they strike.
 */
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "protocol/inject.h"
#include "sys.h"

#define TIMES	1000

FIXTURE(set) {
	struct inject *inject;
	struct fail fail;
	bool skipped;
};

static bool made(struct inject **inject)
{
	struct fail fail = { .err = 0 };
	int ret = inject_create(inject, &fail);

	if (ret == -EOPNOTSUPP)
		SKIP(return false, "%s", fail.text);
	ASSERT_EQ(0, ret);
	return true;
}

FIXTURE_SETUP(set)
{
	*self = (FIXTURE_DATA(set)){ .inject = NULL };
	self->skipped = !made(&self->inject);
}

FIXTURE_TEARDOWN(set)
{
	inject_destroy(self->inject);
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

static void add(FIXTURE_DATA(set) *self, const char *text)
{
	EXPECT_EQ(0, inject_add(self->inject, text, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

static unsigned int at_message(struct inject *inject, enum message_type type, enum phase phase)
{
	struct inject_place place = { .kind = INJECT_MESSAGE, .number = type, .phase = phase };
	struct inject_plan plan;

	inject_at(inject, &place, &plan);
	return plan.actions;
}

static unsigned int at_frame(struct inject *inject, enum frame_type type, enum lane_role role)
{
	struct inject_place place = {
		.kind = INJECT_FRAME, .number = type, .role = role, .phase = PHASE_CONFIRM,
	};
	struct inject_plan plan;

	inject_at(inject, &place, &plan);
	return plan.actions;
}

static unsigned int at_state(struct inject *inject, enum inject_kind kind, unsigned int number)
{
	struct inject_place place = { .kind = kind, .number = number };
	struct inject_plan plan;

	inject_at(inject, &place, &plan);
	return plan.actions;
}

#if !STRADDLE_INJECT
TEST(release_refuses_and_says_what_to_do)
{
	struct inject *inject;
	struct fail fail = { .err = 0 };

	EXPECT_EQ(-EOPNOTSUPP, inject_create(&inject, &fail));
	EXPECT_NE(NULL, strstr(fail.text, "INJECT=1"));
}
#endif

static const char *argument_of(const char *action)
{
	return !strcmp(action, "delay") ? "=5ms" : !strcmp(action, "slow") ? "=1M" :
	       !strcmp(action, "fail") ? "=EIO" : "";
}

/* Messages and states come from their tables: a new one is walked, too. */
TEST_F(set, every_point_takes_every_action_of_its_kind)
{
	struct inject_point point;
	unsigned int kinds;
	const char *action;
	size_t i, k;

	SKIPPED(self);
	for (i = 0; inject_point_get(i, &point); i++)
		for (k = 0; (action = inject_action_get(k, &kinds)); k++) {
			struct fail fail = { .err = 0 };
			struct inject *one;
			char text[INJECT_TEXT_MAX];
			bool possible = kinds & INJECT_KIND_BIT(point.kind);

			snprintf(text, sizeof(text), "%s:%s%s", point.name, action,
				 argument_of(action));
			ASSERT_EQ(0, inject_create(&one, &fail));
			EXPECT_EQ(possible ? 0 : -EINVAL, inject_add(one, text, &fail)) {
				TH_LOG("%s: %s", text, fail.text);
			}
			EXPECT_EQ(possible, inject_count(one));
			inject_destroy(one);
		}
	EXPECT_LT(message_table_count + 2 * owner_table_count, i);
}

static size_t points_named(const char *name)
{
	struct inject_point point;
	size_t i, count = 0;

	for (i = 0; inject_point_get(i, &point); i++)
		count += !strcmp(point.name, name);
	return count;
}

TEST_F(set, message_is_a_point_in_each_of_its_phases_only)
{
	SKIPPED(self);
	EXPECT_EQ(1, points_named("finish.answer"));
	EXPECT_EQ(1, points_named("confirm.answer"));
	EXPECT_EQ(0, points_named("perform.answer"));
	EXPECT_EQ(1, points_named("lane.want"));
	EXPECT_EQ(1, points_named("journal.GO"));
	EXPECT_EQ(1, points_named("move.GO"));
	EXPECT_EQ(1, points_named("journal.note"));
}

TEST_F(set, points_are_told_apart)
{
	SKIPPED(self);
	add(self, "finish.answer:drop/all,query:duplicate/all");
	add(self, "barrier:delay=1ms/all");
	add(self, "lane.barrier:truncate/all");
	add(self, "push.run:flip=body/all");
	add(self, "want:cut-after/all");
	add(self, "journal.GO:kill/all");
	add(self, "move.GO:kill-after/all");
	add(self, "journal.note:fail=EROFS/all");
	EXPECT_EQ(INJECT_DROP, at_message(self->inject, MSG_ANSWER, PHASE_FINISH));
	EXPECT_EQ(0, at_message(self->inject, MSG_ANSWER, PHASE_CONFIRM));
	EXPECT_EQ(INJECT_DUPLICATE, at_message(self->inject, MSG_QUERY, PHASE_PREPARE));
	EXPECT_EQ(INJECT_DUPLICATE, at_message(self->inject, MSG_QUERY, PHASE_CONFIRM));
	EXPECT_EQ(INJECT_DELAY, at_message(self->inject, MSG_BARRIER, PHASE_PERFORM));
	EXPECT_EQ(INJECT_FLIP, at_frame(self->inject, FRAME_DATA, LANE_PUSH));
	EXPECT_EQ(INJECT_FLIP, at_frame(self->inject, FRAME_ZERO, LANE_PUSH));
	EXPECT_EQ(0, at_frame(self->inject, FRAME_DATA, LANE_FAULT));
	EXPECT_EQ(INJECT_CUT_AFTER, at_frame(self->inject, FRAME_WANT, LANE_FAULT));
	EXPECT_EQ(INJECT_KILL, at_state(self->inject, INJECT_JOURNAL, STATE_GO));
	EXPECT_EQ(INJECT_KILL_AFTER, at_state(self->inject, INJECT_MOVE, STATE_GO));
	EXPECT_EQ(INJECT_FAIL, at_state(self->inject, INJECT_JOURNAL, INJECT_NOTE));
	EXPECT_EQ(0, at_state(self->inject, INJECT_JOURNAL, STATE_RUNNING));
}

TEST_F(set, arguments_are_read_with_their_units)
{
	struct inject_place place = { .kind = INJECT_MESSAGE, .number = MSG_PING, .bytes = 1024 };
	struct inject_plan plan;

	SKIPPED(self);
	add(self, "ping:delay=50us,ping:delay=200ms,ping:delay=3s");
	add(self, "ping:slow=1K");
	inject_at(self->inject, &place, &plan);
	EXPECT_EQ(INJECT_DELAY | INJECT_SLOW, plan.actions);
	EXPECT_EQ(4200050000, plan.wait_ns);
}

/* What is wrong, and the part of the text that is. */
static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "does not say what is to be done" },
	{ "answer", "POINT:ACTION[=ARGUMENT][/WHEN]" },
	{ ":drop", "no point ''" },
	{ "anser:drop", "no point 'anser'" },
	{ "a.b.c.d:drop", "no point 'a.b.c.d'" },
	{ "ANSWER:drop", "lower case" },
	{ "finish.:drop", "no point 'finish.'" },
	{ "push.answer:drop", "no point 'push.answer'" },
	{ "journal:kill", "no point 'journal'" },
	{ "journal.go:kill", "upper case" },
	{ "journal.NONE:kill", "no point" },
	{ "move.note:kill", "no point 'move.note'" },
	{ "prepare.answer:drop", "not sent in phase Prepare, but in finish, confirm" },
	{ "begin.run:drop", "perform, finish, confirm" },
	{ "push.want:drop", "fault lanes only" },
	{ "fault.barrier:drop", "push lanes only" },
	{ "answer:explode", "no action 'explode'" },
	{ "answer:", "no action ''" },
	{ "answer:drop=1", "takes no argument" },
	{ "answer:drop=", "takes no argument" },
	{ "answer:delay", "delay=TIME" },
	{ "answer:delay=", "no time" },
	{ "answer:delay=200", "no time" },
	{ "answer:delay=0ms", "no time" },
	{ "answer:delay=-1s", "no time" },
	{ "answer:delay=2h", "no time" },
	{ "answer:delay=3601s", "an hour at most" },
	{ "answer:delay=99999999999999999999s", "no time" },
	{ "run:slow=0", "no rate" },
	{ "run:slow=1T", "no rate" },
	{ "run:flip=head", "'header' or 'body'" },
	{ "journal.GO:drop", "nothing is sent" },
	{ "journal.GO:fail", "fail=ENOSPC|EROFS|EIO" },
	{ "journal.GO:fail=EPERM", "ENOSPC, EROFS and EIO" },
	{ "move.GO:fail=EIO", "only writes of the journal" },
	{ "answer:fail=EIO", "only writes of the journal" },
	{ "answer:drop/", "does not say when" },
	{ "answer:drop/#0", "does not say when" },
	{ "answer:drop/#1x", "does not say when" },
	{ "answer:drop/10", "does not say when" },
	{ "answer:drop/0%", "does not say when" },
	{ "answer:drop/101%", "does not say when" },
	{ "answer:drop/100.5%", "does not say when" },
	{ "answer:drop/all/all", "does not say when" },
	{ "answer:drop,", "does not say what is to be done" },
	{ "answer:drop,run:dorp", "no action 'dorp'" },
};

TEST_F(set, what_is_wrong_is_named)
{
	char longest[INJECT_TEXT_MAX + 16];
	size_t i;

	SKIPPED(self);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fail fail = { .err = 0 };

		EXPECT_EQ(-EINVAL, inject_add(self->inject, bad[i].text, &fail)) {
			TH_LOG("'%s' was taken", bad[i].text);
		}
		EXPECT_NE(NULL, strstr(fail.text, bad[i].says)) {
			TH_LOG("'%s': %s", bad[i].text, fail.text);
		}
		EXPECT_NE(NULL, strstr(fail.text, "--inject '"));
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	EXPECT_EQ(-EINVAL, inject_add(self->inject, longest, &self->fail));
}

TEST_F(set, number_of_faults_is_bounded)
{
	unsigned int i;

	SKIPPED(self);
	for (i = 0; i < INJECT_SPECS_MAX; i++)
		add(self, "ping:drop");
	EXPECT_EQ(-EINVAL, inject_add(self->inject, "ping:drop", &self->fail));
	EXPECT_EQ(INJECT_SPECS_MAX, inject_count(self->inject));
}

/* ---- when ---------------------------------------------------------------- */

/* How often of TIMES, and the sum of the times at which. */
static unsigned int strikes(struct inject *inject, uint64_t *sum)
{
	unsigned int i, count = 0;

	*sum = 0;
	for (i = 1; i <= TIMES; i++)
		if (at_message(inject, MSG_PING, PHASE_PERFORM)) {
			*sum += i;
			count++;
		}
	return count;
}

static unsigned int strikes_of(const char *text, uint64_t seed, uint64_t *sum)
{
	struct fail fail = { .err = 0 };
	struct inject *inject;
	unsigned int count;

	ASSERT_EQ(0, inject_create(&inject, &fail));
	ASSERT_EQ(0, inject_add(inject, text, &fail));
	inject_seed(inject, seed);
	count = strikes(inject, sum);
	inject_destroy(inject);
	return count;
}

TEST_F(set, fault_strikes_when_it_is_to)
{
	uint64_t sum;

	SKIPPED(self);
	EXPECT_EQ(1, strikes_of("ping:drop", 1, &sum));
	EXPECT_EQ(1, sum);
	EXPECT_EQ(1, strikes_of("ping:drop/once", 1, &sum));
	EXPECT_EQ(1, strikes_of("ping:drop/#7", 1, &sum));
	EXPECT_EQ(7, sum);
	EXPECT_EQ(TIMES, strikes_of("ping:drop/all", 1, &sum));
	EXPECT_EQ(TIMES, strikes_of("ping:drop/100%", 1, &sum));
}

TEST_F(set, chance_is_what_it_says_and_follows_the_seed)
{
	uint64_t first, again, other;
	unsigned int count;

	SKIPPED(self);
	count = strikes_of("ping:drop/10%", 42, &first);
	EXPECT_LT(TIMES / 20, count);
	EXPECT_GT(TIMES / 5, count);
	EXPECT_EQ(count, strikes_of("ping:drop/10%", 42, &again));
	EXPECT_EQ(first, again);
	strikes_of("ping:drop/10%", 43, &other);
	EXPECT_NE(first, other);
	EXPECT_GT(TIMES / 50, strikes_of("ping:drop/0.5%", 42, &other));
}

TEST_F(set, two_specs_of_a_point_count_apart)
{
	uint64_t reached, struck;

	SKIPPED(self);
	add(self, "ping:drop/#2,ping:duplicate/#1");
	EXPECT_EQ(INJECT_DUPLICATE, at_message(self->inject, MSG_PING, PHASE_BEGIN));
	EXPECT_EQ(INJECT_DROP, at_message(self->inject, MSG_PING, PHASE_BEGIN));
	EXPECT_EQ(0, at_message(self->inject, MSG_PING, PHASE_BEGIN));
	inject_counts(self->inject, 0, &reached, &struck);
	EXPECT_EQ(3, reached);
	EXPECT_EQ(1, struck);
}

TEST(nothing_is_injected_without_a_set)
{
	EXPECT_EQ(0, at_message(NULL, MSG_ANSWER, PHASE_FINISH));
	EXPECT_EQ(0, inject_count(NULL));
	inject_phase(NULL, PHASE_FINISH);
	inject_lane(NULL, NULL);
	inject_destroy(NULL);
}

static char told_text[256];

static void told(const char *text)
{
	snprintf(told_text, sizeof(told_text), "%s", text);
}

TEST_F(set, fault_is_told_with_its_migration)
{
	struct inject_place place = { .kind = INJECT_JOURNAL, .number = STATE_GO, .id = "feed" };
	struct inject_plan plan;

	SKIPPED(self);
	add(self, "ping:drop,journal.GO:fail=EIO");
	inject_tell(self->inject, told, NULL);
	at_message(self->inject, MSG_PING, PHASE_BEGIN);
	EXPECT_NE(NULL, strstr(told_text, "ping:drop"));
	EXPECT_EQ(NULL, strstr(told_text, "migration"));
	inject_at(self->inject, &place, &plan);
	EXPECT_EQ(-EIO, plan.error);
	EXPECT_NE(NULL, strstr(told_text, "journal.GO:fail=EIO"));
	EXPECT_NE(NULL, strstr(told_text, "migration feed"));
	told_text[0] = '\0';
	at_message(self->inject, MSG_PING, PHASE_BEGIN);
	EXPECT_STREQ("", told_text);
}

/* ---- shared counters ------------------------------------------------------ */

static struct inject *sharing(const char *specs, uint64_t seed, bool fresh, bool seeded, int want)
{
	struct fail fail = { .err = 0 };
	struct inject *inject;
	char path[400];

	snprintf(path, sizeof(path), "%s/inject", test_dir());
	ASSERT_EQ(0, inject_create(&inject, &fail));
	ASSERT_EQ(0, inject_add(inject, specs, &fail));
	inject_seed(inject, seed);
	EXPECT_EQ(want, inject_share(inject, path, fresh, seeded, &fail)) {
		TH_LOG("%s", fail.text);
	}
	return inject;
}

/* Without the shared counters a successor would die of the same fault again. */
TEST_F(set, what_struck_once_does_not_strike_a_successor)
{
	struct inject *agent, *worker, *successor, *next;

	SKIPPED(self);
	agent = sharing("ping:drop,ping:duplicate/#3", 5, true, false, 0);
	worker = sharing("ping:drop,ping:duplicate/#3", 0, false, false, 0);
	EXPECT_EQ(5, inject_seed_get(worker));
	EXPECT_EQ(INJECT_DROP, at_message(worker, MSG_PING, PHASE_BEGIN));
	inject_destroy(worker);
	successor = sharing("ping:drop,ping:duplicate/#3", 0, false, false, 0);
	EXPECT_EQ(0, at_message(successor, MSG_PING, PHASE_BEGIN));
	inject_destroy(agent);
	/* A new agent, after a crash, has another random seed to offer. */
	next = sharing("ping:drop,ping:duplicate/#3", 6, true, false, 0);
	EXPECT_EQ(5, inject_seed_get(next));
	EXPECT_EQ(INJECT_DUPLICATE, at_message(successor, MSG_PING, PHASE_BEGIN));
	EXPECT_EQ(0, at_message(next, MSG_PING, PHASE_BEGIN));
	inject_destroy(successor);
	inject_destroy(next);
}

TEST_F(set, other_faults_begin_anew)
{
	struct inject *first, *other, *seeded;

	SKIPPED(self);
	first = sharing("ping:drop", 5, true, false, 0);
	at_message(first, MSG_PING, PHASE_BEGIN);
	other = sharing("ping:drop,answer:drop", 5, false, false, -ESTALE);
	inject_destroy(other);
	seeded = sharing("ping:drop", 6, true, true, 0);
	EXPECT_EQ(INJECT_DROP, at_message(seeded, MSG_PING, PHASE_BEGIN));
	inject_destroy(seeded);
	other = sharing("ping:duplicate", 5, true, false, 0);
	EXPECT_EQ(INJECT_DUPLICATE, at_message(other, MSG_PING, PHASE_BEGIN));
	/* Who has the old one keeps it. */
	EXPECT_EQ(0, at_message(first, MSG_PING, PHASE_BEGIN));
	inject_destroy(other);
	inject_destroy(first);
}

TEST_HARNESS_MAIN
