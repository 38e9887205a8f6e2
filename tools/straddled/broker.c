/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* broker.c - the process of the agent that alone may trace guests. */
#include <cap-ng.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "proc.h"
#include "sys.h"
#include "tools/lib/parcel.h"
#include "tools/straddled/broker.h"

#define CLIENTS_MAX	256
#define CONTROL		3	/* its number in the broker */

/* One worker, over two connections: the second says which process it may name. */
struct client {
	int fd;
	int binder;		/* -1: closed */
	pid_t pid;		/* the one process that it may name; 0: none yet */
	int pidfd;		/* of that process, -1: none yet */
};

struct broker {
	struct client clients[CLIENTS_MAX];
	unsigned int count;
	struct broker_request request;
};

static void client_add(struct broker *broker, struct parcel_fds *fds)
{
	if (broker->count == CLIENTS_MAX) {
		parcel_fds_close(fds);	/* the worker reads end of file */
		return;
	}
	/* One that does not read its replies must not hold up the others. */
	fcntl(fds->fd[0], F_SETFL, O_NONBLOCK);
	fcntl(fds->fd[1], F_SETFL, O_NONBLOCK);
	broker->clients[broker->count++] = (struct client){
		.fd = fds->fd[0], .binder = fds->fd[1], .pidfd = -1,
	};
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void client_drop(struct broker *broker, unsigned int index)
{
	struct client *client = &broker->clients[index];

	fd_close(&client->fd);
	fd_close(&client->binder);
	fd_close(&client->pidfd);
	*client = broker->clients[--broker->count];
}

/* Whoever holds the binder knows which process it is, and may say another one. */
static int client_bind(struct client *client, struct parcel_fds *given)
{
	pid_t pid = given->count == 1 ? proc_of_pidfd(given->fd[0]) : 0;

	if (pid <= 0)
		return -EINVAL;
	fd_close(&client->pidfd);
	client->pid = pid;
	client->pidfd = given->fd[0];
	given->count = 0;
	return 0;
}

/* Still the same process: its number was not given to another. */
static int bound_check(const struct client *client)
{
	return sys_wait_fd(client->pidfd, POLLIN, 0) ? 0 : -ESRCH;
}

static int do_attach(struct client *client,
		     const struct broker_request *request,
		     struct broker_reply *reply, struct parcel_fds *fds)
{
	struct uffd_attachment made;
	int ret;

	if (request->pid != client->pid)
		return -EACCES;
	ret = bound_check(client);
	if (!ret && request->verb == BROKER_ATTACH)
		ret = uffd_attach(request->pid, &made);
	else if (!ret)
		ret = uffd_adopt(request->pid, request->remote_fd, &made);
	if (ret)
		return ret;
	ret = bound_check(client);
	if (ret) {
		if (request->verb != BROKER_ATTACH || uffd_detach(&made))
			uffd_attachment_close(&made);
		return ret;
	}
	reply->remote_fd = made.remote_fd;
	*fds = (struct parcel_fds){ { made.pidfd, made.uffd }, 2 };
	return 0;
}

static int do_detach(struct client *client,
		     const struct broker_request *request,
		     struct parcel_fds *given)
{
	struct uffd_attachment attachment = {
		.pid = client->pid,
		.remote_fd = request->remote_fd,
	};
	int ret;

	if (given->count != 1 || request->remote_fd < 0)
		return -EINVAL;
	attachment.pidfd = sys_ret(fcntl(client->pidfd, F_DUPFD_CLOEXEC, 0));
	if (attachment.pidfd < 0)
		return attachment.pidfd;
	attachment.uffd = given->fd[0];
	given->count = 0;
	ret = uffd_detach(&attachment);
	uffd_attachment_close(&attachment);
	return ret;
}

static bool ranges_are_sound(const struct broker_request *request)
{
	uint64_t end;

	for (uint32_t i = 0; i < request->range_count; i++) {
		struct range range = request->ranges[i];

		if (!range.len || (range.start | range.len) % 4096 ||
		    __builtin_add_overflow(range.start, range.len, &end) ||
		    end > INT64_MAX)
			return false;
	}
	return true;
}

static int serve(struct client *client, const struct broker_request *request,
		 struct parcel_fds *given, struct broker_reply *reply,
		 struct parcel_fds *fds)
{
	if (!ranges_are_sound(request))
		return -EINVAL;
	if (client->pidfd < 0)
		return -EACCES;
	switch (request->verb) {
	case BROKER_ATTACH:
	case BROKER_ADOPT:
		return do_attach(client, request, reply, fds);
	case BROKER_DETACH:
		return do_detach(client, request, given);
	case BROKER_ZAP:
		return uffd_zap(client->pid, client->pidfd, request->ranges,
				request->range_count);
	default:
		return -EINVAL;
	}
}

/* -errno: nobody binds any more; what is bound stays so. */
static int binder_serve(struct client *client)
{
	struct broker_reply reply = { .remote_fd = -1 };
	struct parcel_fds given;
	uint32_t verb;
	int ret = parcel_receive(client->binder, &verb, sizeof(verb), &given);

	if (ret == (int)sizeof(verb)) {
		reply.err = verb == BROKER_BIND ? client_bind(client, &given) : -EINVAL;
		ret = parcel_send(client->binder, &reply, sizeof(reply), NULL);
	} else {
		ret = -EPIPE;
	}
	parcel_fds_close(&given);
	return ret;
}

/* -errno: the connection is over. */
static int client_serve(struct broker *broker, struct client *client)
{
	const size_t header = offsetof(struct broker_request, ranges);
	struct broker_request *request = &broker->request;
	struct parcel_fds given, fds = { .count = 0 };
	struct broker_reply reply = { .remote_fd = -1 };
	int ret;

	ret = parcel_receive(client->fd, request, sizeof(*request), &given);
	if (ret <= 0 || (size_t)ret < header ||
	    request->range_count > BROKER_RANGES_MAX ||
	    (size_t)ret != header + request->range_count *
			   sizeof(struct range)) {
		parcel_fds_close(&given);
		return -EPROTO;
	}
	reply.err = serve(client, request, &given, &reply, &fds);
	parcel_fds_close(&given);
	ret = parcel_send(client->fd, &reply, sizeof(reply), &fds);
	parcel_fds_close(&fds);
	return ret;
}

/* -errno: the agent is gone, or wants us to go. */
static int control_serve(struct broker *broker)
{
	struct parcel_fds fds;
	char byte;
	int ret = parcel_receive(CONTROL, &byte, sizeof(byte), &fds);

	if (ret == 1 && fds.count == 2) {
		client_add(broker, &fds);
		return 0;
	}
	parcel_fds_close(&fds);
	return ret <= 0 ? -EPIPE : 0;
}

static void clients_serve(struct broker *broker, const struct pollfd *pfds)
{
	/* From the last: dropping one moves only those served. */
	for (unsigned int i = broker->count; i-- > 0;) {
		struct client *client = &broker->clients[i];

		/* First: what is asked next may be about that process. */
		if (pfds[2 * i + 1].revents && binder_serve(client))
			fd_close(&client->binder);
		if (pfds[2 * i].revents && client_serve(broker, client))
			client_drop(broker, i);
	}
}

static void broker_loop(struct broker *broker)
{
	struct pollfd pfds[2 * CLIENTS_MAX + 1];

	for (;;) {
		unsigned int i, count = 2 * broker->count;

		for (i = 0; i < broker->count; i++) {
			pfds[2 * i] = (struct pollfd){ broker->clients[i].fd, POLLIN, 0 };
			pfds[2 * i + 1] = (struct pollfd){ broker->clients[i].binder, POLLIN, 0 };
		}
		pfds[count] = (struct pollfd){ CONTROL, POLLIN, 0 };
		if (sys_retry(poll(pfds, count + 1, -1)) < 0)
			return;
		clients_serve(broker, pfds);
		if (pfds[count].revents && control_serve(broker))
			return;
	}
}

/*
 * SYS_PTRACE: all verbs. SYS_NICE: process_madvise(). SYS_ADMIN, if there:
 * to suspend a guest's seccomp filter for the calls that are not its own.
 */
static int keep_capabilities(void)
{
	static const unsigned int kept[] = {
		CAP_SYS_PTRACE, CAP_SYS_NICE, CAP_SYS_ADMIN,
	};
	bool had[sizeof(kept) / sizeof(kept[0])];

	if (capng_get_caps_process())
		return -EIO;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	if (!had[0])
		return -EPERM;
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (had[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE |
					   CAPNG_PERMITTED, kept[i]))
			return -EIO;
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return -EPERM;
	return sys_ret(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* In the child: keeps standard descriptors and the control socket. */
static int broker_prepare(int control_fd)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	sigset_t none;
	int ret;

	prctl(PR_SET_NAME, "straddle-broker");
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (control_fd != CONTROL) {
		ret = sys_ret(dup3(control_fd, CONTROL, O_CLOEXEC));
		if (ret < 0)
			return ret;
	}
	ret = sys_ret(close_range(CONTROL + 1, ~0U, 0));
	return ret ? ret : keep_capabilities();
}

/* Says how the start went, then serves until the agent is gone. */
static void broker_main(int control_fd)
{
	static struct broker broker;
	int ret = broker_prepare(control_fd);

	if (!parcel_send(CONTROL, &ret, sizeof(ret), NULL) && !ret)
		broker_loop(&broker);
	_exit(ret ? 1 : 0);
}

/**
 * broker_start() - start the broker
 * @control_fd: receives the descriptor whose end is the broker's, too
 * @fail: receives the reason
 *
 * To be called before the agent has threads. The caller reaps the process.
 *
 * Return: its pid or -errno; -EPERM: we lack CAP_SYS_PTRACE.
 */
pid_t broker_start(int *control_fd, struct fail *fail)
{
	struct parcel_fds fds;
	int pair[2], ready = 0, ret;
	pid_t pid;

	ret = sys_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				 pair));
	if (ret)
		return fail_set(fail, ret, "cannot make a socket for the "
				"broker: %s", strerror(-ret));
	pid = sys_ret(fork());
	if (!pid)
		broker_main(pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return fail_set(fail, pid, "cannot start the broker: %s",
				strerror(-pid));
	}
	ret = parcel_receive(pair[0], &ready, sizeof(ready), &fds);
	parcel_fds_close(&fds);
	if (ret == (int)sizeof(ready) && !ready) {
		*control_fd = pair[0];
		return pid;
	}
	ret = ret == (int)sizeof(ready) ? ready : -EPIPE;
	close(pair[0]);
	sys_retry(waitpid(pid, NULL, 0));
	return fail_set(fail, ret, "cannot start the broker: %s",
			ret == -EPERM ? "the agent lacks CAP_SYS_PTRACE; run "
			"it as root or give it that capability" :
			strerror(-ret));
}

/**
 * broker_connect() - make a worker's two connections
 * @control_fd: of a started broker
 * @client_fd: receives the one for whoever asks
 * @binder_fd: receives the one for whoever knows which process is meant
 *
 * Return: 0 or -errno; -EPIPE: the broker is gone.
 */
int broker_connect(int control_fd, int *client_fd, int *binder_fd)
{
	__cleanup_fd int ours = -1, ours_too = -1;
	struct parcel_fds fds = { .count = 0 };
	int pair[2], ret;
	char byte = 0;

	ret = sys_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (ret)
		return ret;
	ours = pair[0];
	fds.fd[fds.count++] = pair[1];
	ret = sys_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (!ret) {
		ours_too = pair[0];
		fds.fd[fds.count++] = pair[1];
		ret = parcel_send(control_fd, &byte, sizeof(byte), &fds);
	}
	parcel_fds_close(&fds);
	if (ret)
		return ret;
	*client_fd = take_fd(&ours);
	*binder_fd = take_fd(&ours_too);
	return 0;
}
