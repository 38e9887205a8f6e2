// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * failures.c - aborts and deaths, in a round, after the stop and past GO.
 *
 * Up to GO the guest goes on at the source and the dest has nothing of it.
 * Past GO it runs there, and the source keeps its pages until the last one
 * has arrived.
 *
 * What breaks it, tried once each:
 * - prepare_undo_dest() does not destroy the guest: abort_lets_* find it.
 * - perform_undo_source() resumes whatever it stopped or not: a guest that
 *   was paused runs (abort_of_a_paused_*).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "lib/process.h"
#include "sys.h"
#include "uffd/sys.h"

#define WAIT_MS		20000

FIXTURE(failure) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(failure) {
	const char *options;
	enum owner_state state;		/* of the source, to strike in */
};

FIXTURE_VARIANT_ADD(failure, in_a_round) {
	.options = "\"live\":true,\"postcopy\":true,\"rounds_max\":1",
	.state = STATE_PERFORMING,
};

FIXTURE_VARIANT_ADD(failure, after_the_stop) {
	.options = "\"live\":false",
	.state = STATE_STOPPED,
};

FIXTURE_SETUP(failure)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, &crossing_slow,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	self->move.fd = -1;
	crossing_guest(self->pair, "db", NO_OPTIONS);
}

FIXTURE_TEARDOWN(failure)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void begin(FIXTURE_DATA(failure) *self, const char *options,
		  enum owner_state state)
{
	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address, options));
	ASSERT_EQ(0, move_wait_state(&self->move, state)) {
		TH_LOG("%s", self->move.error);
	}
	if (state <= STATE_STOPPED)
		ASSERT_EQ(0, move_wait_round(&self->move, 1));
}

static void tell(FIXTURE_DATA(failure) *self, const char *verb)
{
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"%s\",\"guest\":\"db\"}", verb)) {
		TH_LOG("%s", self->fail.text);
	}
}

/* Kill by pid and wait for the end, whoever's child it is. */
static void kill_and_wait(pid_t pid)
{
	int fd = pid > 0 ? sys_pidfd_open(pid) : -1;

	ASSERT_LE(0, fd) {
		TH_LOG("there is no process to kill");
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, sys_wait_fd(fd, POLLIN, WAIT_MS));
	close(fd);
}

static void kill_guest(FIXTURE_DATA(failure) *self, const struct host *host)
{
	struct guest_view view;

	ASSERT_EQ(0, guest_view_get(host, "db", &view, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	kill_and_wait(view.pid);
	guest_view_fini(&view);
}

static void goes_on(FIXTURE_DATA(failure) *self)
{
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_LT(0, strlen(self->move.error));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
}

static void agent_again(FIXTURE_DATA(failure) *self, const struct host *host,
			pid_t *agent)
{
	process_wait(*agent, -1);
	*agent = pair_start_agent(self->pair, host, &self->fail);
	ASSERT_LT(0, *agent) {
		TH_LOG("%s", self->fail.text);
	}
}

TEST_F(failure, abort_lets_the_guest_go_on)
{
	begin(self, variant->options, variant->state);
	tell(self, "abort");
	goes_on(self);
	EXPECT_NE(NULL, strstr(self->move.error, "aborted by the user"));
}

TEST_F(failure, abort_of_a_paused_guest_leaves_it_paused)
{
	struct guest_stats stats;

	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
	ASSERT_EQ(0, guest_verb(self->source, "db", "pause", &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address, variant->options));
	ASSERT_EQ(0, move_wait_round(&self->move, 1));
	tell(self, "abort");
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	ASSERT_EQ(0, guest_stats_get(self->source, "db", &stats, &self->fail));
	EXPECT_STREQ("paused", stats.state);
	crossing_left(self->dest, "db", 0);
}

TEST_F(failure, guest_that_dies_at_the_source_is_named)
{
	begin(self, variant->options, variant->state);
	kill_guest(self, self->source);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_NE(NULL, strstr(self->move.error, "guest 'db'"));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_left(self->source, "db", 0);
	crossing_left(self->dest, "db", 0);
}

TEST_F(failure, guest_that_dies_at_the_dest_goes_on_at_the_source)
{
	begin(self, variant->options, variant->state);
	kill_guest(self, self->dest);
	goes_on(self);
	EXPECT_NE(NULL, strstr(self->move.error, "guest 'db'"));
}

TEST_F(failure, dest_worker_that_dies_lets_the_guest_go_on)
{
	begin(self, variant->options, variant->state);
	kill_and_wait(host_worker(self->dest, "dest"));
	goes_on(self);
}

TEST_F(failure, source_worker_that_dies_lets_the_guest_go_on)
{
	begin(self, variant->options, variant->state);
	kill_and_wait(host_worker(self->source, "source"));
	goes_on(self);
}

TEST_F(failure, source_worker_that_dies_leaves_a_paused_guest_paused)
{
	struct guest_stats stats;

	ASSERT_EQ(0, guest_run_on(self->source, "db", 2000, &self->fail));
	ASSERT_EQ(0, guest_verb(self->source, "db", "pause", &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address, variant->options));
	ASSERT_EQ(0, move_wait_round(&self->move, 1));
	kill_and_wait(host_worker(self->source, "source"));
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	ASSERT_EQ(0, guest_stats_get(self->source, "db", &stats, &self->fail));
	EXPECT_STREQ("paused", stats.state);
	crossing_left(self->dest, "db", 0);
}

/* Its workers cannot journal any more; the next agent ends what they left. */
TEST_F_TIMEOUT(failure, dest_agent_that_dies_lets_the_guest_go_on, 60)
{
	begin(self, variant->options, variant->state);
	ASSERT_EQ(0, kill(self->pair->dest_agent, SIGKILL));
	agent_again(self, self->dest, &self->pair->dest_agent);
	goes_on(self);
}

TEST_F_TIMEOUT(failure, source_agent_that_dies_lets_the_guest_go_on, 60)
{
	begin(self, variant->options, variant->state);
	ASSERT_EQ(0, kill(self->pair->source_agent, SIGKILL));
	agent_again(self, self->source, &self->pair->source_agent);
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
}

TEST_F(failure, second_migrate_of_the_guest_is_refused)
{
	struct move second;

	begin(self, variant->options, variant->state);
	EXPECT_EQ(-EBUSY, move_start(&second, self->source, "db",
				     self->dest->address, "\"live\":true"));
	EXPECT_NE(NULL, strstr(second.error, "already"));
	EXPECT_NE(NULL, strstr(second.error, self->move.id));
	move_end(&second);
	tell(self, "abort");
	goes_on(self);
}

/* ---- in Begin ------------------------------------------------------------ */

FIXTURE(in_begin) {
	FIXTURE_DATA(failure) base;
	pid_t vmm;
};

/* A VMM that does not answer holds the source up in Begin. */
FIXTURE_SETUP(in_begin)
{
	FIXTURE_DATA(failure) *base = &self->base;
	struct guest_view view;

	fixture_setup_failure_body(base, NULL);
	ASSERT_EQ(0, guest_view_get(base->source, "db", &view, &base->fail));
	self->vmm = view.pid;
	guest_view_fini(&view);
	ASSERT_EQ(0, kill(self->vmm, SIGSTOP));
	ASSERT_EQ(0, move_start(&base->move, base->source, "db",
				base->dest->address, "\"live\":true"));
	ASSERT_EQ(0, move_wait_state(&base->move, STATE_NONE));
}

FIXTURE_TEARDOWN(in_begin)
{
	fixture_teardown_failure_body(&self->base, NULL);
}

TEST_F(in_begin, abort_lets_the_guest_go_on)
{
	FIXTURE_DATA(failure) *base = &self->base;

	tell(base, "abort");
	ASSERT_EQ(0, kill(self->vmm, SIGCONT));
	EXPECT_EQ(-ECANCELED, move_wait(&base->move));
	EXPECT_NE(NULL, strstr(base->move.error, "aborted by the user"));
	EXPECT_STREQ("RESUMED", base->move.state);
	crossing_undone(base->pair, "db");
}

TEST_F(in_begin, guest_that_dies_is_named)
{
	FIXTURE_DATA(failure) *base = &self->base;

	kill_and_wait(self->vmm);
	EXPECT_EQ(-ECANCELED, move_wait(&base->move));
	EXPECT_NE(NULL, strstr(base->move.error, "db"));
	crossing_left(base->source, "db", 0);
	crossing_left(base->dest, "db", 0);
}

/* ---- past GO ------------------------------------------------------------- */

FIXTURE(past_go) {
	FIXTURE_DATA(failure) base;
};

FIXTURE_SETUP(past_go)
{
	fixture_setup_failure_body(&self->base, NULL);
	begin(&self->base, "\"live\":true,\"postcopy\":true,\"rounds_max\":0",
	      STATE_HELD);
}

FIXTURE_TEARDOWN(past_go)
{
	fixture_teardown_failure_body(&self->base, NULL);
}

static void arrives(FIXTURE_DATA(failure) *self)
{
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
	crossing_left(self->source, "db", 0);
}

TEST_F_TIMEOUT(past_go, abort_comes_too_late, 60)
{
	struct fail fail = { 0 };

	EXPECT_EQ(-EALREADY, agent_ask(self->base.source, NULL, &fail,
				       "{\"do\":\"abort\",\"guest\":\"db\"}"));
	EXPECT_NE(NULL, strstr(fail.text, "cannot be aborted any more"));
	EXPECT_NE(NULL, strstr(fail.text, self->base.dest->address));
	arrives(&self->base);
}

TEST_F_TIMEOUT(past_go, guest_that_dies_at_the_source_is_served_on, 60)
{
	kill_guest(&self->base, self->base.source);
	arrives(&self->base);
}

TEST_F_TIMEOUT(past_go, guest_that_dies_at_the_dest_never_resumes_here, 60)
{
	struct guest_stats stats = { .state = "" };
	FIXTURE_DATA(failure) *base = &self->base;

	kill_guest(base, base->dest);
	EXPECT_EQ(-ECANCELED, move_wait(&base->move));
	EXPECT_STREQ("DIED_THERE", base->move.state);
	EXPECT_NE(NULL, strstr(base->move.error, "operator"));
	crossing_rows(base->pair, base->move.id, "DIED_THERE", "DIED");
	ASSERT_EQ(0, guest_stats_get(base->source, "db", &stats, &base->fail));
	EXPECT_STREQ("paused", stats.state);
	crossing_left(base->dest, "db", 0);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
