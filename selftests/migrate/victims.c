// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * victims.c - a guest's process ends or does not answer, in each phase and on
 * either host.
 *
 * failures.c has the rest of SIGKILL. Who is stopped for good is tried with an
 * abort, or by what gives up waiting for it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"

enum where { AT_SOURCE, AT_DEST };
enum act {
	QUIT,			/* its own verb */
	STOP,			/* SIGSTOP, and nothing more */
	STOP_ABORT,		/* SIGSTOP, an abort, then SIGCONT */
	STOP_CONT,		/* SIGSTOP, other things happen, SIGCONT */
	STOP_THROUGH,		/* SIGSTOP, until all pages are there */
};
enum phase_at { IN_A_ROUND, AFTER_THE_STOP, PAST_GO };
enum outcome {
	GOES_ON,		/* at the source; nothing is left at the dest */
	ARRIVES,
	GONE,			/* it was the source's own, before GO */
	DIED_THERE,		/* the source is held */
};

FIXTURE(victim) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
	pid_t pid;
};

FIXTURE_VARIANT(victim) {
	enum where where;
	enum act act;
	enum phase_at at;
	enum outcome outcome;
	const char *memory;
};

#define CELL(name, ...) FIXTURE_VARIANT_ADD(victim, name) { __VA_ARGS__ }

CELL(quit_source_round, AT_SOURCE, QUIT, IN_A_ROUND, GONE, NULL);
CELL(quit_source_stopped, AT_SOURCE, QUIT, AFTER_THE_STOP, GONE, NULL);
CELL(quit_dest_round, AT_DEST, QUIT, IN_A_ROUND, GOES_ON, NULL);
CELL(quit_dest_stopped, AT_DEST, QUIT, AFTER_THE_STOP, GOES_ON, NULL);
CELL(quit_dest_go, AT_DEST, QUIT, PAST_GO, DIED_THERE, NULL);
CELL(stop_abort_source_round, AT_SOURCE, STOP_ABORT, IN_A_ROUND, GOES_ON, NULL);
CELL(stop_abort_source_stopped, AT_SOURCE, STOP_ABORT, AFTER_THE_STOP, GOES_ON, NULL);
CELL(stop_abort_dest_round, AT_DEST, STOP_ABORT, IN_A_ROUND, GOES_ON, NULL);
CELL(stop_abort_dest_stopped, AT_DEST, STOP_ABORT, AFTER_THE_STOP, GOES_ON, NULL);
CELL(stop_dest_round, AT_DEST, STOP, IN_A_ROUND, GOES_ON, NULL);
CELL(stop_dest_round_private, AT_DEST, STOP, IN_A_ROUND, GOES_ON, "--private");
CELL(stop_dest_stopped, AT_DEST, STOP, AFTER_THE_STOP, GOES_ON, NULL);
CELL(stop_cont_source_round, AT_SOURCE, STOP_CONT, IN_A_ROUND, ARRIVES, NULL);
CELL(stop_cont_source_go, AT_SOURCE, STOP_CONT, PAST_GO, ARRIVES, NULL);
CELL(stop_cont_dest_round, AT_DEST, STOP_CONT, IN_A_ROUND, ARRIVES, NULL);
CELL(stop_cont_dest_go, AT_DEST, STOP_CONT, PAST_GO, ARRIVES, NULL);
CELL(stop_cont_dest_go_private, AT_DEST, STOP_CONT, PAST_GO, ARRIVES, "--private");
CELL(stop_through_dest_go, AT_DEST, STOP_THROUGH, PAST_GO, ARRIVES, NULL);
CELL(stop_through_dest_go_private, AT_DEST, STOP_THROUGH, PAST_GO, ARRIVES, "--private");

static const struct {
	const char *options;
	enum owner_state state;		/* of the source */
} phases[] = {
	[IN_A_ROUND] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":1",
		STATE_PERFORMING },
	[AFTER_THE_STOP] = { "\"live\":false", STATE_STOPPED },
	[PAST_GO] = {
		"\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		STATE_HELD },
};

FIXTURE_SETUP(victim)
{
	const char *const guest[] = { variant->memory, NULL };
	struct guest_view view;

	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, &crossing_slow,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->move.fd = -1;
	crossing_guest(self->pair, "db", guest);
	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address,
				phases[variant->at].options));
	ASSERT_EQ(0, move_wait_state(&self->move, phases[variant->at].state)) {
		TH_LOG("%s", self->move.error);
	}
	if (variant->at != PAST_GO)
		ASSERT_EQ(0, move_wait_round(&self->move, 1));
	if (variant->where == AT_SOURCE && variant->at == PAST_GO) {
		self->pid = 0;		/* it is stopped, and is not asked */
		return;
	}
	ASSERT_EQ(0, guest_view_get(variant->where == AT_SOURCE
					? self->source : self->dest,
				    "db", &view, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->pid = view.pid;
	guest_view_fini(&view);
}

FIXTURE_TEARDOWN(victim)
{
	if (self->pid > 0)
		kill(self->pid, SIGCONT);
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void send_to(pid_t pid, int signal)
{
	if (pid > 0)
		ASSERT_EQ(0, kill(pid, signal));
}

static void abort_it(FIXTURE_DATA(victim) *self)
{
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"abort\",\"guest\":\"db\"}")) {
		TH_LOG("%s", self->fail.text);
	}
}

/* Both agents answer, whatever a guest does. */
static void agents_answer(FIXTURE_DATA(victim) *self)
{
	EXPECT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"status\"}"));
	EXPECT_EQ(0, agent_ask(self->dest, NULL, &self->fail,
			       "{\"do\":\"status\"}"));
}

static void strike(FIXTURE_DATA(victim) *self, enum act act, enum where where)
{
	const struct host *host = where == AT_SOURCE ? self->source
						     : self->dest;

	if (act == QUIT) {
		/* Its end may come before its answer. */
		(void)guest_verb(host, "db", "quit", &self->fail);
		return;
	}
	send_to(self->pid, SIGSTOP);
	agents_answer(self);
	if (act == STOP_ABORT)
		abort_it(self);
	if (act == STOP_CONT)
		ASSERT_EQ(0, move_next(&self->move));
	if (act == STOP_THROUGH)
		EXPECT_EQ(0, move_wait(&self->move));
	if (act != STOP)
		send_to(self->pid, SIGCONT);
}

static void left_alone(FIXTURE_DATA(victim) *self, const struct host *host)
{
	crossing_left(host, "db", 0);
	EXPECT_TRUE(strlen(self->move.error));
}

static void expect(FIXTURE_DATA(victim) *self, enum outcome outcome)
{
	struct guest_stats stats = { .state = "" };
	int ret = move_wait(&self->move);

	EXPECT_EQ(outcome == ARRIVES ? 0 : -ECANCELED, ret) {
		TH_LOG("%s", self->move.error);
	}
	switch (outcome) {
	case ARRIVES:
		crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
		crossing_arrived(self->pair, self->dest, "db");
		crossing_left(self->source, "db", 0);
		break;
	case GOES_ON:
		EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
						 SIDE_SOURCE, "RESUMED"));
		EXPECT_TRUE(crossing_row_reaches(self->dest, self->move.id,
						 SIDE_DEST, "DISCARDED"));
		crossing_undone(self->pair, "db");
		break;
	case GONE:
		crossing_rows(self->pair, self->move.id, "RESUMED",
			      "DISCARDED");
		left_alone(self, self->source);
		left_alone(self, self->dest);
		break;
	case DIED_THERE:
		crossing_rows(self->pair, self->move.id, "DIED_THERE",
			      "DIED");
		ASSERT_EQ(0, guest_stats_get(self->source, "db", &stats,
					     &self->fail));
		EXPECT_STREQ("paused", stats.state);
		left_alone(self, self->dest);
		break;
	}
}

TEST_F_TIMEOUT(victim, guest_is_where_it_should_be, 120)
{
	strike(self, variant->act, variant->where);
	expect(self, variant->outcome);
}

/* 20 to 40 s: the pause is given up, then the resume. */
TEST_F_LONG(victim, source_that_is_stopped_for_good_is_settled, 120)
{
	if (variant->act != STOP_ABORT || variant->where != AT_SOURCE)
		return;
	strike(self, STOP, AT_SOURCE);
	expect(self, GOES_ON);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
