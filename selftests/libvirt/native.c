// SPDX-License-Identifier: LGPL-2.1-or-later
/* native.c - libvirt's own migration under our command, and its policy. */
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "moving.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define TRY_MS		50
#define TRIES		1200

FIXTURE(native) {
	struct moving moving;
};

FIXTURE_SETUP(native)
{
	moving_up(&self->moving, false);
}

FIXTURE_TEARDOWN(native)
{
	moving_down(&self->moving);
}

TEST_F_TIMEOUT(native, idle_guest_goes_by_precopy, TIMEOUT_S)
{
	struct move move;

	moving_guest(&self->moving, 10);
	moving_start(&self->moving, &move, "\"live\":true,\"postcopy\":true");
	EXPECT_EQ(0, move_wait(&move)) {
		TH_LOG("%s", move.error);
	}
	move_end(&move);
	EXPECT_STREQ("MOVED", move.state);
	EXPECT_EQ(ENGINE_NATIVE, move.progress.engine);
	EXPECT_FALSE(move.progress.postcopy);
	EXPECT_LT(0, move.progress.round);
	EXPECT_LT(0, move.progress.downtime_ns);
	EXPECT_LT(0, move.progress.round_bytes);
	EXPECT_LE(192u << 20, move.progress.memory_bytes);
	moving_row(&self->moving, &move, "MOVED");
	moving_arrived(&self->moving);
}

TEST_F_TIMEOUT(native, busy_guest_is_switched_by_prediction, TIMEOUT_S)
{
	struct move move;

	ASSERT_EQ(0, two_hosts_limit(self->moving.ground.hosts, &moving_slow, self->moving.fail));
	moving_guest(&self->moving, 20000);
	moving_start(&self->moving, &move, "\"live\":true,\"postcopy\":true");
	EXPECT_EQ(0, move_wait(&move)) {
		TH_LOG("%s", move.error);
	}
	move_end(&move);
	EXPECT_TRUE(move.progress.postcopy);
	EXPECT_NE(NULL, strstr(move.progress.note,
			       "does not converge, switching to post-copy")) {
		TH_LOG("%s", move.progress.note);
	}
	EXPECT_LT(0, move.progress.push_bytes);
	moving_row(&self->moving, &move, "MOVED");
	moving_arrived(&self->moving);
}

/* A guest that QEMU alone would never get across. */
TEST_F_LONG(native, busy_guest_is_stopped_when_time_is_up, TIMEOUT_S)
{
	struct move move;

	ASSERT_EQ(0, two_hosts_limit(self->moving.ground.hosts, &moving_slow, self->moving.fail));
	moving_guest(&self->moving, 20000);
	moving_start(&self->moving, &move, "\"live\":true,\"timeout_ns\":3000000000");
	EXPECT_EQ(0, move_wait(&move)) {
		TH_LOG("%s", move.error);
	}
	move_end(&move);
	EXPECT_FALSE(move.progress.postcopy);
	EXPECT_NE(NULL, strstr(move.progress.note, "time is up, stopping")) {
		TH_LOG("%s", move.progress.note);
	}
	moving_arrived(&self->moving);
}

TEST_F_LONG(native, user_switches_and_aborts_no_more, TIMEOUT_S)
{
	struct move move;

	ASSERT_EQ(0, two_hosts_limit(self->moving.ground.hosts, &moving_slow, self->moving.fail));
	moving_guest(&self->moving, 10);
	moving_start(&self->moving, &move, "\"live\":true,\"postcopy\":true,\"bandwidth\":2097152,"
	      "\"postcopy_bandwidth\":2097152");
	ASSERT_EQ(0, move_wait_round(&move, 1));
	ASSERT_EQ(0, agent_ask(self->moving.source->host, NULL, self->moving.fail,
			       "{\"do\":\"postcopy\",\"guest\":\"" GUEST "\"}"));
	while (!move.progress.postcopy && !move_next(&move))
		;
	EXPECT_TRUE(move.progress.postcopy);
	EXPECT_EQ(-EALREADY, agent_ask(self->moving.source->host, NULL, self->moving.fail,
				       "{\"do\":\"abort\",\"guest\":\"" GUEST "\"}"));
	EXPECT_EQ(0, agent_ask(self->moving.source->host, NULL, self->moving.fail,
			       "{\"do\":\"bandwidth\",\"guest\":\"" GUEST "\","
			       "\"bytes\":0}"));
	EXPECT_EQ(0, move_wait(&move)) {
		TH_LOG("%s", move.error);
	}
	move_end(&move);
	EXPECT_NE(NULL, strstr(move.progress.note, "as asked")) {
		TH_LOG("%s", move.progress.note);
	}
	moving_arrived(&self->moving);
}

TEST_F_TIMEOUT(native, aborted_guest_stays_here, TIMEOUT_S)
{
	struct move move;

	moving_guest(&self->moving, 10);
	moving_start(&self->moving, &move, "\"live\":true,\"bandwidth\":1048576");
	ASSERT_EQ(0, move_wait_round(&move, 1));
	ASSERT_EQ(0, agent_ask(self->moving.source->host, NULL, self->moving.fail,
			       "{\"do\":\"abort\",\"guest\":\"" GUEST "\"}"));
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	EXPECT_STREQ("RESUMED", move.state);
	EXPECT_NE(NULL, strstr(move.error, "aborted by the user")) {
		TH_LOG("%s", move.error);
	}
	moving_row(&self->moving, &move, "RESUMED");
	moving_is_at(self->moving.source, self->moving.dest);
}

TEST_F_TIMEOUT(native, wrong_uri_is_refused_and_the_guest_stays, TIMEOUT_S)
{
	struct move move;

	moving_guest(&self->moving, 10);
	strcpy(self->moving.way, "\"engine\":\"native\",\"dest_uri\":"
	       "\"qemu+unix:///system?socket=/nowhere\"");
	moving_start(&self->moving, &move, "\"live\":true");
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	EXPECT_STREQ("RESUMED", move.state);
	EXPECT_NE(NULL, strstr(move.error, "libvirt says")) {
		TH_LOG("%s", move.error);
	}
	EXPECT_NE(NULL, strstr(move.error, "/nowhere"));
	moving_row(&self->moving, &move, "RESUMED");
	moving_is_at(self->moving.source, self->moving.dest);
}

/* libvirt goes on without us; the row ends when it has. */
TEST_F_LONG(native, row_ends_when_its_worker_was_killed, TIMEOUT_S)
{
	char state[32] = "";
	struct move move;
	pid_t worker;
	int i;

	moving_guest(&self->moving, 10);
	moving_start(&self->moving, &move, "\"live\":true,\"bandwidth\":8388608");
	ASSERT_EQ(0, move_wait_round(&move, 1));
	worker = host_worker(self->moving.source->host, "source");
	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	EXPECT_STREQ("DELEGATED", move.state);
	for (i = 0; i < TRIES && strcmp(state, "MOVED"); i++) {
		poll(NULL, 0, TRY_MS);
		row_state(self->moving.source->host, move.id, SIDE_SOURCE, state,
			  sizeof(state));
	}
	EXPECT_STREQ("MOVED", state);
	moving_arrived(&self->moving);
}

TEST_F_TIMEOUT(native, command_and_history_show_it, TIMEOUT_S)
{
	struct virt_host *source = self->moving.source;
	char agent[256], text[4096] = "";
	const char *const migrate[] = {
		"straddle", "--agent", agent, "migrate", GUEST,
		self->moving.dest->host->address, "--live", "--verbose",
		"--engine", "native", "--desturi", self->moving.uri, NULL
	};
	const char *const history[] = { "straddle", "--agent", agent, "history",
					NULL };

	moving_guest(&self->moving, 10);
	snprintf(agent, sizeof(agent), "%s/straddled.sock", source->host->run_dir);
	EXPECT_EQ(0, virt_host_run(source, migrate, text, sizeof(text), NULL));
	EXPECT_NE(NULL, strstr(text, "Perform: round 1, "));
	EXPECT_NE(NULL, strstr(text, "guest '" GUEST "' runs on "));
	EXPECT_NE(NULL, strstr(text, "engine          native (libvirt)")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, virt_host_run(source, history, text, sizeof(text), NULL));
	EXPECT_NE(NULL, strstr(text, "MOVED")) {
		TH_LOG("%s", text);
	}
	moving_arrived(&self->moving);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
