/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settle.c - what an agent finds in its journal at start. */
#include <dirent.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "lib/vmm.h"
#include "protocol/channel.h"
#include "protocol/journal.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/textfile.h"

#define ID	"00112233445566778899aabbccddeeff"
#define UUID	"c0ffee00-0000-4000-8000-000000000001"
#define TRIES	400
#define TRY_MS	25
#define ROWS	100	/* each has a worker that asks */
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
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED,
	  STATE_TEARING_DOWN, STATE_TORN_DOWN },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_RESUMING },
	{ STATE_BEGUN, STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED,
	  STATE_TAKING_BACK, STATE_TAKEN_BACK },
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

static struct journal *journal_of(const struct agent_process *agent)
{
	struct journal *journal;
	struct fail fail = { 0 };

	ASSERT_EQ(0, journal_open(agent->state_dir, &journal, &fail)) {
		TH_LOG("%s", fail.text);
	}
	return journal;
}

static void row_add(struct journal *journal, struct journal_row *row,
		    enum owner_state state)
{
	const enum owner_state *way = way_to(state);

	ASSERT_TRUE(way);
	row->state = way[0];
	row->side = owner_rule(state)->side;
	ASSERT_EQ(0, journal_begin(journal, row, NULL));
	for (way++; *way && row->state != state; way++) {
		ASSERT_EQ(0, journal_move(journal, row->id, row->side, *way, NULL, NULL));
		row->state = *way;
	}
}

static void row_write_of(const struct agent_process *agent, enum owner_state state,
			 pid_t guest_pid, const char *process, bool paused)
{
	struct journal_row row = {
		.id = ID, .guest = "moving", .uuid = UUID, .peer = "127.0.0.1:1",
		.guest_pid = guest_pid, .paused = paused,
	};
	struct journal *journal = journal_of(agent);

	/* Whoever comes without TLS. */
	memset(row.peer_digest, '0', sizeof(row.peer_digest) - 1);
	row_add(journal, &row, state);
	ASSERT_EQ(0, journal_process(journal, ID, row.side, process, NULL));
	journal_close(journal);
}

static void row_write(const struct agent_process *agent, enum owner_state state,
		      bool paused)
{
	row_write_of(agent, state, 0, "", paused);
}

static void row_read(const struct agent_process *agent, enum side side,
		     struct journal_row *row)
{
	struct journal *journal = journal_of(agent);

	ASSERT_EQ(0, journal_get(journal, ID, side, row, NULL));
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
FIXTURE_VARIANT_ADD(row, tearing_down) { STATE_TEARING_DOWN, STATE_TORN_DOWN };
FIXTURE_VARIANT_ADD(row, prepared) { STATE_PREPARED, STATE_DISCARDED };
FIXTURE_VARIANT_ADD(row, loaded) { STATE_LOADED, STATE_DISCARDED };
FIXTURE_VARIANT_ADD(row, go) { STATE_GO, STATE_DIED };
FIXTURE_VARIANT_ADD(row, running) { STATE_RUNNING, STATE_DIED };
FIXTURE_VARIANT_ADD(row, complete) { STATE_COMPLETE, STATE_DONE };

/* What status tells a list or a number of. */
static size_t status_count(const struct agent_process *agent, const char *what)
{
	struct json_object *answer, *told = NULL;
	size_t count;

	answer = agent_answer(agent, "{\"do\":\"status\"}");
	ASSERT_TRUE(answer && json_object_object_get_ex(answer, what, &told));
	count = json_object_is_type(told, json_type_array) ? json_object_array_length(told)
							    : json_object_get_uint64(told);
	json_object_put(answer);
	return count;
}

static size_t rows_open(const struct agent_process *agent)
{
	return status_count(agent, "migrations");
}

static bool row_is(const struct agent_process *agent, enum owner_state state)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"history\"}");
	struct json_object *rows = NULL;
	bool is;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &rows));
	ASSERT_EQ(1, json_object_array_length(rows));
	is = !strcmp(owner_state_name(state),
		     json_text(json_object_array_get_idx(rows, 0), "state"));
	json_object_put(answer);
	return is;
}

/* A worker may have to see to it; status lists what is left to do, then. */
static void settled(struct agent_process *agent, enum owner_state found)
{
	bool listed = !owner_rule(found)->ended || owner_is_heralded(found);
	int tries;

	ASSERT_EQ(0, agent_start(agent, NULL)) {
		TH_LOG("%s", agent->log);
	}
	/* Who has written that is listed until it has ended, too. */
	for (tries = 0; tries < TRIES && (!row_is(agent, found) || rows_open(agent) != listed);
	     tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(listed, rows_open(agent));
	EXPECT_EQ(0, agent_stop(agent));
}

TEST_F(row, whose_guest_is_gone_is_settled_as_the_table_says)
{
	struct journal_row row;

	settled(&self->agent, variant->found);
	row_read(&self->agent, owner_rule(variant->left)->side, &row);
	EXPECT_STREQ(owner_state_name(variant->found), owner_state_name(row.state));
	if (variant->found == STATE_DIED)
		EXPECT_TRUE(strstr(row.error, "ended here"));
	else if (variant->found == STATE_RESUMED || variant->found == STATE_DISCARDED)
		EXPECT_STREQ(NOTE, row.error);
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
	settled(&self->agent, variant->found);
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

/* The guest first, so that the agent finds it. */
static void guest_start(const struct agent_process *agent, struct test_vmm *vmm,
			const char *name, const char *uuid, const char *how)
{
	const char *more[] = {
		"--engine", "threads", "--memory", "16M", "--workload", "idle",
		"--uuid", uuid, how, NULL
	};
	struct test_vmm_options options = { .run_dir = agent->run_dir, .more = more };

	ASSERT_EQ(0, mkdir(agent->run_dir, 0700));
	ASSERT_EQ(0, vmm_spawn(vmm, name, &options)) {
		TH_LOG("%s", vmm->fail.text);
	}
}

FIXTURE_SETUP(guest)
{
	agent_dirs(&self->agent, "a");
	row_write(&self->agent, variant->left, variant->before);
	guest_start(&self->agent, &self->vmm, "moving", variant->uuid, variant->how);
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

/* ---- a process that is not the row's --------------------------------------- */

FIXTURE(another)
{
	struct agent_process agent;
	struct test_vmm vmm;
};

FIXTURE_SETUP(another)
{
	agent_dirs(&self->agent, "a");
}

FIXTURE_TEARDOWN(another)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
	vmm_kill(&self->vmm);
}

/* It has the name and the UUID of the one that was made, which is gone. */
TEST_F(another, process_is_not_ended)
{
	char state[16];

	row_write_of(&self->agent, STATE_LOADED, 0, "2 1 an-earlier-boot", false);
	guest_start(&self->agent, &self->vmm, "moving", UUID, "--incoming");
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	EXPECT_STREQ("incoming", guest_state(&self->agent, state, sizeof(state)));
}

/* It has the number that the guest's process had. */
TEST_F(another, process_is_not_continued)
{
	guest_start(&self->agent, &self->vmm, "bystander", OTHER_UUID, "--paused");
	row_write_of(&self->agent, STATE_STOPPED, self->vmm.pid, "2 1 an-earlier-boot", false);
	ASSERT_EQ(0, kill(self->vmm.pid, SIGSTOP));
	EXPECT_EQ(self->vmm.pid, waitpid(self->vmm.pid, NULL, WUNTRACED));
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	EXPECT_EQ(0, rows_open(&self->agent));
	EXPECT_EQ(0, waitpid(self->vmm.pid, NULL, WCONTINUED | WNOHANG));
}

/* But for its standard ones. */
static int descriptors(pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int count = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	ASSERT_NE(NULL, fds);
	while ((entry = readdir(fds)))
		count += atoi(entry->d_name) > STDERR_FILENO;
	closedir(fds);
	return count;
}

/* It hears strangers, and has no steward to leave those descriptors to. */
TEST_F(another, process_is_named_by_no_worker_that_answers)
{
	uint8_t id[MIGRATION_ID_SIZE];
	struct preamble preamble;
	int fd, tries, pid = 0;

	row_write(&self->agent, STATE_COMPLETE, false);
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	fd = agent_connect_peer(&self->agent, "127.0.0.1");
	ASSERT_LE(0, fd);
	ASSERT_LE(0, migration_id_from_text(ID, id));
	preamble_init(&preamble, ROLE_CONTROL, 0, id);
	ASSERT_EQ(0, sys_write_all(fd, &preamble, sizeof(preamble)));
	ASSERT_TRUE(agent_says(&self->agent, "answer worker "));
	sscanf(strstr(self->agent.log, "answer worker "), "answer worker %d", &pid);
	/* Its agent's two, the broker's, and what we hold the other end of. */
	for (tries = 0; tries < TRIES && descriptors(pid) != 4; tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(4, descriptors(pid));
	close(fd);
	EXPECT_TRUE(agent_says(&self->agent, ": a question about it: "));
}

/* ---- a guest that does not answer ----------------------------------------- */

FIXTURE(silent)
{
	struct agent_process agent;
	struct test_vmm vmm;
};

static void silent_start(struct agent_process *agent, struct test_vmm *vmm)
{
	guest_start(agent, vmm, "moving", UUID, "--paused");
	ASSERT_EQ(0, kill(vmm->pid, SIGSTOP));
	ASSERT_EQ(0, agent_start(agent, NULL)) {
		TH_LOG("%s", agent->log);
	}
}

FIXTURE_SETUP(silent)
{
	agent_dirs(&self->agent, "a");
	row_write(&self->agent, STATE_STOPPED, false);
	silent_start(&self->agent, &self->vmm);
}

FIXTURE_TEARDOWN(silent)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
	vmm_kill(&self->vmm);
}

/* Its row waits, and is settled when it answers; nobody else waits for it. */
TEST_F_TIMEOUT(silent, guest_is_resumed_when_it_answers_again, 60)
{
	char state[16];
	int tries;

	EXPECT_EQ(1, rows_open(&self->agent));
	ASSERT_EQ(0, kill(self->vmm.pid, SIGCONT));
	for (tries = 0; tries < 2 * TRIES && rows_open(&self->agent); tries++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, rows_open(&self->agent));
	EXPECT_STREQ("running", guest_state(&self->agent, state, sizeof(state)));
}

TEST_F_TIMEOUT(silent, guest_that_is_listed_holds_up_nobody, 60)
{
	int fd = agent_connect_control(&self->agent);
	struct json_object *list;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, line_send(fd, "{\"do\":\"list\"}"));
	/* The agent has read that before this, which it answers. */
	EXPECT_EQ(1, rows_open(&self->agent));
	EXPECT_EQ(-ETIMEDOUT, sys_wait_fd(fd, POLLIN, 0));
	ASSERT_EQ(0, kill(self->vmm.pid, SIGCONT));
	list = line_receive(fd);
	ASSERT_TRUE(list);
	EXPECT_STREQ("list", json_text(list, "type") ?: "");
	json_object_put(list);
	close(fd);
}

TEST_F(silent, guest_that_is_listed_by_who_leaves_is_no_harm)
{
	int fd = agent_connect_control(&self->agent);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, line_send(fd, "{\"do\":\"list\"}"));
	ASSERT_EQ(0, line_send(fd, "{\"do\":\"list\"}"));
	close(fd);
	ASSERT_EQ(0, kill(self->vmm.pid, SIGCONT));
	EXPECT_LE(0, (int)rows_open(&self->agent));
}

FIXTURE(ended)
{
	int unused;
};

FIXTURE_VARIANT(ended)
{
	enum owner_state state;
	const char *told;
};

FIXTURE_SETUP(ended)
{
	(void)self;
	(void)variant;
}

FIXTURE_TEARDOWN(ended)
{
	(void)self;
}

FIXTURE_VARIANT_ADD(ended, taken_back) {
	STATE_TAKEN_BACK, "127.0.0.1:1 has not heard so"
};
FIXTURE_VARIANT_ADD(ended, torn_down) {
	STATE_TORN_DOWN, "127.0.0.1:1 has not said that it knows"
};

/* Whose dest does not hear of it, for as long as it takes. */
TEST_F(ended, is_told_to_the_dest_and_takes_no_place)
{
	static const char *const one[] = { "--workers", "1", NULL };
	struct agent_process agent;
	char text[4096];

	(void)self;
	agent_dirs(&agent, "a");
	row_write(&agent, variant->state, false);
	ASSERT_EQ(0, agent_start(&agent, one)) {
		TH_LOG("%s", agent.log);
	}
	EXPECT_EQ(1, status_count(&agent, "workers"));
	EXPECT_EQ(0, agent_straddle(&agent, (const char *const[]){ "status", NULL }, text,
				    sizeof(text)));
	EXPECT_TRUE(strstr(text, variant->told)) {
		TH_LOG("%s", text);
	}
	EXPECT_NE(0, agent_straddle(&agent, (const char *const[]){
				    "migrate", "other", "127.0.0.1:2", NULL }, text,
				    sizeof(text)));
	EXPECT_FALSE(strstr(text, "which is the limit")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, agent_stop(&agent));
}

/* Where nothing is known of it, nothing is to be let go of. */
TEST(torn_down_is_heard_where_no_row_tells_of_it)
{
	struct agent_process source, dest;
	struct journal_row row = { .id = ID, .guest = "moving", .uuid = UUID };
	struct journal *journal;
	int i;

	agent_dirs(&dest, "b");
	ASSERT_EQ(0, agent_start(&dest, NULL));
	agent_dirs(&source, "a");
	snprintf(row.peer, sizeof(row.peer), "127.0.0.1:%u", dest.port);
	journal = journal_of(&source);
	row_add(journal, &row, STATE_TORN_DOWN);
	journal_close(journal);
	ASSERT_EQ(0, agent_start(&source, NULL));
	for (i = 0; i < TRIES && rows_open(&source); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, rows_open(&source));
	EXPECT_EQ(0, agent_stop(&source));
	EXPECT_EQ(0, agent_stop(&dest));
}

FIXTURE(many)
{
	struct agent_process agent;
	struct test_vmm vmm;
};

FIXTURE_SETUP(many)
{
	struct journal *journal;
	int i;

	agent_dirs(&self->agent, "a");
	journal = journal_of(&self->agent);
	for (i = 1; i <= ROWS; i++) {
		struct journal_row row = { .guest = "moving", .peer = "127.0.0.1:1" };

		snprintf(row.id, sizeof(row.id), "%032x", i);
		snprintf(row.uuid, sizeof(row.uuid), "c0ffee00-0000-4000-8000-%012x", i);
		row_add(journal, &row, STATE_STOPPED);
	}
	journal_close(journal);
	silent_start(&self->agent, &self->vmm);
}

FIXTURE_TEARDOWN(many)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
	vmm_kill(&self->vmm);
}

/*
 * All are of a guest of that name, which has to be asked whether it is theirs: each
 * was tried in vain before it answers, and is tried again then.
 */
TEST_F_TIMEOUT(many, rows_are_all_settled_in_the_end, 120)
{
	int i;

	for (i = 0; i < 4 * TRIES && status_count(&self->agent, "workers"); i++) {
		agent_unheard(&self->agent);
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_EQ(ROWS, rows_open(&self->agent));
	ASSERT_EQ(0, kill(self->vmm.pid, SIGCONT));
	for (i = 0; i < 4 * TRIES && rows_open(&self->agent); i++) {
		agent_unheard(&self->agent);
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_EQ(0, rows_open(&self->agent));
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
