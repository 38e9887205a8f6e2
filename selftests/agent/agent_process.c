/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent_process.c - start an agent, hear its log, talk to its sockets. */
#include <arpa/inet.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "agent_process.h"
#include "cleanup.h"
#include "harness.h"
#include "lib/process.h"
#include "lib/program.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define ARGS_MAX	24
#define LINE_MAX_BYTES	(1u << 20)
#define WAIT_MS		20000

/**
 * agent_dirs() - choose the directories of an agent
 * @agent: receives them, and nothing else yet
 * @name: of this agent in the test's directory
 */
void agent_dirs(struct agent_process *agent, const char *name)
{
	*agent = (struct agent_process){ .log_fd = -1 };
	snprintf(agent->state_dir, sizeof(agent->state_dir), "%s/%s.state", test_dir(), name);
	snprintf(agent->run_dir, sizeof(agent->run_dir), "%s/%s.run", test_dir(), name);
	snprintf(agent->socket, sizeof(agent->socket), "%s/straddled.sock", agent->run_dir);
}

static void become_agent(const struct agent_process *agent, const char *const *more, int log)
{
	const char *argv[ARGS_MAX] = {
		"straddled", "--state-dir", agent->state_dir, "--run-dir", agent->run_dir,
		"--verbose",
	};
	char path[512];
	int count = 6;

	for (; more && *more && count < ARGS_MAX - 1; more++)
		argv[count++] = *more;
	build_path(path, sizeof(path), "straddled");
	dup2(log, STDERR_FILENO);
	execv(path, (char *const *)(uintptr_t)argv);
	dprintf(log, "%s cannot be run\n", path);
	_exit(127);
}

static bool log_more(struct agent_process *agent)
{
	size_t used = strlen(agent->log);
	ssize_t got;

	if (used == sizeof(agent->log) - 1 || sys_wait_fd(agent->log_fd, POLLIN, WAIT_MS))
		return false;
	got = sys_retry(read(agent->log_fd, agent->log + used,
			     sizeof(agent->log) - 1 - used));
	if (got > 0)
		agent->log[used + (size_t)got] = '\0';
	return got > 0;
}

/**
 * agent_says() - wait until the agent's log has a text
 * @agent: whose log
 * @text: what to wait for
 *
 * Return: true; false: it ended, or is silent for long, without it.
 */
bool agent_says(struct agent_process *agent, const char *text)
{
	while (!strstr(agent->log, text))
		if (!log_more(agent))
			return false;
	return true;
}

/**
 * agent_unheard() - drop what an agent has said, before it waits for a reader
 * @agent: that runs
 */
void agent_unheard(struct agent_process *agent)
{
	char text[4096];

	while (!sys_wait_fd(agent->log_fd, POLLIN, 0) &&
	       sys_retry(read(agent->log_fd, text, sizeof(text))) > 0)
		;
}

/**
 * agent_start() - start an agent and wait until it listens, or ends
 * @agent: with its directories
 * @more: options, NULL-ended; NULL: loopback, a port that the kernel chooses
 *
 * Return: 0: it runs, and listens on @agent->port; else its exit code, or
 * -errno.
 */
int agent_start(struct agent_process *agent, const char *const *more)
{
	static const char *const alone[] = { "--listen", "127.0.0.1:0", NULL };
	int ends[2], ret = sys_ret(pipe2(ends, O_CLOEXEC));
	const char *at;

	if (ret)
		return ret;
	agent->pid = sys_ret(fork());
	if (!agent->pid)
		become_agent(agent, more ? more : alone, ends[1]);
	close(ends[1]);
	agent->log_fd = ends[0];
	if (agent->pid < 0)
		return agent->pid;
	if (agent_says(agent, "listening on ") && agent_says(agent, " (")) {
		at = strstr(agent->log, " (no TLS)");
		at = at ? at : strstr(agent->log, " (");
		while (at > agent->log && at[-1] != ':')
			at--;
		agent->port = (unsigned int)strtoul(at, NULL, 10);
		return 0;
	}
	agent->status = process_wait(agent->pid, WAIT_MS);
	agent->pid = 0;
	return agent->status ? agent->status : -EIO;
}

/**
 * agent_stop() - end an agent as a service manager does
 * @agent: that runs
 *
 * Return: its exit code, or 128 + the signal that ended it.
 */
int agent_stop(struct agent_process *agent)
{
	agent->status = process_stop(agent->pid);
	agent->pid = 0;
	/* Not to its end: a worker that runs on has it open, too. */
	while (!sys_wait_fd(agent->log_fd, POLLIN, 0) && log_more(agent))
		;
	close(agent->log_fd);
	return agent->status;
}

/**
 * agent_kill() - end an agent as a crash does
 * @agent: that runs
 *
 * Return: 128 + SIGKILL.
 */
int agent_kill(struct agent_process *agent)
{
	kill(agent->pid, SIGKILL);
	agent->status = process_wait(agent->pid, WAIT_MS);
	agent->pid = 0;
	close(agent->log_fd);
	return agent->status;
}

/**
 * agent_connect_control() - connect to an agent's control socket
 * @agent: that runs
 *
 * Return: a socket that blocks, or -errno.
 */
int agent_connect_control(const struct agent_process *agent)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret;

	if (strlen(agent->socket) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, agent->socket);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return ret ? ret : take_fd(&fd);
}

/**
 * agent_connect_peer() - connect to an agent as another host does
 * @agent: that runs, listening on an IPv4 address
 * @from: address to come from, of 127.0.0.0/8
 *
 * Return: a socket that blocks, or -errno.
 */
int agent_connect_peer(const struct agent_process *agent, const char *from)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	__cleanup_fd int fd = sys_ret(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret;

	inet_pton(AF_INET, from, &address.sin_addr);
	ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (ret)
		return ret;
	address.sin_port = htons((uint16_t)agent->port);
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	ret = sys_ret(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return ret ? ret : take_fd(&fd);
}

/**
 * line_send() - send a line to a control socket
 * @fd: the socket
 * @line: without its newline
 *
 * Return: 0 or -errno.
 */
int line_send(int fd, const char *line)
{
	int ret = sys_write_all(fd, line, strlen(line));

	return ret ? ret : sys_write_all(fd, "\n", 1);
}

/**
 * line_receive() - receive one line from a control socket
 * @fd: the socket
 *
 * Return: a new object, the caller's; NULL: none came, or it was no JSON.
 */
struct json_object *line_receive(int fd)
{
	__cleanup_free char *line = malloc(LINE_MAX_BYTES);
	struct json_object *object = NULL;
	size_t used = 0;

	while (line && used < LINE_MAX_BYTES && !sys_wait_fd(fd, POLLIN, WAIT_MS) &&
	       sys_retry(read(fd, line + used, 1)) == 1) {
		if (line[used] == '\n')
			return json_parse(line, used, &object) ? NULL : object;
		used++;
	}
	return NULL;
}

/**
 * agent_answer() - ask an agent over a connection of its own
 * @agent: whom
 * @line: the request
 *
 * Return: the first line of its answer, the caller's, or NULL.
 */
struct json_object *agent_answer(const struct agent_process *agent, const char *line)
{
	__cleanup_fd int fd = agent_connect_control(agent);

	if (fd < 0 || line_send(fd, line))
		return NULL;
	return line_receive(fd);
}

/**
 * agent_lives() - does the agent do its work?
 * @agent: whom to ask
 *
 * Return: true if it lists its guests.
 */
bool agent_lives(const struct agent_process *agent)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"list\"}");
	const char *type = answer ? json_text(answer, "type") : NULL;
	bool lives = type && !strcmp(type, "list");

	json_object_put(answer);
	return lives;
}

/**
 * agent_straddle() - run the straddle command against an agent
 * @agent: whom it asks
 * @arguments: of the command, NULL-ended
 * @text: receives what it prints
 * @size: of @text
 *
 * Return: its exit code, or -errno.
 */
int agent_straddle(const struct agent_process *agent, const char *const *arguments,
		   char *text, size_t size)
{
	const char *argv[ARGS_MAX] = { "straddle", "--agent", agent->socket };
	int count = 3;

	for (; *arguments && count < ARGS_MAX - 1; arguments++)
		argv[count++] = *arguments;
	return program_output(argv, text, size);
}

/**
 * wait_for_end() - wait until the other end closes a connection
 * @fd: the connection; what comes before is dropped
 *
 * Return: 0: it was closed; -ETIMEDOUT: it was not.
 */
int wait_for_end(int fd)
{
	char drop[4096];
	ssize_t got;

	do {
		if (sys_wait_fd(fd, POLLIN, WAIT_MS))
			return -ETIMEDOUT;
		got = sys_retry(read(fd, drop, sizeof(drop)));
	} while (got > 0);
	return 0;
}
