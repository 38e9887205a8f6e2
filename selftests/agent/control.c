/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - the control socket answers everything, and holds out. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "lib/process.h"
#include "log.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define LINE_MAX_BYTES	65536	/* of a request */
#define PREAMBLE_BYTES	32	/* of a peer */
#define CLIENTS		64	/* 32, and one for each worker */

FIXTURE(control)
{
	struct agent_process agent;
	int fd;
};

FIXTURE_SETUP(control)
{
	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, NULL)) {
		TH_LOG("%s", self->agent.log);
	}
	self->fd = agent_connect_control(&self->agent);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(control)
{
	close(self->fd);
	EXPECT_TRUE(agent_lives(&self->agent));
	EXPECT_EQ(0, agent_stop(&self->agent));
}

/* The next line of @fd is of that type; true also says that "ok" fits it. */
static bool answer_is(int fd, const char *type, const char *error)
{
	struct json_object *answer = line_receive(fd), *ok = NULL;
	const char *got = answer ? json_text(answer, "type") : NULL;
	const char *text = answer ? json_text(answer, "error") : NULL;
	bool is = got && !strcmp(got, type) &&
		  json_object_object_get_ex(answer, "ok", &ok) &&
		  json_object_get_boolean(ok) == !error &&
		  (!error || (text && strstr(text, error)));

	if (!is)
		TH_LOG("got %s", answer ? json_object_to_json_string(answer) : "nothing");
	json_object_put(answer);
	return is;
}

TEST_F(control, list_status_and_history_are_json)
{
	ASSERT_EQ(0, line_send(self->fd, "{\"do\":\"list\"}"));
	EXPECT_TRUE(answer_is(self->fd, "list", NULL));
	ASSERT_EQ(0, line_send(self->fd, "{\"do\":\"status\"}"));
	EXPECT_TRUE(answer_is(self->fd, "status", NULL));
	ASSERT_EQ(0, line_send(self->fd, "{\"do\":\"history\",\"count\":3}"));
	EXPECT_TRUE(answer_is(self->fd, "history", NULL));
}

TEST_F(control, requests_in_one_packet_are_answered_in_order)
{
	ASSERT_EQ(0, line_send(self->fd, "{\"do\":\"history\"}\n{\"do\":\"list\"}"));
	EXPECT_TRUE(answer_is(self->fd, "history", NULL));
	EXPECT_TRUE(answer_is(self->fd, "list", NULL));
}

TEST_F(control, request_in_single_bytes_is_answered)
{
	static const char request[] = "{\"do\":\"list\"}\n";
	size_t i;

	for (i = 0; i < sizeof(request) - 1; i++)
		ASSERT_EQ(0, sys_write_all(self->fd, request + i, 1));
	EXPECT_TRUE(answer_is(self->fd, "list", NULL));
}

TEST_F(control, line_without_end_is_cut_off)
{
	static char line[LINE_MAX_BYTES];

	memset(line, ' ', sizeof(line));
	ASSERT_EQ(0, sys_write_all(self->fd, line, sizeof(line)));
	EXPECT_TRUE(answer_is(self->fd, "error", "64 KiB"));
	EXPECT_EQ(0, wait_for_end(self->fd));
}

TEST_F(control, who_leaves_in_the_middle_of_a_line_is_forgotten)
{
	ASSERT_EQ(0, sys_write_all(self->fd, "{\"do\":", 6));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(0, wait_for_end(self->fd));
}

/* Asks, and never reads: the agent keeps a bounded part of its answers. */
TEST_F(control, who_does_not_read_is_cut_off)
{
	static const char ask[] = "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n";
	ssize_t sent;

	do {
		sent = sys_retry(send(self->fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL));
	} while (sent > 0);
	EXPECT_EQ(-EPIPE, sent);
	EXPECT_TRUE(agent_says(&self->agent, "does not read"));
}

static bool is_served(int fd)
{
	return !line_send(fd, "{\"do\":\"status\"}") && answer_is(fd, "status", NULL);
}

/* Whoever is silent shuts nobody out, and of those the longest silent goes. */
TEST_F(control, silent_clients_give_way)
{
	int fds[CLIENTS + 1], i;

	/* One is open already, and has a word with the agent in the middle. */
	for (i = 0; i < CLIENTS - 1; i++) {
		fds[i] = agent_connect_control(&self->agent);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_TRUE(is_served(fds[0]));
	EXPECT_TRUE(is_served(self->fd));
	for (; i < CLIENTS + 1; i++) {
		fds[i] = agent_connect_control(&self->agent);
		ASSERT_LE(0, fds[i]);
		EXPECT_TRUE(is_served(fds[i]));
	}
	for (i = 1; i <= 2; i++) {
		EXPECT_TRUE(answer_is(fds[i], "error", "too many clients"));
		EXPECT_EQ(0, wait_for_end(fds[i]));
	}
	EXPECT_TRUE(is_served(fds[0]));
	EXPECT_TRUE(is_served(fds[3]));
	for (i = 0; i < CLIENTS + 1; i++)
		close(fds[i]);
}

/* What it is told, in a process of that user; NULL: it could not connect. */
static void stranger_ask(const struct agent_process *agent, uid_t uid, char *text, size_t size)
{
	int answer[2], fd;
	ssize_t got;
	pid_t pid;

	ASSERT_EQ(0, pipe2(answer, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* It may have been turned away before it asks. */
		signal(SIGPIPE, SIG_IGN);
		if (setresuid(uid, uid, uid))
			_exit(1);
		fd = agent_connect_control(agent);
		if (fd < 0)
			_exit(2);
		(void)line_send(fd, "{\"do\":\"list\"}");
		got = sys_retry(recv(fd, text, size - 1, 0));
		_exit(got < 0 ? 3 : sys_write_all(answer[1], text, (size_t)got) ? 4 : 0);
	}
	close(answer[1]);
	EXPECT_EQ(0, process_wait(pid, 10000));
	got = sys_retry(read(answer[0], text, size - 1));
	close(answer[0]);
	ASSERT_LE(0, got);
	text[got] = '\0';
}

/* The folders that lead to the socket, too: they are of this test only. */
static void socket_open_to_all(const struct agent_process *agent)
{
	ASSERT_EQ(0, chmod(test_dir(), 0711));
	ASSERT_EQ(0, chmod(agent->run_dir, 0711));
	ASSERT_EQ(0, chmod(agent->socket, 0666));
}

/* The mode of the socket alone would let it in here. */
TEST_F(control, another_user_is_told_that_it_may_not)
{
	char said[512];

	if (geteuid())
		SKIP(return, "no right to be another user: run as root");
	socket_open_to_all(&self->agent);
	stranger_ask(&self->agent, 65534, said, sizeof(said));
	EXPECT_TRUE(strstr(said, "\"ok\":false,\"errno\":13,")) {
		TH_LOG("it was told: %s", said);
	}
	EXPECT_TRUE(strstr(said, "user 65534 may not command this agent"));
	EXPECT_FALSE(strstr(said, "\"type\":\"list\""));
	EXPECT_TRUE(agent_says(&self->agent, "user 65534 may not command this agent"));
	stranger_ask(&self->agent, 0, said, sizeof(said));
	EXPECT_TRUE(strstr(said, "\"type\":\"list\""));
}

/* Whoever reaches the port could else try the control socket unseen. */
TEST_F(control, another_user_is_logged_whoever_else_is_refused)
{
	char garbage[PREAMBLE_BYTES], said[512];
	int i;

	if (geteuid())
		SKIP(return, "no right to be another user: run as root");
	socket_open_to_all(&self->agent);
	memset(garbage, 'x', sizeof(garbage));
	for (i = 0; i < LOG_LIMIT + 5; i++) {
		int fd = agent_connect_peer(&self->agent, "127.0.0.1");

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, sys_write_all(fd, garbage, sizeof(garbage)));
		EXPECT_EQ(0, wait_for_end(fd));
		close(fd);
	}
	stranger_ask(&self->agent, 65534, said, sizeof(said));
	EXPECT_TRUE(strstr(said, "user 65534 may not command this agent"));
	EXPECT_TRUE(agent_says(&self->agent, "user 65534 may not command this agent"));
}

TEST_F(control, migration_of_no_guest_says_so)
{
	struct json_object *answer;
	const char *type;

	ASSERT_EQ(0, line_send(self->fd, "{\"do\":\"migrate\",\"options\":"
			       "{\"guest\":\"nobody\",\"host\":\"127.0.0.1:1\"}}"));
	EXPECT_TRUE(answer_is(self->fd, "started", NULL));
	while ((answer = line_receive(self->fd))) {
		type = json_text(answer, "type");
		ASSERT_TRUE(type);
		if (!strcmp(type, "result"))
			break;
		json_object_put(answer);
	}
	ASSERT_TRUE(answer);
	ASSERT_TRUE(json_text(answer, "error"));
	EXPECT_TRUE(strstr(json_text(answer, "error"), "nobody"));
	EXPECT_NULL(json_text(answer, "state"));
	json_object_put(answer);
}

FIXTURE(bad)
{
	struct agent_process agent;
};

FIXTURE_VARIANT(bad)
{
	const char *line;
	const char *error;
};

FIXTURE_SETUP(bad)
{
	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
}

FIXTURE_TEARDOWN(bad)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
}

#define MIGRATE(options) "{\"do\":\"migrate\",\"options\":" options "}"

FIXTURE_VARIANT_ADD(bad, garbage) { "\x01\xff{{{", "no JSON object" };
FIXTURE_VARIANT_ADD(bad, empty) { "", "no JSON object" };
FIXTURE_VARIANT_ADD(bad, array) { "[1]", "no JSON object" };
FIXTURE_VARIANT_ADD(bad, two) { "{} {}", "no JSON object" };
FIXTURE_VARIANT_ADD(bad, deep) {
	"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	"no JSON object"
};
FIXTURE_VARIANT_ADD(bad, no_verb) { "{}", "no such verb" };
FIXTURE_VARIANT_ADD(bad, verb) { "{\"do\":\"dance\"}", "no such verb 'dance'" };
FIXTURE_VARIANT_ADD(bad, verb_type) { "{\"do\":7}", "no such verb" };
FIXTURE_VARIANT_ADD(bad, migrate) { "{\"do\":\"migrate\"}", "options" };
FIXTURE_VARIANT_ADD(bad, options) { MIGRATE("7"), "options" };
FIXTURE_VARIANT_ADD(bad, no_guest) { MIGRATE("{\"host\":\"h\"}"), "no name of a guest" };
FIXTURE_VARIANT_ADD(bad, path) {
	MIGRATE("{\"host\":\"h\",\"guest\":\"../x\"}"), "no name of a guest"
};
FIXTURE_VARIANT_ADD(bad, no_host) { MIGRATE("{\"guest\":\"g\"}"), "no host" };
FIXTURE_VARIANT_ADD(bad, host) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h:99999\"}"), "no address"
};
FIXTURE_VARIANT_ADD(bad, port) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h:0\"}"), "nobody listens on port 0"
};
FIXTURE_VARIANT_ADD(bad, port_recover) {
	"{\"do\":\"recover\",\"guest\":\"g\",\"to\":\"h:0\"}", "nobody listens on port 0"
};
FIXTURE_VARIANT_ADD(bad, bool_type) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"live\":1}"), "'live'"
};
FIXTURE_VARIANT_ADD(bad, option) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"post_copy\":true}"),
	"'post_copy' is not an option of 'migrate'"
};
FIXTURE_VARIANT_ADD(bad, migrate_key) {
	"{\"do\":\"migrate\",\"options\":{},\"live\":true}", "'migrate' takes no 'live'"
};
FIXTURE_VARIANT_ADD(bad, status_key) {
	"{\"do\":\"status\",\"guset\":\"g\"}", "'status' takes no 'guset'"
};
FIXTURE_VARIANT_ADD(bad, list_key) { "{\"do\":\"list\",\"\":0}", "'list' takes no ''" };
FIXTURE_VARIANT_ADD(bad, negative) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"bandwidth\":-1}"), "'bandwidth'"
};
FIXTURE_VARIANT_ADD(bad, too_large) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"push_lanes\":4294967296}"), "'push_lanes'"
};
FIXTURE_VARIANT_ADD(bad, name_of_enum) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"timeout_action\":\"x\"}"),
	"'timeout_action'"
};
FIXTURE_VARIANT_ADD(bad, long_name) {
	MIGRATE("{\"guest\":\"ggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg"
		"ggggggggg\",\"host\":\"h\"}"), "'guest' is too long"
};
FIXTURE_VARIANT_ADD(bad, postcopy_missing) {
	MIGRATE("{\"guest\":\"g\",\"host\":\"h\",\"postcopy_after_precopy\":true}"),
	"needs --postcopy"
};
FIXTURE_VARIANT_ADD(bad, abort) { "{\"do\":\"abort\"}", "no migration under way" };
FIXTURE_VARIANT_ADD(bad, abort_guest) {
	"{\"do\":\"abort\",\"guest\":\"g\"}", "guest 'g' has no migration"
};
FIXTURE_VARIANT_ADD(bad, postcopy) {
	"{\"do\":\"postcopy\",\"guest\":\"g\"}", "guest 'g' has no migration"
};
FIXTURE_VARIANT_ADD(bad, bandwidth) {
	"{\"do\":\"bandwidth\",\"guest\":\"g\"}", "needs 'bytes'"
};
FIXTURE_VARIANT_ADD(bad, bandwidth_guest) {
	"{\"do\":\"bandwidth\",\"guest\":\"g\",\"bytes\":1}", "guest 'g' has no migration"
};
FIXTURE_VARIANT_ADD(bad, status_guest) {
	"{\"do\":\"status\",\"guest\":\"g\"}", "guest 'g' has no migration"
};
FIXTURE_VARIANT_ADD(bad, count) { "{\"do\":\"history\",\"count\":0}", "from 1 to" };
FIXTURE_VARIANT_ADD(bad, count_type) { "{\"do\":\"history\",\"count\":\"x\"}", "from 1 to" };

TEST_F(bad, request_is_answered_and_the_next_one_served)
{
	int fd = agent_connect_control(&self->agent);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, line_send(fd, variant->line));
	EXPECT_TRUE(answer_is(fd, "error", variant->error));
	ASSERT_EQ(0, line_send(fd, "{\"do\":\"list\"}"));
	EXPECT_TRUE(answer_is(fd, "list", NULL));
	close(fd);
}

TEST_HARNESS_MAIN
