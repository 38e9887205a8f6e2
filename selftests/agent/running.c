/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* running.c - a migration under way, as its agent shows and guards it. */
#include <arpa/inet.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "harness.h"
#include "lib/process.h"
#include "lib/program.h"
#include "lib/vmm.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define CLIENTS		100	/* more than an agent takes */

/* A guest, and a host that takes connections and never says a word. */
FIXTURE(running)
{
	struct agent_process agent;
	struct test_vmm vmm;
	int silent;		/* listening socket */
	int fd;			/* of the client that started it */
	char host[32];
	char id[40];
	pid_t worker;
};

static int silent_host(char *host, size_t size)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int fd = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(fd, 8));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&address, &length));
	snprintf(host, size, "127.0.0.1:%u", ntohs(address.sin_port));
	return fd;
}

/* The next object of that type; the caller's. */
static struct json_object *await(int fd, const char *type)
{
	struct json_object *object;

	while ((object = line_receive(fd))) {
		if (!strcmp(json_text(object, "type") ?: "", type))
			return object;
		json_object_put(object);
	}
	TH_LOG("no '%s' came", type);
	return NULL;
}

/* The one migration that status shows; the caller's. */
static struct json_object *status_of(const struct agent_process *agent)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"status\"}");
	struct json_object *list = NULL, *one;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &list));
	ASSERT_EQ(1, json_object_array_length(list));
	one = json_object_get(json_object_array_get_idx(list, 0));
	json_object_put(answer);
	return one;
}

FIXTURE_SETUP(running)
{
	const char *more[] = {
		"--engine", "threads", "--memory", "16M", "--workload", "idle", NULL
	};
	struct test_vmm_options options = { .run_dir = self->agent.run_dir, .more = more };
	struct json_object *object, *worker = NULL;
	char line[256];

	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	ASSERT_EQ(0, vmm_spawn(&self->vmm, "moving", &options)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
	self->silent = silent_host(self->host, sizeof(self->host));
	self->fd = agent_connect_control(&self->agent);
	ASSERT_LE(0, self->fd);
	snprintf(line, sizeof(line), "{\"do\":\"migrate\",\"options\":{\"guest\":\"moving\","
		 "\"host\":\"%s\",\"live\":true}}", self->host);
	ASSERT_EQ(0, line_send(self->fd, line));
	object = await(self->fd, "started");
	ASSERT_TRUE(object);
	snprintf(self->id, sizeof(self->id), "%s", json_text(object, "id"));
	json_object_put(object);
	/* The connection is the worker's first word to the other host. */
	ASSERT_EQ(0, sys_wait_fd(self->silent, POLLIN, 20000));
	object = status_of(&self->agent);
	ASSERT_TRUE(json_object_object_get_ex(object, "worker", &worker));
	self->worker = json_object_get_int(worker);
	ASSERT_LT(1, self->worker);
	EXPECT_STREQ(self->id, json_text(object, "id"));
	EXPECT_STREQ("moving", json_text(object, "guest"));
	json_object_put(object);
}

FIXTURE_TEARDOWN(running)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
	vmm_kill(&self->vmm);
	close(self->fd);
	close(self->silent);
}

#define RUN(text, ...) agent_straddle(&self->agent, (const char *const[]){ __VA_ARGS__, NULL }, \
				      text, sizeof(text))

static bool guest_runs(const struct agent_process *agent)
{
	char text[2048];
	static const char *const list[] = { "list", NULL };

	return !agent_straddle(agent, list, text, sizeof(text)) && strstr(text, "running");
}

/* The result's error; the caller frees the object. */
static struct json_object *failed_result(int fd, const char **error)
{
	struct json_object *result = await(fd, "result"), *ok = NULL;

	ASSERT_TRUE(result && json_object_object_get_ex(result, "ok", &ok));
	EXPECT_FALSE(json_object_get_boolean(ok));
	*error = json_text(result, "error") ?: "";
	return result;
}

TEST_F(running, second_migration_of_the_guest_is_refused_by_name)
{
	char text[2048];

	EXPECT_EQ(1, RUN(text, "migrate", "moving", self->host, "--live"));
	EXPECT_TRUE(strstr(text, "guest 'moving' is being migrated already"));
	EXPECT_TRUE(strstr(text, self->id));
	EXPECT_TRUE(strstr(text, self->host));
}

TEST_F(running, it_goes_on_when_its_client_leaves)
{
	struct json_object *object;

	ASSERT_EQ(0, shutdown(self->fd, SHUT_RDWR));
	EXPECT_EQ(0, wait_for_end(self->fd));
	EXPECT_TRUE(agent_lives(&self->agent));
	object = status_of(&self->agent);
	EXPECT_STREQ(self->id, json_text(object, "id"));
	json_object_put(object);
	EXPECT_EQ(0, kill(self->worker, 0));
}

/* As long as it waits for a result its place is its own. */
TEST_F(running, its_client_gives_way_to_nobody)
{
	struct json_object *result;
	const char *error;
	char text[4096];
	int fds[CLIENTS], i;

	for (i = 0; i < CLIENTS; i++) {
		fds[i] = agent_connect_control(&self->agent);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(0, RUN(text, "abort", "moving")) {
		TH_LOG("%s", text);
	}
	result = failed_result(self->fd, &error);
	EXPECT_TRUE(*error);
	json_object_put(result);
	for (i = 0; i < CLIENTS; i++)
		close(fds[i]);
}

TEST_F(running, worker_that_is_killed_is_told_and_leaves_the_guest)
{
	struct json_object *result;
	const char *error;
	char text[4096];

	ASSERT_EQ(0, kill(self->worker, SIGKILL));
	result = failed_result(self->fd, &error);
	EXPECT_STREQ("worker died: signal 9", error);
	EXPECT_STREQ("RESUMED", json_text(result, "state"));
	json_object_put(result);
	EXPECT_EQ(0, RUN(text, "status"));
	EXPECT_STREQ("no migration is under way on this host\n", text);
	EXPECT_EQ(0, RUN(text, "history"));
	EXPECT_TRUE(strstr(text, "worker died: signal 9"));
	EXPECT_TRUE(guest_runs(&self->agent));
}

TEST_F(running, host_that_is_silent_is_named_at_the_end)
{
	struct json_object *result;
	const char *error;

	result = failed_result(self->fd, &error);
	EXPECT_TRUE(strstr(error, "127.0.0.1")) {
		TH_LOG("it said: %s", error);
	}
	EXPECT_STREQ("RESUMED", json_text(result, "state"));
	json_object_put(result);
	EXPECT_TRUE(guest_runs(&self->agent));
}

/* And is ended by the next one, before that ends what it was about. */
TEST_F(running, worker_goes_on_without_its_agent)
{
	struct agent_process next;

	EXPECT_EQ(128 + SIGKILL, agent_kill(&self->agent));
	EXPECT_EQ(0, kill(self->worker, 0));
	next = self->agent;
	next.log[0] = '\0';
	ASSERT_EQ(0, agent_start(&next, NULL)) {
		TH_LOG("%s", next.log);
	}
	self->agent = next;
	EXPECT_TRUE(agent_says(&self->agent, "ended the worker of an earlier agent"));
	EXPECT_TRUE(agent_says(&self->agent, "of guest 'moving' was left in state BEGUN: ended"));
	EXPECT_TRUE(guest_runs(&self->agent));
}

struct command {
	char text[2048];	/* what it says */
	int out;
	pid_t pid;
};

static void command_read(struct command *command, const char *until)
{
	size_t used = strlen(command->text);
	ssize_t got;

	do {
		got = sys_retry(read(command->out, command->text + used,
				     sizeof(command->text) - 1 - used));
		used += got > 0 ? (size_t)got : 0;
		command->text[used] = '\0';
	} while (got > 0 && !(until && strstr(command->text, until)));
}

/* The fixture's own migration ends; the command follows another. */
static void command_start(FIXTURE_DATA(running) *self, struct command *command)
{
	char path[512];
	int ends[2];

	command->text[0] = '\0';
	ASSERT_EQ(0, kill(self->worker, SIGKILL));
	json_object_put(await(self->fd, "result"));
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	build_path(path, sizeof(path), "straddle");
	command->pid = fork();
	if (!command->pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl(path, "straddle", "--agent", self->agent.socket, "migrate", "moving",
		      self->host, "--live", "--verbose", NULL);
		_exit(127);
	}
	close(ends[1]);
	command->out = ends[0];
	command_read(command, "has started");
}

static void command_end(struct command *command)
{
	command_read(command, NULL);
	close(command->out);
	EXPECT_EQ(1, process_wait(command->pid, 20000));
	EXPECT_TRUE(strstr(command->text, "guest 'moving' was not migrated")) {
		TH_LOG("it said: %s", command->text);
	}
}

TEST_F(running, interrupt_aborts_and_says_so)
{
	struct command command;

	command_start(self, &command);
	ASSERT_EQ(0, kill(command.pid, SIGINT));
	command_end(&command);
	EXPECT_TRUE(strstr(command.text, "interrupted: asking to abort"));
	EXPECT_TRUE(strstr(command.text, "the guest stays here"));
	EXPECT_TRUE(guest_runs(&self->agent));
}

TEST_F(running, guest_that_died_is_not_said_to_stay)
{
	struct command command;
	int fd = sys_retry(accept4(self->silent, NULL, NULL, SOCK_CLOEXEC));

	ASSERT_LE(0, fd);	/* the fixture's migration */
	close(fd);
	command_start(self, &command);
	ASSERT_EQ(0, sys_wait_fd(self->silent, POLLIN, 20000));
	vmm_kill(&self->vmm);
	command_end(&command);
	EXPECT_TRUE(strstr(command.text, "no guest 'moving' runs here any more")) {
		TH_LOG("it said: %s", command.text);
	}
	EXPECT_NULL(strstr(command.text, "stays here"));
}

TEST_JOBS(4)
TEST_HARNESS_MAIN
