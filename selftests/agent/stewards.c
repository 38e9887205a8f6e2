// SPDX-License-Identifier: LGPL-2.1-or-later
/* stewards.c - stewards that were killed in a call, and whose agent has others to serve. */
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent_process.h"
#include "harness.h"
#include "protocol/journal.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define ROWS	80
#define TRIES	800	/* 25 ms apart */
#define TRY_MS	25

FIXTURE(stewards)
{
	struct agent_process agent;
	int lock[ROWS];
};

/* Of a migration whose agent is gone as well, before anything was asked. */
static void row_write(struct journal *journal, int number)
{
	struct journal_row row = {
		.guest = "moving", .peer = "127.0.0.1:1", .state = STATE_BEGUN,
		.side = SIDE_SOURCE,
	};

	snprintf(row.id, sizeof(row.id), "%032x", number + 1);
	snprintf(row.uuid, sizeof(row.uuid), "c0ffee00-0000-4000-8000-%012x", number + 1);
	ASSERT_EQ(0, journal_begin(journal, &row, NULL));
}

/* As a steward does that lives: we are all of them. */
static int steward_be(const struct agent_process *agent, int number)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/steward.%032x.source", agent->run_dir, number + 1);
	fd = sys_ret(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_ret(fcntl(fd, F_SETLK, &lock)));
	return fd;
}

FIXTURE_SETUP(stewards)
{
	struct journal *journal;
	int i;

	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, sys_ret(mkdir(self->agent.run_dir, 0700)));
	ASSERT_EQ(0, journal_open(self->agent.state_dir, &journal, NULL));
	for (i = 0; i < ROWS; i++) {
		row_write(journal, i);
		self->lock[i] = steward_be(&self->agent, i);
	}
	journal_close(journal);
}

FIXTURE_TEARDOWN(stewards)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
}

/* How many rows status lists that wait for one. */
static int rows_waiting(const struct agent_process *agent)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"status\"}"), *rows = NULL;
	size_t i;
	int count = 0;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &rows));
	for (i = 0; i < json_object_array_length(rows); i++) {
		const char *problem = json_text(json_object_array_get_idx(rows, i), "problem");

		count += problem && strstr(problem, "has not ended yet");
	}
	json_object_put(answer);
	return count;
}

/*
 * An agent that waited at each, once at its start and again whenever it tries, would
 * come to nothing else. Each row goes on when its steward has ended.
 */
TEST_F(stewards, hold_up_their_own_rows_only)
{
	int i;

	ASSERT_EQ(0, agent_start(&self->agent, NULL)) {
		TH_LOG("%s", self->agent.log);
	}
	EXPECT_EQ(ROWS, rows_waiting(&self->agent));
	close(self->lock[0]);
	for (i = 0; i < TRIES && rows_waiting(&self->agent) == ROWS; i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(ROWS - 1, rows_waiting(&self->agent));
	for (i = 1; i < ROWS; i++)
		close(self->lock[i]);
	for (i = 0; i < TRIES && rows_waiting(&self->agent); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, rows_waiting(&self->agent));
}

TEST_HARNESS_MAIN
