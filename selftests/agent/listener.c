/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listener.c - what strangers send to the agent's port costs nothing. */
#include <endian.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "log.h"
#include "protocol/channel.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define PER_ADDRESS	16	/* connections that have said nothing yet */
#define IN_ALL		64
#define WAIT_MS		20000

FIXTURE(listener)
{
	struct agent_process agent;
};

FIXTURE_SETUP(listener)
{
	static const char *const more[] = {
		"--listen", "127.0.0.1:0", "--workers", "4", NULL
	};

	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, more)) {
		TH_LOG("%s", self->agent.log);
	}
}

/* Whatever a test did: the agent does its work, and ends in order. */
FIXTURE_TEARDOWN(listener)
{
	EXPECT_TRUE(agent_lives(&self->agent));
	EXPECT_EQ(0, agent_stop(&self->agent));
}

static int peer(struct agent_process *agent)
{
	int fd = agent_connect_peer(agent, "127.0.0.1");

	ASSERT_LE(0, fd);
	return fd;
}

/* A preamble as it is on the wire; its id is all @fill. */
static void preamble_send_as(int fd, unsigned int version, unsigned int role, int fill)
{
	uint8_t id[MIGRATION_ID_SIZE];
	struct preamble preamble;

	memset(id, fill, sizeof(id));
	preamble_init(&preamble, ROLE_CONTROL, 0, id);
	preamble.version = htole16((uint16_t)version);
	preamble.role = htole16((uint16_t)role);
	ASSERT_EQ(0, sys_write_all(fd, &preamble, sizeof(preamble)));
}

/* The agent's verdict on a connection, or -errno. */
static int verdict(int fd)
{
	struct preamble_reply reply;
	int ret = sys_wait_fd(fd, POLLIN, WAIT_MS);

	if (!ret)
		ret = sys_read_all(fd, &reply, sizeof(reply));
	if (ret)
		return ret;
	EXPECT_EQ(0, memcmp(reply.magic, "STRADDLE", 8));
	EXPECT_EQ(STRADDLE_VERSION, le16toh(reply.version));
	return le16toh(reply.verdict);
}

static size_t history_length(struct agent_process *agent)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"history\"}");
	struct json_object *rows = NULL;
	size_t length;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &rows));
	length = json_object_array_length(rows);
	json_object_put(answer);
	return length;
}

TEST_F(listener, garbage_is_closed)
{
	char garbage[sizeof(struct preamble)];
	int fd = peer(&self->agent);

	memset(garbage, 'x', sizeof(garbage));
	ASSERT_EQ(0, sys_write_all(fd, garbage, sizeof(garbage)));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
	EXPECT_TRUE(agent_says(&self->agent, "a connection from 127.0.0.1:"));
	EXPECT_TRUE(agent_says(&self->agent, " is refused: the peer does not speak"));
}

TEST_F(listener, a_lot_of_garbage_is_closed)
{
	static char garbage[1 << 20];
	int fd = peer(&self->agent);

	memset(garbage, 0xff, sizeof(garbage));
	/* It may be closed before all of it is sent. */
	(void)sys_retry(send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
}

TEST_F(listener, other_version_is_told_ours)
{
	int fd = peer(&self->agent);

	preamble_send_as(fd, STRADDLE_VERSION + 1, ROLE_CONTROL, 1);
	EXPECT_EQ(PREAMBLE_VERSION, verdict(fd));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
}

TEST_F(listener, unknown_role_is_closed)
{
	int fd = peer(&self->agent);

	preamble_send_as(fd, STRADDLE_VERSION, 99, 1);
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
}

TEST_F(listener, lane_of_no_migration_is_turned_away)
{
	int fd = peer(&self->agent);

	preamble_send_as(fd, STRADDLE_VERSION, ROLE_PUSH, 1);
	EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(fd));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
	EXPECT_TRUE(agent_says(&self->agent, "a lane from 127.0.0.1:"));
	EXPECT_TRUE(agent_says(&self->agent, " is refused: its migration 01010101"));
}

static unsigned int count(const char *text, const char *part)
{
	unsigned int found = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		found++;
	}
	return found;
}

/* Lanes of no migration. */
static void strangers_come(struct agent_process *agent, int times)
{
	while (times--) {
		int fd = peer(agent);

		preamble_send_as(fd, STRADDLE_VERSION, ROLE_PUSH, 1);
		EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(fd));
		close(fd);
	}
}

/* Who comes without end is not told of without end. */
TEST_F(listener, log_of_refusals_is_bounded)
{
	struct json_object *answer;

	strangers_come(&self->agent, 10 * LOG_LIMIT);
	/* What has nothing to do with them is logged, behind them. */
	answer = agent_answer(&self->agent, "{\"do\":\"migrate\",\"options\":"
			      "{\"guest\":\"nobody\",\"host\":\"127.0.0.1:1\"}}");
	json_object_put(answer);
	EXPECT_TRUE(agent_says(&self->agent, "source worker "));
	EXPECT_LE(LOG_LIMIT, count(self->agent.log, "a lane from"));
	EXPECT_GT(5 * LOG_LIMIT, count(self->agent.log, "a lane from"));
}

/* Nobody comes after the last ones. */
TEST_F(listener, agent_that_ends_says_how_many_refusals_it_left_out)
{
	strangers_come(&self->agent, 2 * LOG_LIMIT);
	EXPECT_EQ(0, agent_stop(&self->agent));
	EXPECT_TRUE(strstr(self->agent.log, " more lines were left out: of refusals of ")) {
		TH_LOG("%s", self->agent.log);
	}
	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
}

TEST_F(listener, half_a_preamble_and_silence_is_closed)
{
	int fd = peer(&self->agent);

	ASSERT_EQ(0, sys_write_all(fd, "STRADDLE", 8));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
	EXPECT_TRUE(agent_says(&self->agent, " is refused: it did not say what it is for"));
}

TEST_F(listener, half_a_preamble_and_end_of_file_is_closed)
{
	int fd = peer(&self->agent);

	ASSERT_EQ(0, sys_write_all(fd, "STRADDLE", 8));
	ASSERT_EQ(0, shutdown(fd, SHUT_WR));
	EXPECT_EQ(0, wait_for_end(fd));
	close(fd);
}

TEST_F(listener, preamble_in_single_bytes_is_taken)
{
	uint8_t id[MIGRATION_ID_SIZE] = { 7 };
	struct preamble preamble;
	int fd = peer(&self->agent);
	size_t i;

	preamble_init(&preamble, ROLE_FAULT, 0, id);
	preamble.version = htole16(preamble.version);
	preamble.role = htole16(preamble.role);
	for (i = 0; i < sizeof(preamble); i++)
		ASSERT_EQ(0, sys_write_all(fd, (char *)&preamble + i, 1));
	EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(fd));
	close(fd);
}

TEST_F(listener, one_address_takes_only_its_share)
{
	int fds[PER_ADDRESS], other, late;
	unsigned int i;

	for (i = 0; i < PER_ADDRESS; i++)
		fds[i] = peer(&self->agent);
	late = peer(&self->agent);
	EXPECT_EQ(PREAMBLE_BUSY, verdict(late));
	EXPECT_TRUE(agent_says(&self->agent, " is refused: too many peers connect"));
	/* Another address is served all the same. */
	other = agent_connect_peer(&self->agent, "127.0.0.2");
	ASSERT_LE(0, other);
	preamble_send_as(other, STRADDLE_VERSION, ROLE_PUSH, 1);
	EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(other));
	/* And a place that was left can be taken. */
	close(late);
	preamble_send_as(fds[0], STRADDLE_VERSION, ROLE_PUSH, 1);
	EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(fds[0]));
	EXPECT_EQ(0, wait_for_end(fds[0]));
	late = peer(&self->agent);
	preamble_send_as(late, STRADDLE_VERSION, ROLE_PUSH, 1);
	EXPECT_EQ(PREAMBLE_UNKNOWN, verdict(late));
	for (i = 0; i < PER_ADDRESS; i++)
		close(fds[i]);
	close(late);
	close(other);
}

TEST_F(listener, all_addresses_have_a_limit_together)
{
	int fds[IN_ALL], late;
	char from[16];
	unsigned int i;

	for (i = 0; i < IN_ALL; i++) {
		snprintf(from, sizeof(from), "127.0.0.%u", 2 + i / PER_ADDRESS);
		fds[i] = agent_connect_peer(&self->agent, from);
		ASSERT_LE(0, fds[i]);
	}
	late = agent_connect_peer(&self->agent, "127.0.0.200");
	ASSERT_LE(0, late);
	EXPECT_EQ(PREAMBLE_BUSY, verdict(late));
	for (i = 0; i < IN_ALL; i++)
		close(fds[i]);
	close(late);
}

TEST_F(listener, garbage_for_a_worker_leaves_nothing_behind)
{
	char garbage[256];
	int fd = peer(&self->agent);

	preamble_send_as(fd, STRADDLE_VERSION, ROLE_CONTROL, 3);
	EXPECT_EQ(PREAMBLE_WELCOME, verdict(fd));
	memset(garbage, 0xee, sizeof(garbage));
	(void)sys_retry(send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL));
	EXPECT_EQ(0, wait_for_end(fd));
	EXPECT_EQ(0, history_length(&self->agent));
	close(fd);
}

/* Two of the four workers are kept for who has more to say than a preamble. */
TEST_F(listener, strangers_take_half_of_the_workers_at_most)
{
	int fds[2], late, i;

	for (i = 0; i < 2; i++) {
		fds[i] = peer(&self->agent);
		preamble_send_as(fds[i], STRADDLE_VERSION, ROLE_CONTROL, 10 + i);
		EXPECT_EQ(PREAMBLE_WELCOME, verdict(fds[i]));
	}
	late = peer(&self->agent);
	preamble_send_as(late, STRADDLE_VERSION, ROLE_CONTROL, 20);
	EXPECT_EQ(PREAMBLE_BUSY, verdict(late));
	close(late);
	for (i = 0; i < 2; i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
