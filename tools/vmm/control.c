// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * control.c - one loop for all clients, signals and the clock.
 *
 * Nothing in it waits for a vCPU: a request that must wait is kept with its
 * client until a vCPU pokes machine->changed, and the others go on.
 */
#include "tools/vmm/control.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "sys.h"
#include "tools/vmm/client.h"
#include "tools/vmm/socket.h"
#include "tools/vmm/verbs.h"

#define CLIENTS_MAX	64
#define POLLED_MS	20	/* between looks at what nobody pokes for */
#define QUIT_NS		500000000ull	/* for vCPUs to stop, at the end */

enum { POLL_LISTEN, POLL_CHANGED, POLL_SIGNAL, POLL_TIMER, POLL_CLIENTS };

struct control {
	int dir, listen, signal, timer;
	char name[GUEST_NAME_MAX];
	struct client clients[CLIENTS_MAX];
	/* Of a client that waits: what for, and its half-made answer. */
	const struct verb *verbs[CLIENTS_MAX];
	struct answer answers[CLIENTS_MAX];
};

static int open_signals(int *fd)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	*fd = sys_ret(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
	return *fd < 0 ? *fd : 0;
}

static int open_timer(int *fd)
{
	struct itimerspec each_second = {
		.it_value.tv_sec = 1,
		.it_interval.tv_sec = 1,
	};

	*fd = sys_ret(timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK));
	if (*fd < 0)
		return *fd;
	return sys_ret(timerfd_settime(*fd, 0, &each_second, NULL));
}

/**
 * control_open() - take the guest's name and listen
 * @run_dir: where control sockets are
 * @name: the guest's
 * @control: receives it
 * @fail: says what failed
 *
 * Call it before any thread starts: it blocks the signals that it serves.
 *
 * Return: 0 or -errno.
 */
int control_open(const char *run_dir, const char *name,
		 struct control **control, struct fail *fail)
{
	struct control *got = calloc(1, sizeof(*got));
	int ret;

	if (!got)
		return fail_set(fail, -ENOMEM, "no memory");
	got->dir = got->listen = got->signal = got->timer = -1;
	for (int i = 0; i < CLIENTS_MAX; i++)
		client_init(&got->clients[i], -1);
	strcpy(got->name, name);
	ret = socket_listen(run_dir, name, &got->dir, &got->listen, fail);
	if (!ret)
		ret = open_signals(&got->signal);
	if (!ret)
		ret = open_timer(&got->timer);
	if (ret) {
		control_close(got);
		return fail_set(fail, ret, "cannot serve guest %s: %s", name,
				strerror(-ret));
	}
	*control = got;
	return 0;
}

static void drop_client(struct control *control, int index)
{
	if (control->clients[index].waits)
		answer_fini(&control->answers[index]);
	client_close(&control->clients[index]);
}

/**
 * control_close() - end all connections and give the name back
 * @control: or NULL
 */
void control_close(struct control *control)
{
	int fds[] = { control ? control->dir : -1,
		      control ? control->listen : -1,
		      control ? control->signal : -1,
		      control ? control->timer : -1 };

	if (!control)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++)
		drop_client(control, i);
	if (control->listen >= 0)
		socket_remove(control->dir, control->name);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(control);
}

static void send_answer(struct control *control, int index,
			struct answer *answer)
{
	struct client *client = &control->clients[index];
	int fd = answer->fail.err ? -1 : answer->fd;

	if (fd >= 0)
		answer->fd = -1;
	if (client_answer(client, answer_text(answer), fd) ||
	    client_flush(client))
		client->last = true;
	answer_fini(answer);
}

static void refuse(struct control *control, int index, int err,
		   const char *why)
{
	struct answer answer = { .root = json_object_new_object(), .fd = -1 };

	fail_set(&answer.fail, err, "%s", why);
	control->clients[index].last = true;
	send_answer(control, index, &answer);
}

/* Carry out the lines that are there, up to one that has to wait. */
static void serve_lines(struct control *control, int index, struct vmm *vmm)
{
	struct client *client = &control->clients[index];
	size_t length, used;
	char *line;

	while (!client->waits && !client->out && !client->last &&
	       (line = client_line(client, &length, &used))) {
		int fd = client_take_fd(client);
		struct answer answer;

		control->verbs[index] = verb_begin(vmm, line, length, &fd,
						   &answer);
		client_consume(client, used);
		if (fd >= 0)
			close(fd);
		client->waits = control->verbs[index];
		if (client->waits)
			control->answers[index] = answer;
		else
			send_answer(control, index, &answer);
	}
}

static void serve_client(struct control *control, int index, short events,
			 struct vmm *vmm)
{
	struct client *client = &control->clients[index];
	int ret = 0;

	if (client->out)
		ret = client_flush(client);
	else if (!client->waits && events & (POLLIN | POLLHUP))
		ret = client_read(client);
	else if (events & (POLLHUP | POLLERR))
		ret = -EPIPE;
	if (ret == -E2BIG && !client->out)
		refuse(control, index, ret,
		       "a request is at most 2 MiB and 4 descriptors");
	else if (ret)
		drop_client(control, index);
	if (client->fd >= 0)
		serve_lines(control, index, vmm);
	if (client->fd >= 0 && client->last && !client->out)
		drop_client(control, index);
}

static void accept_client(struct control *control)
{
	int fd = sys_retry(accept4(control->listen, NULL, NULL,
				   SOCK_CLOEXEC | SOCK_NONBLOCK));

	if (fd < 0)
		return;
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			continue;
		client_init(&control->clients[i], fd);
		return;
	}
	close(fd);
}

/* A vCPU poked: answer those whose time has come. */
static void serve_waiting(struct control *control, struct vmm *vmm)
{
	for (int i = 0; i < CLIENTS_MAX; i++) {
		if (!control->clients[i].waits ||
		    !verb_poll(control->verbs[i], vmm, &control->answers[i]))
			continue;
		send_answer(control, i, &control->answers[i]);
		serve_lines(control, i, vmm);
	}
}

static void drain(int fd)
{
	uint64_t count;

	sys_retry(read(fd, &count, sizeof(count)));
}

static void take_rate(struct vmm *vmm)
{
	struct report total;
	uint64_t now = now_ns();

	machine_report(vmm->machine, &total);
	if (vmm->rate_ns && total.ticks >= vmm->rate_ticks)
		vmm->rate = (total.ticks - vmm->rate_ticks) * 1000 /
			    ((now - vmm->rate_ns) / 1000000 + 1);
	vmm->rate_ticks = total.ticks;
	vmm->rate_ns = now;
	if (!vmm->verbose)
		return;
	printf("ticks=%llu rate=%llu bad=%llu\n",
	       (unsigned long long)total.ticks, (unsigned long long)vmm->rate,
	       (unsigned long long)total.bad);
	fflush(stdout);
}

static int fill_polls(const struct control *control, const struct vmm *vmm,
		      struct pollfd *polls)
{
	polls[POLL_LISTEN] = (struct pollfd){ control->listen, POLLIN, 0 };
	polls[POLL_CHANGED] = (struct pollfd){ vmm->machine->changed, POLLIN,
					       0 };
	polls[POLL_SIGNAL] = (struct pollfd){ control->signal, POLLIN, 0 };
	polls[POLL_TIMER] = (struct pollfd){ control->timer, POLLIN, 0 };
	for (int i = 0; i < CLIENTS_MAX; i++) {
		const struct client *client = &control->clients[i];

		polls[POLL_CLIENTS + i].fd = client->fd;
		polls[POLL_CLIENTS + i].revents = 0;
		polls[POLL_CLIENTS + i].events = client->out ? POLLOUT :
						 client->waits ? 0 : POLLIN;
	}
	return POLL_CLIENTS + CLIENTS_MAX;
}

static int poll_timeout(const struct control *control)
{
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i].waits && control->verbs[i]->polled)
			return POLLED_MS;
	return -1;
}

static int serve_once(struct control *control, struct vmm *vmm)
{
	struct pollfd polls[POLL_CLIENTS + CLIENTS_MAX];
	int count = fill_polls(control, vmm, polls);
	int ret = sys_retry(poll(polls, (nfds_t)count,
				 poll_timeout(control)));

	if (ret < 0)
		return ret;
	drain(vmm->machine->changed);
	serve_waiting(control, vmm);
	if (polls[POLL_TIMER].revents) {
		drain(control->timer);
		take_rate(vmm);
	}
	if (polls[POLL_SIGNAL].revents) {
		vmm->quit = true;
		machine_stop(vmm->machine);
	}
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (polls[POLL_CLIENTS + i].revents)
			serve_client(control, i, polls[POLL_CLIENTS + i].revents,
				     vmm);
	if (polls[POLL_LISTEN].revents)
		accept_client(control);
	return 0;
}

/* Give vCPUs a moment to stop; one that waits for a page may not. */
static void finish(struct control *control, struct vmm *vmm)
{
	uint64_t end = now_ns() + QUIT_NS;

	while (!machine_stopped(vmm->machine) && now_ns() < end) {
		struct pollfd poll_changed = { vmm->machine->changed, POLLIN,
					       0 };

		sys_retry(poll(&poll_changed, 1,
			       (int)((end - now_ns()) / 1000000) + 1));
		drain(vmm->machine->changed);
	}
	for (int i = 0; i < CLIENTS_MAX; i++) {
		struct answer *answer = &control->answers[i];

		if (!control->clients[i].waits)
			continue;
		if (!verb_poll(control->verbs[i], vmm, answer))
			fail_set(&answer->fail, -ECANCELED,
				 "guest %s was told to quit", control->name);
		send_answer(control, i, answer);
	}
}

/**
 * control_serve() - serve until somebody says quit
 * @control: of control_open()
 * @vmm: the guest and all
 * @fail: says what failed
 *
 * Return: 0 after a quit or a signal; then the vCPUs are stopped, unless one
 * waits for a page of memory that nobody brings.
 */
int control_serve(struct control *control, struct vmm *vmm,
		  struct fail *fail)
{
	while (!vmm->quit) {
		int ret = serve_once(control, vmm);

		if (ret)
			return fail_set(fail, ret, "cannot serve requests: %s",
					strerror(-ret));
	}
	finish(control, vmm);
	return 0;
}
