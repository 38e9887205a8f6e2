// SPDX-License-Identifier: LGPL-2.1-or-later
/* move.c - migrations that a test asks an agent for, and what they leave. */
#include "selftests/lib/move.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "selftests/lib/traces.h"
#include "sys.h"
#include "tools/lib/migration_json.h"

#define LINE_MAX_BYTES	(1u << 20)
#define NEWS_MS		60000	/* progress is told five times a second */
#define SETTLE_TRIES	400
#define TRY_MS		25

static int agent_connect(const struct host *host, struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX,
					     SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret = fd;

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "%.80s/straddled.sock", host->run_dir);
	if (fd >= 0)
		ret = sys_ret(connect(fd, (struct sockaddr *)&address,
				      sizeof(address)));
	if (ret < 0)
		return fail_set(fail, ret, "no agent at %s: %s",
				address.sun_path, strerror(-ret));
	return take_fd(&fd);
}

static int line_read(int fd, struct jsonline *in, struct json_object **object)
{
	for (;;) {
		int ret = jsonline_next(in, object);
		ssize_t got;

		if (ret)
			return ret < 0 ? ret : 0;
		ret = sys_wait_fd(fd, POLLIN, NEWS_MS);
		if (ret < 0)
			return ret;
		got = jsonline_read(in, fd);
		if (got <= 0)
			return got ? (int)got : -EPIPE;
	}
}

/* An answer that says no: its errno, its words in @fail. */
static int answer_check(struct json_object *answer, struct fail *fail)
{
	struct json_object *member;
	const char *error = json_text(answer, "error");

	if (json_object_object_get_ex(answer, "ok", &member) &&
	    json_object_get_boolean(member))
		return 0;
	if (!json_object_object_get_ex(answer, "errno", &member))
		return fail_set(fail, -EPROTO, "%s", error ? error : "?");
	return fail_set(fail, -json_object_get_int(member), "%s",
			error ? error : "?");
}

/**
 * agent_ask() - one request to an agent, one answer
 * @host: of the agent
 * @answer: receives it, the caller's; or NULL
 * @fail: says why not, in the agent's words
 * @fmt: the request, as JSON
 *
 * Return: 0 or -errno.
 */
int agent_ask(const struct host *host, struct json_object **answer,
	      struct fail *fail, const char *fmt, ...)
{
	__cleanup_fd int fd = agent_connect(host, fail);
	struct json_object *got = NULL;
	struct jsonline in;
	va_list args;
	int ret;

	if (fd < 0 || jsonline_init(&in, LINE_MAX_BYTES))
		return fd < 0 ? fd : -ENOMEM;
	va_start(args, fmt);
	vdprintf(fd, fmt, args);
	va_end(args);
	dprintf(fd, "\n");
	ret = line_read(fd, &in, &got);
	if (!ret)
		ret = answer_check(got, fail);
	jsonline_fini(&in);
	if (!ret && answer)
		*answer = got;
	else
		json_object_put(got);
	return ret;
}

static int started_read(struct move *move)
{
	struct json_object *answer;
	struct fail fail = { 0 };
	int ret = line_read(move->fd, &move->in, &answer);

	if (ret < 0)
		return ret;
	ret = answer_check(answer, &fail);
	snprintf(move->error, sizeof(move->error), "%s", fail.text);
	if (!ret)
		snprintf(move->id, sizeof(move->id), "%s",
			 json_text(answer, "id"));
	json_object_put(answer);
	return ret;
}

/**
 * move_start() - ask an agent for a migration
 * @move: all of it is set; move_end() in any case
 * @from: the host of the agent
 * @guest: its name
 * @to: HOST[:PORT]
 * @options: more members of the options, as JSON; "" for none
 *
 * Return: 0: it has begun; or -errno with @move->error.
 */
int move_start(struct move *move, const struct host *from, const char *guest,
	       const char *to, const char *options)
{
	struct fail fail = { 0 };

	memset(move, 0, sizeof(*move));
	move->fd = agent_connect(from, &fail);
	if (move->fd < 0) {
		snprintf(move->error, sizeof(move->error), "%s", fail.text);
		return move->fd;
	}
	if (jsonline_init(&move->in, LINE_MAX_BYTES))
		return -ENOMEM;
	dprintf(move->fd, "{\"do\":\"migrate\",\"options\":{\"guest\":\"%s\","
		"\"host\":\"%s\"%s%s}}\n", guest, to, *options ? "," : "",
		options);
	return started_read(move);
}

static void result_take(struct move *move, struct json_object *news)
{
	const char *error = json_text(news, "error");
	const char *state = json_text(news, "state");
	struct json_object *member;

	move->over = true;
	if (json_object_object_get_ex(news, "ok", &member))
		move->ok = json_object_get_boolean(member);
	snprintf(move->error, sizeof(move->error), "%s", error ? error : "");
	snprintf(move->state, sizeof(move->state), "%s", state ? state : "");
	if (json_object_object_get_ex(news, "summary", &member) && member)
		progress_from_json(member, &move->progress, NULL);
}

/**
 * move_next() - read the next news of a migration
 * @move: started
 *
 * Return: 0, -ENODATA: it is over, or -errno.
 */
int move_next(struct move *move)
{
	struct json_object *news;
	const char *type;
	int ret;

	if (move->over)
		return -ENODATA;
	ret = line_read(move->fd, &move->in, &news);
	if (ret < 0)
		return ret;
	move->told_ns = now_ns();
	type = json_text(news, "type");
	if (type && !strcmp(type, "result"))
		result_take(move, news);
	else if (type && !strcmp(type, "progress"))
		ret = progress_from_json(news, &move->progress, NULL);
	json_object_put(news);
	return ret;
}

/**
 * move_wait_state() - read news until a state is told
 * @move: started
 * @state: of the source
 *
 * Return: 0, -ENODATA: it ended without, or -errno.
 */
int move_wait_state(struct move *move, enum owner_state state)
{
	while (move->progress.state != state || move->over) {
		int ret = move_next(move);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/**
 * move_wait_round() - read news until a round has begun
 * @move: started
 * @round: from 1
 *
 * Return: 0, -ENODATA: it ended without, or -errno.
 */
int move_wait_round(struct move *move, uint32_t round)
{
	while (move->progress.round < round || move->over) {
		int ret = move_next(move);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/**
 * move_wait() - read news to the end
 * @move: started
 *
 * Return: 0: it ended well; -ECANCELED: it did not, see @move->error; -errno.
 */
int move_wait(struct move *move)
{
	int ret;

	do {
		ret = move_next(move);
	} while (!ret);
	if (ret != -ENODATA)
		return ret;
	return move->ok ? 0 : -ECANCELED;
}

/**
 * move_end() - stop to hear of a migration, which goes on
 * @move: started, or not
 */
void move_end(struct move *move)
{
	jsonline_fini(&move->in);
	if (move->fd >= 0)
		close(move->fd);
	move->fd = -1;
}

/**
 * move_run() - a whole migration
 * @move: receives what came of it
 * @from: the host of the agent
 * @guest: its name
 * @to: HOST[:PORT]
 * @options: as move_start()'s
 *
 * Return: 0: it ended well; or -errno with @move->error.
 */
int move_run(struct move *move, const struct host *from, const char *guest,
	     const char *to, const char *options)
{
	int ret = move_start(move, from, guest, to, options);

	if (!ret)
		ret = move_wait(move);
	move_end(move);
	return ret;
}

/**
 * row_state() - how a migration stands in a host's history
 * @host: of the agent
 * @id: of the migration
 * @side: of the row
 * @state: receives its name, or "": there is no such row
 * @size: of @state
 */
void row_state(const struct host *host, const char *id, enum side side,
	       char *state, size_t size)
{
	struct json_object *answer, *rows = NULL;
	struct fail fail = { 0 };
	size_t i;

	*state = '\0';
	if (agent_ask(host, &answer, &fail,
		      "{\"do\":\"history\",\"count\":1000}"))
		return;
	json_object_object_get_ex(answer, "migrations", &rows);
	for (i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!strcmp(json_text(row, "id"), id) &&
		    !strcmp(json_text(row, "side"), side_name(side)))
			snprintf(state, size, "%s", json_text(row, "state"));
	}
	json_object_put(answer);
}

/**
 * status_peer() - the other host, as status has it
 * @host: of the agent; one migration is under way there
 * @peer: receives it
 * @size: of @peer
 *
 * Return: 0, -ENOENT: there is none, or more; or -errno.
 */
int status_peer(const struct host *host, char *peer, size_t size)
{
	struct json_object *answer, *list = NULL;
	struct fail fail = { 0 };
	int ret = agent_ask(host, &answer, &fail, "{\"do\":\"status\"}");

	if (ret < 0)
		return ret;
	json_object_object_get_ex(answer, "migrations", &list);
	if (json_object_array_length(list) == 1)
		snprintf(peer, size, "%s",
			 json_text(json_object_array_get_idx(list, 0), "peer"));
	else
		ret = -ENOENT;
	json_object_put(answer);
	return ret;
}

/**
 * fault_struck() - how often an injected fault struck
 * @host: of the agent
 * @spec: as it was given to --inject
 *
 * Return: that number; -ENOENT: it injects no such fault; or -errno.
 */
int64_t fault_struck(const struct host *host, const char *spec)
{
	struct json_object *answer, *inject = NULL, *list = NULL, *struck;
	struct fail fail = { 0 };
	int64_t count = agent_ask(host, &answer, &fail, "{\"do\":\"status\"}");
	size_t i;

	if (count < 0)
		return count;
	count = -ENOENT;
	if (json_object_object_get_ex(answer, "inject", &inject))
		json_object_object_get_ex(inject, "faults", &list);
	for (i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *fault = json_object_array_get_idx(list, i);

		if (!strcmp(json_text(fault, "spec"), spec) &&
		    json_object_object_get_ex(fault, "struck", &struck))
			count = json_object_get_int64(struck);
	}
	json_object_put(answer);
	return count;
}

static int workers_count(const struct host *host)
{
	struct json_object *answer, *workers = NULL;
	struct fail fail = { 0 };
	int count, ret = agent_ask(host, &answer, &fail, "{\"do\":\"status\"}");

	if (ret < 0)
		return ret;
	json_object_object_get_ex(answer, "workers", &workers);
	count = json_object_get_int(workers);
	json_object_put(answer);
	return count;
}

/* Also those of an earlier agent. */
static int processes_count(const struct host *host)
{
	return host_processes(host, "source") + host_processes(host, "dest") +
	       host_processes(host, "answer") + host_processes(host, "settle");
}

/**
 * host_workers() - how many workers does an agent have?
 * @host: of the agent
 *
 * Return: that number, or -errno: it does not answer.
 */
int host_workers(const struct host *host)
{
	int told = workers_count(host);

	return told < 0 ? told : told + processes_count(host);
}

/**
 * host_settle() - wait until an agent has no workers
 * @host: of the agent
 *
 * Return: 0, -ETIMEDOUT or -errno.
 */
int host_settle(const struct host *host)
{
	int i, count = 0;

	for (i = 0; i < SETTLE_TRIES; i++) {
		count = host_workers(host);
		if (count <= 0)
			return count;
		poll(NULL, 0, TRY_MS);
	}
	return -ETIMEDOUT;
}
