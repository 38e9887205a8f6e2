/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - clients of the control socket, their lines and what they read. */
#include <json-c/json.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "control.h"
#include "log.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "workers.h"

struct client {
	struct control *control;
	int fd;				/* -1: this place is free */
	sd_event_source *source;
	struct jsonline in;
	char *out;			/* what it has not read yet */
	size_t out_used;
	bool cut_off;			/* hears and says no more */
	struct worker *watched;		/* whose news it gets, or NULL */
};

struct control {
	struct agent *agent;
	int listen_fd;
	sd_event_source *listening;
	struct client clients[CLIENTS_MAX];
};

static void client_unwatch(struct client *client)
{
	if (client->watched)
		client->watched->news = NULL;
	client->watched = NULL;
}

static void client_release(struct client *client)
{
	if (client->fd < 0)
		return;
	client_unwatch(client);
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

static void client_news(void *arg, struct json_object *news, bool last)
{
	struct client *client = arg;

	if (last)
		client_unwatch(client);
	/* Progress is worth nothing to who has not read the one before. */
	else if (client->out_used)
		return;
	client_say(client, json_object_get(news));
}

/**
 * client_watch() - let a client hear of a migration until its end
 * @client: whom; when it leaves, the migration goes on
 * @worker: of the migration
 */
void client_watch(struct client *client, struct worker *worker)
{
	client_unwatch(client);
	client->watched = worker;
	worker->news = client_news;
	worker->news_arg = client;
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

static void client_take(struct control *control, struct client *client, int fd)
{
	client->control = control;
	client->fd = fd;
	client->cut_off = false;
	if (jsonline_init(&client->in, CLIENT_LINE_MAX) ||
	    sd_event_add_io(control->agent->event, &client->source, fd, EPOLLIN, client_ready,
			    client) < 0)
		client_release(client);
}

static int client_arrived(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	static const char full[] = "{\"type\":\"error\",\"ok\":false,\"errno\":16,"
		"\"error\":\"too many clients of this agent: try again\"}\n";
	struct control *control = arg;
	unsigned int i;
	int fd;

	(void)source;
	(void)revents;
	fd = sys_retry(accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (fd < 0)
		return 0;
	for (i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd < 0) {
			client_take(control, &control->clients[i], fd);
			return 0;
		}
	}
	(void)sys_retry(send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL));
	close(fd);
	return 0;
}

/* The lock is ours, so what lies there is of an agent that is gone. */
static int control_listen(const char *path, struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
					     SOCK_NONBLOCK, 0));
	mode_t mask;
	int ret = fd < 0 ? fd : 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (!ret) {
		(void)sys_ret(unlink(path));
		mask = umask(0177);
		ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
		umask(mask);
	}
	if (!ret)
		ret = sys_ret(listen(fd, CLIENTS_MAX));
	if (ret)
		return fail_set(fail, ret, "cannot listen on the control socket %s: %s", path,
				strerror(-ret));
	return take_fd(&fd);
}

/**
 * control_create() - open the control socket
 * @agent: of this host
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int control_create(struct agent *agent, struct fail *fail)
{
	struct control *control = calloc(1, sizeof(*control));
	unsigned int i;
	int ret;

	if (!control)
		return -ENOMEM;
	control->agent = agent;
	for (i = 0; i < CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	agent->control = control;
	control->listen_fd = control_listen(agent->options->control, fail);
	if (control->listen_fd < 0)
		return control->listen_fd;
	ret = sd_event_add_io(agent->event, &control->listening, control->listen_fd, EPOLLIN,
			      client_arrived, control);
	if (ret < 0)
		return fail_set(fail, ret, "cannot watch the control socket: %s",
				strerror(-ret));
	return 0;
}

/**
 * control_destroy() - close the control socket and all clients
 * @agent: of this host
 */
void control_destroy(struct agent *agent)
{
	struct control *control = agent->control;
	unsigned int i;

	if (!control)
		return;
	for (i = 0; i < CLIENTS_MAX; i++)
		client_release(&control->clients[i]);
	sd_event_source_disable_unref(control->listening);
	if (control->listen_fd >= 0) {
		(void)sys_ret(unlink(agent->options->control));
		close(control->listen_fd);
	}
	free(control);
	agent->control = NULL;
}
