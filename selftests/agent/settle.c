/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.c - what an agent finds in its journal at start. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "lib/vmm.h"
#include "protocol/journal.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/textfile.h"

#define ID	"00112233445566778899aabbccddeeff"
#define UUID	"c0ffee00-0000-4000-8000-000000000001"
#define NOTE	"the agent was restarted in the middle of it"

/* The ways to every state that a row can be left in. */
static const enum owner_state ways[][8] = {
	{ STATE_BEGUN },
	{ STATE_BEGUN, STATE_PERFORMING },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED,
	  STATE_HELD },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED,
	  STATE_HELD, STATE_TEARING_DOWN },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_RESUMING },
	{ STATE_PREPARED },
	{ STATE_PREPARED, STATE_LOADED },
	{ STATE_PREPARED, STATE_LOADED, STATE_GO },
	{ STATE_PREPARED, STATE_LOADED, STATE_GO, STATE_RUNNING },
	{ STATE_PREPARED, STATE_LOADED, STATE_GO, STATE_RUNNING, STATE_COMPLETE },
};

static const enum owner_state *way_to(enum owner_state state)
{
	size_t i, j;

	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		for (j = 0; j < 8 && ways[i][j]; j++)
			if (ways[i][j] == state && (j == 7 || !ways[i][j + 1]))
				return ways[i];
	return NULL;
}

static void row_write(const struct agent_process *agent, enum owner_state state,
		      bool paused)
{
	const enum owner_state *way = way_to(state);
	struct journal_row row = {
		.id = ID, .guest = "moving", .uuid = UUID, .peer = "127.0.0.1:1",
		.paused = paused,
	};
	struct journal *journal;
	struct fail fail = { 0 };

	ASSERT_TRUE(way);
	row.state = way[0];
	row.side = owner_rule(state)->side;
	ASSERT_EQ(0, journal_open(agent->state_dir, &journal, &fail)) {
		TH_LOG("%s", fail.text);
	}
	ASSERT_EQ(0, journal_begin(journal, &row, &fail));
	for (way++; *way && row.state != state; way++) {
		ASSERT_EQ(0, journal_move(journal, ID, row.side, *way, NULL, &fail));
		row.state = *way;
	}
	journal_close(journal);
}

static void row_read(const struct agent_process *agent, enum side side,
		     struct journal_row *row)
{
	struct journal *journal;
	struct fail fail = { 0 };

	ASSERT_EQ(0, journal_open(agent->state_dir, &journal, &fail));
	ASSERT_EQ(0, journal_get(journal, ID, side, row, &fail));
	journal_close(journal);
}

FIXTURE(row)
{
	struct agent_process agent;
	struct test_vmm vmm;
};

FIXTURE_VARIANT(row)
{
	enum owner_state left, found;
};

FIXTURE_SETUP(row)
{
	agent_dirs(&self->agent, "a");
	row_write(&self->agent, variant->left, false);
}

FIXTURE_TEARDOWN(row)
{
	vmm_kill(&self->vmm);
}

/* Ended where this host alone can know how; left alone everywhere else. */
FIXTURE_VARIANT_ADD(row, begun) { STATE_BEGUN, STATE_RESUMED };
FIXTURE_VARIANT_ADD(row, performing) { STATE_PERFORMING, STATE_RESUMED };
FIXTURE_VARIANT_ADD(row, stopping) { STATE_STOPPING, STATE_RESUMED };
FIXTURE_VARIANT_ADD(row, stopped) { STATE_STOPPED, STATE_RESUMED };
FIXTURE_VARIANT_ADD(row, resuming) { STATE_RESUMING, STATE_RESUMED };
FIXTURE_VARIANT_ADD(row, asked) { STATE_ASKED, STATE_ASKED };
FIXTURE_VARIANT_ADD(row, held) { STATE_HELD, STATE_HELD };
FIXTURE_VARIANT_ADD(row, tearing_down) { STATE_TEARING_DOWN, STATE_TEARING_DOWN };
FIXTURE_VARIANT_ADD(row, prepared) { STATE_PREPARED, STATE_DISCARDED };
FIXTURE_VARIANT_ADD(row, loaded) { STATE_LOADED, STATE_DISCARDED };
FIXTURE_VARIANT_ADD(row, go) { STATE_GO, STATE_GO };
FIXTURE_VARIANT_ADD(row, running) { STATE_RUNNING, STATE_RUNNING };
FIXTURE_VARIANT_ADD(row, complete) { STATE_COMPLETE, STATE_COMPLETE };

TEST_F(row, whose_guest_is_gone_is_settled_as_the_table_says)
{
	struct json_object *answer, *open = NULL;
	struct journal_row row;

	ASSERT_EQ(0, agent_start(&self->agent, NULL)) {
		TH_LOG("%s", self->agent.log);
	}
	answer = agent_answer(&self->agent, "{\"do\":\"status\"}");
	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &open));
	EXPECT_EQ(variant->left == variant->found, json_object_array_length(open));
	json_object_put(answer);
	EXPECT_EQ(0, agent_stop(&self->agent));
	row_read(&self->agent, owner_rule(variant->left)->side, &row);
	EXPECT_STREQ(owner_state_name(variant->found), owner_state_name(row.state));
	EXPECT_STREQ(variant->left == variant->found ? "" : NOTE, row.error);
	journal_row_fini(&row);
}

/*
 * The worker was killed when it had stored the one that came with the guest.
 * Past GO that one stays, and what it replaced is given up.
 */
TEST_F(row, whose_definition_replaced_another_is_settled_as_well)
{
	bool undone = variant->found == STATE_DISCARDED;
	bool dest = owner_rule(variant->left)->side == SIDE_DEST;
	__cleanup_free char *now = NULL;
	char dir[400], path[420], old[420];

	snprintf(dir, sizeof(dir), "%s/definitions", self->agent.state_dir);
	snprintf(path, sizeof(path), "%s/moving.json", dir);
	snprintf(old, sizeof(old), "%s/.moving.json.old", dir);
	ASSERT_EQ(0, sys_ret(mkdir(dir, 0700)));
	ASSERT_EQ(0, textfile_write(path, "new", NULL));
	ASSERT_EQ(0, textfile_write(old, "old", NULL));
	ASSERT_EQ(0, agent_start(&self->agent, NULL)) {
		TH_LOG("%s", self->agent.log);
	}
	EXPECT_EQ(0, agent_stop(&self->agent));
	ASSERT_EQ(0, textfile_read(path, 10, &now, NULL));
	EXPECT_STREQ(undone ? "old" : "new", now);
	EXPECT_EQ(dest ? -ENOENT : 0, sys_ret(access(old, F_OK)));
}

/* Is "moving" listed, and how does it stand? NULL: it is not. */
static const char *guest_state(const struct agent_process *agent, char *state, size_t size)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"list\"}");
	struct json_object *guests = NULL, *guest;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "guests", &guests));
	if (!json_object_array_length(guests)) {
		json_object_put(answer);
		return NULL;
	}
	guest = json_object_array_get_idx(guests, 0);
	snprintf(state, size, "%s", json_text(guest, "state") ?: "");
	json_object_put(answer);
	return state;
}

FIXTURE(guest)
{
	struct agent_process agent;
	struct test_vmm vmm;
};

FIXTURE_VARIANT(guest)
{
	enum owner_state left;
	const char *uuid;
	bool before;			/* it was paused before Begin */
	const char *how;		/* the guest waits */
	const char *found;		/* NULL: it is gone */
};

FIXTURE_SETUP(guest)
{
	const char *more[] = {
		"--engine", "threads", "--memory", "16M", "--workload", "idle",
		"--uuid", variant->uuid, variant->how, NULL
	};
	struct test_vmm_options options = { .run_dir = self->agent.run_dir, .more = more };

	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, mkdir(self->agent.run_dir, 0700));
	row_write(&self->agent, variant->left, variant->before);
	ASSERT_EQ(0, vmm_spawn(&self->vmm, "moving", &options)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
	ASSERT_EQ(0, agent_start(&self->agent, NULL)) {
		TH_LOG("%s", self->agent.log);
	}
}

FIXTURE_TEARDOWN(guest)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
	vmm_kill(&self->vmm);
}

#define OTHER_UUID "c0ffee00-0000-4000-8000-000000000002"

FIXTURE_VARIANT_ADD(guest, stopping) { STATE_STOPPING, UUID, false, "--paused", "running" };
FIXTURE_VARIANT_ADD(guest, stopped) { STATE_STOPPED, UUID, false, "--paused", "running" };
FIXTURE_VARIANT_ADD(guest, resuming) { STATE_RESUMING, UUID, false, "--paused", "running" };
FIXTURE_VARIANT_ADD(guest, paused_stopped) {
	STATE_STOPPED, UUID, true, "--paused", "paused"
};
/* The dest may run it: it must not go on here. */
FIXTURE_VARIANT_ADD(guest, asked) { STATE_ASKED, UUID, false, "--paused", "paused" };
FIXTURE_VARIANT_ADD(guest, held) { STATE_HELD, UUID, false, "--paused", "paused" };
FIXTURE_VARIANT_ADD(guest, prepared) { STATE_PREPARED, UUID, false, "--incoming", NULL };
FIXTURE_VARIANT_ADD(guest, loaded) { STATE_LOADED, UUID, false, "--incoming", NULL };
FIXTURE_VARIANT_ADD(guest, go) { STATE_GO, UUID, false, "--incoming", "incoming" };
/* Another guest that has its name is none of the migration's business. */
FIXTURE_VARIANT_ADD(guest, other_stopped) {
	STATE_STOPPED, OTHER_UUID, false, "--paused", "paused"
};
FIXTURE_VARIANT_ADD(guest, other_loaded) {
	STATE_LOADED, OTHER_UUID, false, "--incoming", "incoming"
};
/* Nor is one that runs: it was not made by it. */
FIXTURE_VARIANT_ADD(guest, running_loaded) { STATE_LOADED, UUID, false, "--verbose", "running" };

TEST_F(guest, is_resumed_destroyed_or_left_as_the_table_says)
{
	char state[16];

	EXPECT_STREQ(variant->found, guest_state(&self->agent, state, sizeof(state)));
}

TEST_HARNESS_MAIN
