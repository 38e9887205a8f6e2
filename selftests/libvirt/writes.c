// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * writes.c - killed before or after what is journalled of libvirt's migration.
 *
 * The cells of the matrix of faults (selftests/faults) that need a domain. An
 * agent is killed where it writes, a worker where it asks for that; who comes
 * next says where the guest is, and there it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "harness.h"
#include "mishap.h"
#include "moving.h"
#include "selftests/lib/process.h"
#include "selftests/lib/traces.h"

#define TRIES		1200
#define TRY_MS		50
#define PAUSED_MS	30000	/* for the agent to hear of it */

FIXTURE(write) {
	struct moving moving;
	struct move move;
};

FIXTURE_VARIANT(write) {
	const char *inject;
	const char *state;		/* how it has to end; NULL: either way */
	bool is_short;
};

#define CELL(name, ...) FIXTURE_VARIANT_ADD(write, name) { __VA_ARGS__ }

CELL(delegated_agent_before, "journal.DELEGATED:kill", "RESUMED", false);
CELL(delegated_agent_after, "journal.DELEGATED:kill-after", NULL, true);
CELL(delegated_worker_before, "move.DELEGATED:kill", "RESUMED", false);
CELL(delegated_worker_after, "move.DELEGATED:kill-after", NULL, false);
CELL(moved_agent_before, "journal.MOVED:kill", "MOVED", true);
CELL(moved_agent_after, "journal.MOVED:kill-after", "MOVED", false);
CELL(moved_worker_before, "move.MOVED:kill", "MOVED", false);
CELL(moved_worker_after, "move.MOVED:kill-after", "MOVED", false);

FIXTURE_SETUP(write)
{
	self->move.fd = -1;
	if (!variant->is_short && !test_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	moving_up(&self->moving, false);
}

FIXTURE_TEARDOWN(write)
{
	move_end(&self->move);
	moving_down(&self->moving);
}

/* As systemd would; a worker that dies needs none. */
static void agent_mend(struct moving *moving)
{
	if (process_wait(moving->agent, 0) == -ETIMEDOUT)
		return;
	moving->agent = moving_agent(moving, moving->source, NULL);
}

static void ends(struct moving *moving, const char *id, char *state, size_t size)
{
	const struct owner_rule *rule = NULL;
	int i;

	for (i = 0; i < TRIES && !(rule && rule->ended); i++) {
		poll(NULL, 0, TRY_MS);
		agent_mend(moving);
		row_state(moving->source->host, id, SIDE_SOURCE, state, size);
		rule = owner_rule(owner_state_named(state));
	}
	EXPECT_GT(TRIES, i);
}

TEST_F_TIMEOUT(write, is_what_became_of_the_guest, TIMEOUT_S)
{
	struct moving *moving = &self->moving;
	char state[32] = "", log[16384] = "";

	process_stop(moving->agent);
	moving->agent = moving_agent(moving, moving->source, variant->inject);
	moving_guest(moving, 10);
	moving_start(moving, &self->move, "\"live\":true");
	move_wait(&self->move);
	ends(moving, self->move.id, state, sizeof(state));
	host_log(moving->source->host, "straddled.log", log, sizeof(log));
	EXPECT_TRUE(strstr(log, "injected fault"));
	if (variant->state)
		EXPECT_STREQ(variant->state, state);
	if (!strcmp(state, "MOVED"))
		moving_arrived(moving);
	else
		moving_is_at(moving->source, moving->dest);
	EXPECT_EQ(0, host_settle(moving->source->host));
	EXPECT_EQ(0, host_files(moving->source->host, "testament."));
	EXPECT_EQ(0, host_files(moving->source->host, "worker."));
}

/* ---- that its owner paused it -------------------------------------------- */

FIXTURE(pause) {
	struct mishap m;
};

FIXTURE_VARIANT(pause) {
	const char *inject;
	bool is_written;
};

FIXTURE_VARIANT_ADD(pause, before) { "journal.paused:kill", false };
FIXTURE_VARIANT_ADD(pause, after) { "journal.paused:kill-after", true };

FIXTURE_SETUP(pause)
{
	static const struct domain domain;

	self->m.journey.move.fd = -1;
	if (!test_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	mishap_up(&self->m, &domain);
}

FIXTURE_TEARDOWN(pause)
{
	mishap_down(&self->m);
}

/* It stays where it is; and paused, if that was written. */
TEST_F_TIMEOUT(pause, is_known_to_the_next_agent, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->m.journey;
	char state[64] = "";

	process_stop(journey->agents[0]);
	journey->agents[0] = journey_agent(self->m.source, variant->inject);
	mishap_begin(&self->m, "\"live\":true,\"persistent\":true", STATE_PERFORMING);
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "suspend " JOURNEY_GUEST));
	EXPECT_NE(-ETIMEDOUT, process_wait(journey->agents[0], PAUSED_MS));
	journey->agents[0] = journey_agent(self->m.source, NULL);
	EXPECT_EQ(0, host_settle(self->m.source->host));
	EXPECT_EQ(0, domain_state(self->m.source, JOURNEY_GUEST, state, sizeof(state)));
	if (variant->is_written)
		EXPECT_STREQ("paused", state);
	if (!strcmp(state, "paused"))
		EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "resume " JOURNEY_GUEST));
	mishap_stays(&self->m);
}

TEST_HARNESS_MAIN
