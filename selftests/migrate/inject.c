// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * inject.c - agents that injure their own migrations, as --inject has them do.
 *
 * That a fault struck is asked of the agent: without that, each test here
 * would pass where nothing is injected at all.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "lib/process.h"
#include "sys.h"

#define WAIT_MS		20000
#define LIVE		"\"live\":true"
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0"

FIXTURE(faulty) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
};

FIXTURE_SETUP(faulty)
{
	*self = (FIXTURE_DATA(faulty)){ .move.fd = -1 };
}

FIXTURE_TEARDOWN(faulty)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* Two hosts with these faults, and a guest. Return: false: it was skipped. */
static bool begin(FIXTURE_DATA(faulty) *self, enum pair_security security,
		  const char *source, const char *dest)
{
	int ret = pair_create_faulty(&self->pair, security, NULL, source, dest,
				     &self->fail);

	if (ret == -EOPNOTSUPP)
		SKIP(return false, "%s", self->fail.text);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
	return true;
}

static int migrate(FIXTURE_DATA(faulty) *self, const char *options)
{
	int ret = move_run(&self->move, self->source, "db", self->dest->address,
			   options);

	TH_LOG("%s", ret ? self->move.error : "it arrived");
	return ret;
}

static void arrives(FIXTURE_DATA(faulty) *self, const char *options)
{
	EXPECT_EQ(0, migrate(self, options));
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
	crossing_left(self->source, "db", 0);
}

static void goes_on_here(FIXTURE_DATA(faulty) *self, const char *dest_state)
{
	crossing_rows(self->pair, self->move.id, "RESUMED", dest_state);
	crossing_undone(self->pair, "db");
}

/* The process that does it says so, with the migration's id. */
static void told(FIXTURE_DATA(faulty) *self, const struct host *host, const char *spec)
{
	char log[16384] = "", line[200];

	host_log(host, "straddled.log", log, sizeof(log));
	snprintf(line, sizeof(line), "injected fault %s, time 1 at that point, migration %s",
		 spec, self->move.id);
	EXPECT_NE(NULL, strstr(log, line)) {
		TH_LOG("'%s' is not in the log: %s", line, log);
	}
}

TEST_F(faulty, truncated_prepare_is_nothing)
{
	if (!begin(self, PAIR_PLAIN, "prepare:truncate", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_EQ(1, fault_struck(self->source, "prepare:truncate"));
	told(self, self->source, "prepare:truncate");
	goes_on_here(self, "");
	arrives(self, LIVE);
}

/* Lost with its connection, whole or in part: it is asked for again. */
static void answer_lost(FIXTURE_DATA(faulty) *self, const char *spec)
{
	if (!begin(self, PAIR_PLAIN, NULL, spec))
		return;
	arrives(self, POST_COPY);
	EXPECT_EQ(1, fault_struck(self->dest, spec));
	told(self, self->dest, spec);
}

TEST_F(faulty, answer_lost_with_its_connection_is_not_the_end)
{
	answer_lost(self, "finish.answer:cut-before");
}

TEST_F(faulty, truncated_answer_is_not_the_end)
{
	answer_lost(self, "finish.answer:truncate");
}

TEST_F(faulty, connection_cut_after_the_answer_is_not_the_end)
{
	answer_lost(self, "finish.answer:cut-after");
}

/*
 * The lanes break while the source asks, and are made again once it holds.
 * Fails, more often than not, when the lanes that are made then find an order
 * to push that was given without any: the dest drops what they send.
 */
TEST_F(faulty, lanes_that_break_before_the_answer_are_made_again)
{
	if (!begin(self, PAIR_PLAIN, "finish.fault.run:cut-before",
		   "finish.answer:delay=300ms"))
		return;
	arrives(self, POST_COPY ",\"push_lanes\":8");
	EXPECT_EQ(1, fault_struck(self->source, "finish.fault.run:cut-before"));
}

/* Fails when a run's digest is not looked at: the walk finds the bit. */
static void flipped(FIXTURE_DATA(faulty) *self, enum pair_security security)
{
	if (!begin(self, security, "fault.data:flip=body,push.data:flip=body/#5", NULL))
		return;
	arrives(self, POST_COPY);
	EXPECT_EQ(1, fault_struck(self->source, "fault.data:flip=body"));
	EXPECT_EQ(1, fault_struck(self->source, "push.data:flip=body/#5"));
}

TEST_F(faulty, flipped_run_is_asked_for_again)
{
	flipped(self, PAIR_PLAIN);
}

TEST_F(faulty, flipped_run_inside_of_tls_is_asked_for_again)
{
	flipped(self, PAIR_PSK);
}

/* The phase tells a round from the push after the switch. */
TEST_F(faulty, flipped_run_of_a_round_ends_the_migration)
{
	if (!begin(self, PAIR_PLAIN, "perform.push.data:flip=body,finish.run:drop", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_EQ(1, fault_struck(self->source, "perform.push.data:flip=body"));
	EXPECT_EQ(0, fault_struck(self->source, "finish.run:drop"));
	goes_on_here(self, "DISCARDED");
}

TEST_F(faulty, flipped_run_of_the_push_is_asked_for_again)
{
	if (!begin(self, PAIR_PLAIN, "confirm.push.data:flip=body,perform.run:drop", NULL))
		return;
	arrives(self, POST_COPY);
	EXPECT_EQ(0, fault_struck(self->source, "perform.run:drop"));
	EXPECT_EQ(1, fault_struck(self->source, "confirm.push.data:flip=body"));
}

/* What is lost or changed while its connection lives: asked for again. */
static void not_the_end(FIXTURE_DATA(faulty) *self, const char *source, const char *dest)
{
	const struct host *whose;
	const char *spec = source ? source : dest;

	if (!begin(self, PAIR_PLAIN, source, dest))
		return;
	whose = source ? self->source : self->dest;
	arrives(self, POST_COPY);
	EXPECT_EQ(1, fault_struck(whose, spec));
}

TEST_F(faulty, lost_answer_is_asked_for_again)
{
	not_the_end(self, NULL, "finish.answer:drop");
}

TEST_F(faulty, lost_complete_is_asked_for_again)
{
	not_the_end(self, NULL, "confirm.answer:drop");
}

TEST_F(faulty, answer_with_another_bit_is_none)
{
	not_the_end(self, NULL, "answer:flip=body");
}

TEST_F(faulty, lost_run_of_the_push_is_sent_again)
{
	not_the_end(self, "confirm.push.run:drop", NULL);
}

TEST_F(faulty, lost_want_is_sent_again)
{
	not_the_end(self, NULL, "want:drop");
}

TEST_F(faulty, lost_answer_to_a_want_is_sent_again)
{
	not_the_end(self, "fault.run:drop", NULL);
}

/*
 * The guest touches next to nothing, so that a run is missing which nobody asks
 * for: the dest says so, and nothing but its word has the source send it again.
 */
static void word_lost(FIXTURE_DATA(faulty) *self, const char *spec)
{
	if (!begin(self, PAIR_PLAIN, "confirm.push.run:drop", spec))
		return;
	ASSERT_EQ(0, guest_set_rate(self->source, "db", 2, true, false, &self->fail));
	arrives(self, POST_COPY);
	EXPECT_EQ(1, fault_struck(self->dest, spec));
}

TEST_F_TIMEOUT(faulty, lost_word_of_a_break_is_said_again, 60)
{
	word_lost(self, "confirm.broken:drop");
}

TEST_F_TIMEOUT(faulty, word_of_a_break_lost_with_its_connection_is_said_again, 60)
{
	word_lost(self, "confirm.broken:cut-before");
}

TEST_F(faulty, lost_question_ends_the_migration)
{
	if (!begin(self, PAIR_PLAIN, "finish:drop", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, POST_COPY));
	EXPECT_EQ(1, fault_struck(self->source, "finish:drop"));
	goes_on_here(self, "DISCARDED");
}

/* Fails without the sum in the barrier: the guest walks into old pages. */
TEST_F(faulty, lost_run_of_a_round_ends_the_migration)
{
	if (!begin(self, PAIR_PLAIN, "perform.push.data:drop", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_EQ(1, fault_struck(self->source, "perform.push.data:drop"));
	goes_on_here(self, "DISCARDED");
}

TEST_F(faulty, device_state_with_another_bit_is_not_loaded)
{
	if (!begin(self, PAIR_PLAIN, "state:flip=body", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_NE(NULL, strstr(self->move.error, "not arrive as it was sent"));
	goes_on_here(self, "DISCARDED");
}

TEST_F(faulty, late_wants_and_lost_pings_cost_time_only)
{
	if (!begin(self, PAIR_PLAIN, "ping:drop/50%", "want:delay=5ms/50%,ping:drop/all"))
		return;
	arrives(self, POST_COPY);
	EXPECT_LT(0, fault_struck(self->dest, "want:delay=5ms/50%"));
}

TEST_F(faulty, full_disk_at_the_dest_lets_the_guest_go_on)
{
	if (!begin(self, PAIR_PLAIN, NULL, "journal.LOADED:fail=ENOSPC"))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_NE(NULL, strstr(self->move.error, "no space left"));
	EXPECT_EQ(1, fault_struck(self->dest, "journal.LOADED:fail=ENOSPC"));
	told(self, self->dest, "journal.LOADED:fail=ENOSPC");
	goes_on_here(self, "DISCARDED");
}

/*
 * The agent's death ends what moves; the next agent, started as the first was,
 * settles the row and does not die of the same fault.
 */
static void agent_dies_once(FIXTURE_DATA(faulty) *self, const char *spec)
{
	if (!begin(self, PAIR_PLAIN, spec, NULL))
		return;
	EXPECT_NE(0, migrate(self, LIVE));
	EXPECT_EQ(128 + SIGKILL, process_wait(self->pair->source_agent, WAIT_MS));
	told(self, self->source, spec);
	self->pair->source_agent = pair_start_agent(self->pair, self->source,
						    &self->fail);
	ASSERT_LT(0, self->pair->source_agent) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_EQ(1, fault_struck(self->source, spec));
	goes_on_here(self, "DISCARDED");
	arrives(self, LIVE);
	EXPECT_EQ(1, fault_struck(self->source, spec));
}

TEST_F_TIMEOUT(faulty, agent_killed_before_it_writes_stopped_dies_once, 60)
{
	agent_dies_once(self, "journal.STOPPED:kill");
}

TEST_F_TIMEOUT(faulty, agent_killed_after_it_wrote_stopped_dies_once, 60)
{
	agent_dies_once(self, "journal.STOPPED:kill-after");
}

TEST_F(faulty, worker_killed_before_it_stops_the_guest_dies_once)
{
	if (!begin(self, PAIR_PLAIN, "move.STOPPING:kill", NULL))
		return;
	EXPECT_EQ(-ECANCELED, migrate(self, LIVE));
	EXPECT_NE(NULL, strstr(self->move.error, "signal 9"));
	EXPECT_EQ(1, fault_struck(self->source, "move.STOPPING:kill"));
	goes_on_here(self, "DISCARDED");
	arrives(self, LIVE);
	EXPECT_EQ(1, fault_struck(self->source, "move.STOPPING:kill"));
}

TEST_F(faulty, status_tells_what_is_injected)
{
	char text[4096] = "";

	if (!begin(self, PAIR_PLAIN, "ping:drop/#1000", NULL))
		return;
	EXPECT_EQ(0, pair_straddle(self->pair, self->source,
				   (const char *const[]){ "status", NULL }, text,
				   sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "ping:drop/#1000, struck 0 times")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(-ENOENT, fault_struck(self->dest, "ping:drop/#1000"));
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
