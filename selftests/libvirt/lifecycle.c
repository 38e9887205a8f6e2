// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * lifecycle.c - what its owner does with a domain on its way is heard.
 *
 * At once, and not when the migration happens to look: what it says of the
 * domain, and where it will run, follows.
 */
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "mishap.h"
#include "selftests/lib/traces.h"

#define TRIES		200
#define TRY_MS		50
/* It does not converge, and goes on until it is told to switch. */
#define ROUNDS		"\"live\":true,\"persistent\":true"

FIXTURE(lifecycle) {
	struct mishap m;
};

FIXTURE_SETUP(lifecycle)
{
	static const struct domain domain;

	mishap_up(&self->m, &domain);
}

FIXTURE_TEARDOWN(lifecycle)
{
	mishap_down(&self->m);
}

static void virsh(struct virt_host *virt, const char *verb)
{
	EXPECT_EQ(0, mishap_sh(virt, VIRSH "%s " JOURNEY_GUEST, verb));
}

/* The source says so before a second round begins. */
static void told(FIXTURE_DATA(lifecycle) *self, const char *words)
{
	struct move *move = &self->m.journey.move;

	while (!strstr(move->progress.note, words))
		ASSERT_EQ(0, move_next(move)) {
			TH_LOG("ended, and last said '%s'", move->progress.note);
		}
	EXPECT_GE(1, move->progress.round);
}

static bool status_has(struct virt_host *virt, const char *words)
{
	struct json_object *answer;
	bool has;

	ASSERT_EQ(0, agent_ask(virt->host, &answer, NULL, "{\"do\":\"status\"}"));
	has = strstr(json_object_to_json_string(answer), words);
	json_object_put(answer);
	return has;
}

static void begin(FIXTURE_DATA(lifecycle) *self)
{
	struct move *move = &self->m.journey.move;

	ASSERT_EQ(0, move_start(move, self->m.source->host, JOURNEY_GUEST,
				self->m.dest->host->address, ROUNDS));
	/* In a round: while tracking begins, it stands still by our doing. */
	ASSERT_EQ(0, move_wait_state(move, STATE_PERFORMING) ||
		     move_wait_round(move, 1)) {
		TH_LOG("%s", move->error);
	}
}

/* It stood still, and runs again: so it will there. */
static void resumed(FIXTURE_DATA(lifecycle) *self)
{
	virsh(self->m.source, "resume");
	told(self, "somebody resumed guest");
	ASSERT_EQ(0, agent_ask(self->m.source->host, NULL, NULL,
			       "{\"do\":\"postcopy\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	mishap_arrives(&self->m);
}

static void paused_and_resumed(FIXTURE_DATA(lifecycle) *self)
{
	virsh(self->m.source, "suspend");
	told(self, "somebody paused guest");
	resumed(self);
}

TEST_F_TIMEOUT(lifecycle, pause_in_a_round_is_told_at_once, JOURNEY_TIMEOUT_S)
{
	begin(self);
	paused_and_resumed(self);
}

TEST_F_TIMEOUT(lifecycle, restarted_libvirtd_is_heard_again, JOURNEY_TIMEOUT_S)
{
	begin(self);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->m.source, SIGKILL));
	mishap_libvirtd(&self->m, self->m.source);
	paused_and_resumed(self);
}

/* It was paused before it began to be moved. */
TEST_F_TIMEOUT(lifecycle, paused_one_that_is_resumed_runs_there, JOURNEY_TIMEOUT_S)
{
	virsh(self->m.source, "suspend");
	begin(self);
	resumed(self);
}

/* What is to become of it then is known to the agent. */
TEST_F_TIMEOUT(lifecycle, one_that_was_paused_stays_so_if_its_worker_dies, JOURNEY_TIMEOUT_S)
{
	struct virt_host *source = self->m.source;
	char state[64] = "";
	pid_t worker;

	begin(self);
	virsh(source, "suspend");
	told(self, "somebody paused guest");
	worker = host_worker(source->host, "source");
	ASSERT_LT(0, worker);
	mishap_kill(worker);
	EXPECT_EQ(0, host_settle(source->host));
	EXPECT_EQ(0, domain_state(source, JOURNEY_GUEST, state, sizeof(state)));
	EXPECT_STREQ("paused", state);
	virsh(source, "resume");
	mishap_goes_on(&self->m, "worker died");
}

TEST_F_TIMEOUT(lifecycle, pause_of_one_that_arrived_is_told, JOURNEY_TIMEOUT_S)
{
	int i;

	mishap_begin(&self->m, "\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
		     "\"persistent\":true", STATE_HELD);
	virsh(self->m.dest, "suspend");
	for (i = 0; i < TRIES && !status_has(self->m.dest, "somebody paused guest"); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_GT(TRIES, i);
	virsh(self->m.dest, "resume");
	mishap_arrives(&self->m);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
