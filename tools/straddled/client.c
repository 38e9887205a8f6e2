/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - clients of the control socket: their lines, and what they wait for. */
#include "client.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "log.h"
#include "resolve.h"
#include "sys.h"
#include "workers.h"

static void client_unwatch(struct client *client)
{
	client->watched = NULL;
	client->decides = RESOLVE_NONE;
}

/**
 * client_release() - close a client's connection, and free its place
 * @client: whatever it waits for goes on
 */
void client_release(struct client *client)
{
	if (client->fd < 0)
		return;
	client_unwatch(client);
	client->lister = NULL;
	client->source = sd_event_source_disable_unref(client->source);
	jsonline_fini(&client->in);
	free(client->out);
	client->out = NULL;
	client->out_used = 0;
	close(client->fd);
	client->fd = -1;
}

/* What it reads now; the rest waits for EPOLLOUT. */
static void client_flush(struct client *client)
{
	ssize_t sent = 0;

	if (client->out_used)
		sent = sys_retry(send(client->fd, client->out, client->out_used,
				      MSG_DONTWAIT | MSG_NOSIGNAL));
	if (sent > 0) {
		client->out_used -= (size_t)sent;
		memmove(client->out, client->out + sent, client->out_used);
	}
	/* Who is gone shows as EPOLLHUP. */
	sd_event_source_set_io_events(client->source,
				      EPOLLIN | (client->out_used ? EPOLLOUT : 0));
}

/**
 * client_agent() - whose client it is
 * @client: of the control socket
 *
 * Return: the agent.
 */
struct agent *client_agent(struct client *client)
{
	return client->control->agent;
}

/**
 * answer_new() - an answer that says yes
 * @type: what the request asked for
 *
 * Return: the answer; client_say() frees it.
 */
struct json_object *answer_new(const char *type)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "type", json_object_new_string(type));
	json_object_object_add(answer, "ok", json_object_new_boolean(true));
	return answer;
}

/**
 * client_say() - send a line to a client
 * @client: one that does not read is cut off
 * @answer: freed
 */
void client_say(struct client *client, struct json_object *answer)
{
	size_t length, used = client->out_used;
	const char *text = json_object_to_json_string_length(answer,
					JSON_C_TO_STRING_PLAIN, &length);
	char *out = NULL;

	if (!client->cut_off && used + length + 1 <= CLIENT_OUT_MAX)
		out = realloc(client->out, used + length + 1);
	if (out) {
		memcpy(out + used, text, length);
		out[used + length] = '\n';
		client->out = out;
		client->out_used += length + 1;
		client_flush(client);
	} else if (!client->cut_off) {
		log_notice("a client of the control socket does not read: cut off");
		client->cut_off = true;
		shutdown(client->fd, SHUT_RDWR);
	}
	json_object_put(answer);
}

/**
 * client_say_error() - tell a client why not
 * @client: whom
 * @err: -errno
 * @text: the reason in words, or NULL: the errno's
 */
void client_say_error(struct client *client, int err, const char *text)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "type", json_object_new_string("error"));
	json_object_object_add(answer, "ok", json_object_new_boolean(false));
	json_object_object_add(answer, "errno", json_object_new_int(-err));
	json_object_object_add(answer, "error",
			       json_object_new_string(text ? text : strerror(-err)));
	client_say(client, answer);
}

/**
 * client_watch() - let a client hear of a migration until its end
 * @client: whom; when it leaves, the migration goes on
 * @worker: of the migration; others may hear of it, too
 */
void client_watch(struct client *client, struct worker *worker)
{
	client_unwatch(client);
	client->watched = worker;
}

/**
 * client_decide() - likewise, and of what becomes of an operator's decision
 * @client: whom
 * @worker: that is to carry it out
 * @resolution: what was decided; RESOLVE_NONE: nothing
 */
void client_decide(struct client *client, struct worker *worker, enum resolution resolution)
{
	client_watch(client, worker);
	client->decides = resolution;
}

static void client_news(struct client *client, struct json_object *news, bool last)
{
	if (last)
		client_unwatch(client);
	/* Progress is worth nothing to who has not read the one before. */
	else if (client->out_used)
		return;
	client_say(client, json_object_get(news));
}

/* Of a worker, to whoever waits for it. */
static void clients_news(const struct worker *worker, struct json_object *news, bool last)
{
	struct control *control = worker->agent->control;
	unsigned int i;

	for (i = 0; i < control->room; i++) {
		struct client *client = &control->clients[i];

		if (client->watched == worker)
			client_news(client, news, last);
		if (client->lister != worker)
			continue;
		client->lister = NULL;
		client_say(client, json_object_get(news));
	}
}

/* Nobody but the dead one knew what it was to carry out, unless its row says so. */
static void client_heir(struct client *client, struct worker *heir)
{
	enum resolution decides = client->decides;

	if (decides == RESOLVE_NONE || !resolve_is_open(heir, decides)) {
		client_decide(client, heir, decides);
		return;
	}
	client_unwatch(client);
	client_say_error(client, -EOWNERDEAD, "the worker that was to carry it out died, and "
			 "may not have done so; a file that it was to write is of no use. "
			 "'straddle resolve' says how it stands: decide once more");
}

/* Whoever waited for the dead one waits for its heir from here on. */
static void clients_heir(const struct worker *dead, struct worker *heir)
{
	struct control *control = dead->agent->control;
	unsigned int i;

	for (i = 0; i < control->room; i++)
		if (control->clients[i].watched == dead)
			client_heir(&control->clients[i], heir);
}

const struct audience clients = { .news = clients_news, .heir = clients_heir };

/**
 * client_list() - let a client have what a worker finds
 * @client: whom; when it leaves, nobody gets it
 * @worker: of WORKER_LIST
 */
void client_list(struct client *client, struct worker *worker)
{
	client->lister = worker;
}

/**
 * client_lists() - does a client wait for a list?
 * @client: whom
 *
 * Return: true if it does.
 */
bool client_lists(const struct client *client)
{
	return client->lister;
}

static void client_requests(struct client *client)
{
	struct json_object *request;
	int ret;

	while (!client->cut_off && (ret = jsonline_next(&client->in, &request))) {
		if (ret < 0) {
			client_say_error(client, -EPROTO,
					 "a line is no JSON object: one request is one line");
			continue;
		}
		verb_run(client, request);
		json_object_put(request);
	}
}

static int client_ready(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct client *client = arg;
	ssize_t got;

	(void)source;
	if (revents & EPOLLOUT)
		client_flush(client);
	if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return 0;
	got = jsonline_read(&client->in, fd);
	if (got == -EAGAIN)
		return 0;
	client->turn = ++client->control->turns;
	if (got <= 0) {
		client_release(client);
		return 0;
	}
	client_requests(client);
	if (jsonline_full(&client->in)) {
		client_say_error(client, -EMSGSIZE, "a request is at most 64 KiB long");
		client_release(client);
	}
	return 0;
}

/**
 * client_take() - serve who has connected
 * @control: of the agent
 * @client: a free place
 * @fd: the connection, the client's from here on
 */
void client_take(struct control *control, struct client *client, int fd)
{
	client->control = control;
	client->fd = fd;
	client->cut_off = false;
	client->turn = ++control->turns;
	if (jsonline_init(&client->in, CLIENT_LINE_MAX) ||
	    sd_event_add_io(control->agent->event, &client->source, fd, EPOLLIN, client_ready,
			    client) < 0)
		client_release(client);
}
