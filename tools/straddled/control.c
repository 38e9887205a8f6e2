/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.c - the control socket, and who may connect to it. */
#include <string.h>
#include <sys/un.h>

#include "arrival.h"
#include "cleanup.h"
#include "client.h"
#include "log.h"
#include "sys.h"

/* The last thing that is said to who is not served. */
static void stranger_tell(int fd, int err, const char *text)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "{\"type\":\"error\",\"ok\":false,"
			      "\"errno\":%d,\"error\":\"%s\"}\n", -err, text);

	(void)sys_retry(send(fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/*
 * Who commands the agent can do all that the agent can: root, or its own user.
 * The mode of the socket says so, too; but a directory's mode may have been
 * changed, and a descriptor be opened by one who was somebody else then.
 */
static bool stranger_may(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	char text[128];

	if (!sys_ret(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length)) &&
	    (!peer.uid || peer.uid == geteuid()))
		return true;
	snprintf(text, sizeof(text), "user %d may not command this agent: only root and user %u, "
		 "as whom it runs", (int)peer.uid, geteuid());
	log_refusal(REFUSED_CLIENT, "process %d at the control socket: %s", (int)peer.pid, text);
	stranger_tell(fd, -EACCES, text);
	return false;
}

/* Whoever waits for a worker keeps its place; of the others the longest silent. */
static struct client *client_idle(struct control *control)
{
	struct client *idle = NULL;
	unsigned int i;

	for (i = 0; i < control->room; i++) {
		struct client *client = &control->clients[i];

		if (!client->watched && !client->lister &&
		    (!idle || client->turn < idle->turn))
			idle = client;
	}
	return idle;
}

/* Nobody shuts an operator out by doing nothing. Return: NULL: all wait for workers. */
static struct client *client_place(struct control *control)
{
	struct client *client;
	unsigned int i;

	for (i = 0; i < control->room; i++)
		if (control->clients[i].fd < 0)
			return &control->clients[i];
	client = client_idle(control);
	if (!client)
		return NULL;
	client_say_error(client, -EBUSY, "too many clients of this agent, of which this one was "
			 "silent for the longest: connect again");
	client_release(client);
	return client;
}

static int client_arrived(sd_event_source *source, int listen_fd, uint32_t revents, void *arg)
{
	struct control *control = arg;
	struct client *place;
	bool last;
	int fd;

	(void)source;
	(void)revents;
	fd = arrival_take(control->agent, listen_fd, NULL, NULL, &last);
	if (fd < 0)
		return 0;
	if (last) {
		stranger_tell(fd, -EMFILE, "this agent has no descriptors left: raise its limit");
	} else if (stranger_may(fd)) {
		place = client_place(control);
		if (place) {
			client_take(control, place, fd);
			return 0;
		}
		stranger_tell(fd, -EBUSY, "too many clients of this agent: try again");
	}
	close(fd);
	arrival_spare(control->agent);
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
	unsigned int i, room = CLIENTS_MAX + agent->options->workers_max;
	struct control *control = calloc(1, sizeof(*control) + room * sizeof(struct client));
	int ret;

	if (!control)
		return -ENOMEM;
	control->agent = agent;
	control->room = room;
	for (i = 0; i < room; i++)
		control->clients[i].fd = -1;
	agent->control = control;
	agent->audience = &clients;
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
	for (i = 0; i < control->room; i++)
		client_release(&control->clients[i]);
	sd_event_source_disable_unref(control->listening);
	if (control->listen_fd >= 0) {
		(void)sys_ret(unlink(agent->options->control));
		close(control->listen_fd);
	}
	free(control);
	agent->control = NULL;
	agent->audience = NULL;
}
