// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qmp_incoming.c - start the QEMU that a guest comes into, and load its state.
 *
 * It reads its state from a pipe. First only the head: once that is read, QEMU
 * is up and waits for more, and its monitor answers. Then, much later, the
 * rest; when QEMU closes its end it has loaded all of it. A writer that dies
 * is a stream cut short: QEMU ends by itself.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu_stream.h"
#include "tools/guests/qmp_command.h"
#include "tools/guests/qmp_guest.h"

#define START_MS	60000	/* QEMU to come up, and wait */
#define LOAD_MS		60000	/* QEMU to load its devices */
#define END_MS		5000	/* a QEMU that cannot go on, to say so */
#define HEAD_PIPE	4096	/* one page: writable means read up */
#define STATE_PIPE	(1 << 20)

/* The last lines of what it printed: QEMU's reason comes last. */
static void log_tail(const struct guest *guest, char *text, size_t size)
{
	__cleanup_fd int fd = sys_ret(open(guest->log, O_RDONLY | O_CLOEXEC));
	struct stat status;
	ssize_t got = 0;
	char *at;

	if (fd >= 0 && !fstat(fd, &status))
		got = pread(fd, text, size - 1, status.st_size < (off_t)size ?
			    0 : status.st_size - (off_t)size + 1);
	while (got > 0 && text[got - 1] == '\n')
		got--;
	text[got > 0 ? got : 0] = '\0';
	for (at = text; *at; at++)
		if ((unsigned char)*at < ' ')
			*at = *at == '\n' ? ';' : ' ';
}

static int qemu_ended(const struct guest *guest, const char *when,
		      struct fail *fail)
{
	char said[200];

	log_tail(guest, said, sizeof(said));
	return fail_set(fail, -EIO, "QEMU of guest '%s' ended %s; it said (%s): %s",
			guest->qemu.name, when, guest->log,
			*said ? said : "nothing");
}

/*
 * Wait until the pipe is ready for @events, or closed by QEMU.
 * Return: 0; -EPIPE: closed; -EIO: QEMU has ended, with @fail; or -errno.
 */
static int wait_pipe(struct guest *guest, short events, uint64_t end_ns,
		     const char *when, struct fail *fail)
{
	struct pollfd fds[] = {
		{ .fd = guest->state, .events = events },
		{ .fd = guest->qemu.pidfd, .events = POLLIN },
	};
	uint64_t now = now_ns();
	int ret = sys_retry(poll(fds, 2, now < end_ns ?
				 (int)((end_ns - now) / 1000000) : 0));

	if (ret < 0)
		return ret;
	if (!ret)
		return fail_set(fail, -ETIMEDOUT,
				"QEMU of guest '%s' (process %d) takes too long %s; see %s",
				guest->qemu.name, (int)guest->qemu.pid, when,
				guest->log);
	if (fds[1].revents)
		return qemu_ended(guest, when, fail);
	return fds[0].revents & POLLERR ? -EPIPE : 0;
}

/* It closed the pipe too early: why is known when it has ended. */
static int closed_early(struct guest *guest, const char *when,
			struct fail *fail)
{
	sys_wait_fd(guest->qemu.pidfd, POLLIN, END_MS);
	return qemu_ended(guest, when, fail);
}

static int state_write(struct guest *guest, const void *bytes, size_t size,
		       uint64_t end_ns, const char *when, struct fail *fail)
{
	size_t done = 0;

	while (done < size) {
		int ret = wait_pipe(guest, POLLOUT, end_ns, when, fail);
		ssize_t put = 0;

		if (!ret)
			put = sys_retry(write(guest->state,
					      (const char *)bytes + done,
					      size - done));
		if (ret == -EPIPE || put == -EPIPE)
			return closed_early(guest, when, fail);
		if (ret || (put < 0 && put != -EAGAIN))
			return ret ? ret : (int)put;
		done += put > 0 ? (size_t)put : 0;
	}
	return 0;
}

static int log_open(struct guest *guest, const char *run_dir)
{
	char *at;
	int base = snprintf(guest->log, sizeof(guest->log), "%s/", run_dir);

	if (base < 0 || snprintf(guest->log + base, sizeof(guest->log) -
				 (size_t)base, "qemu%s.log", guest->line.path)
			>= (int)sizeof(guest->log) - base)
		return -ENAMETOOLONG;
	for (at = guest->log + base; *at; at++)
		if (*at == '/')
			*at = '-';
	return sys_ret(open(guest->log, O_WRONLY | O_CREAT | O_TRUNC |
			    O_APPEND | O_CLOEXEC, 0600));
}

static int start(struct guest *guest, const struct guest_host *host,
		 const struct qmp_command *command, int state,
		 struct fail *fail)
{
	__cleanup_fd int log = log_open(guest, host->run_dir);
	pid_t pid = 0;
	int ret = log < 0 ? log : qmp_process_start(command, state, log, &pid);

	if (ret)
		return fail_set(fail, ret, "cannot start %s for guest '%s' (log %s): %s",
				command->program, guest->qemu.name, guest->log,
				strerror(-ret));
	guest->line.pid = pid;		/* nobody else may answer there */
	return qemu_watch(&guest->qemu, pid, fail);
}

/* Up to where it waits for the rest of its state. */
static int bring_up(struct guest *guest, struct fail *fail)
{
	uint64_t end_ns = now_ns() + START_MS * 1000000ull;
	const char *when = "while it started";
	int ret = state_write(guest, qemu_stream_head, QEMU_STREAM_HEAD,
			      end_ns, when, fail);

	if (!ret)
		ret = wait_pipe(guest, POLLOUT, end_ns, when, fail);
	if (ret == -EPIPE)
		ret = closed_early(guest, when, fail);
	guest->held = true;
	return ret ? ret : qmp_mark(guest, fail);
}

static int pipe_make(struct guest *guest, int *other)
{
	int ends[2], ret = sys_ret(pipe2(ends, O_CLOEXEC));

	if (ret)
		return ret;
	*other = ends[0];
	guest->state = ends[1];
	ret = sys_ret(fcntl(guest->state, F_SETPIPE_SZ, HEAD_PIPE));
	if (ret >= 0)
		ret = sys_ret(fcntl(guest->state, F_SETFL, O_NONBLOCK));
	return ret < 0 ? ret : 0;
}

static int make(struct guest *guest, const struct guest_host *host,
		const struct guest_incoming *incoming, struct fail *fail)
{
	__cleanup_fd int other = -1;
	struct qmp_command command;
	int ret = qmp_command_make(incoming->live, guest->line.path, &command,
				   fail);

	if (ret)
		return ret;
	ret = pipe_make(guest, &other);
	if (!ret)
		ret = start(guest, host, &command, other, fail);
	qmp_command_fini(&command);
	if (other >= 0)
		close(take_fd(&other));	/* or its end would not be seen */
	return ret ? ret : bring_up(guest, fail);
}

/**
 * qmp_create_incoming() - start a QEMU that waits for its state
 * @host: where its log goes
 * @incoming: what is to come
 * @guest: receives it
 * @fail: says why not; then nothing is left
 *
 * Return: 0 or -errno.
 */
int qmp_create_incoming(const struct guest_host *host,
			const struct guest_incoming *incoming,
			struct guest **guest, struct fail *fail)
{
	struct fail why = { 0 }, ignored = { 0 };
	struct guest *made = qmp_guest_new(incoming->name, &why);
	int ret = made ? qmp_check(host, incoming, &why) : why.err;

	if (!ret)
		ret = make(made, host, incoming, &why);
	if (ret) {
		if (made)
			qemu_kill(&made->qemu, &ignored);
		qmp_guest_close(made);
		return fail_set(fail, ret, "%s", why.err ? why.text :
				strerror(-ret));
	}
	*guest = made;
	return 0;
}

static int state_hand_over(struct guest *guest, int state_fd, uint64_t end_ns,
			   struct fail *fail)
{
	struct qemu_rest rest;
	int ret = qemu_rest_open(state_fd, !guest->qemu.came_ahead, &rest, fail);

	if (ret)
		return ret;
	ret = state_write(guest, rest.bytes, rest.size, end_ns,
			  "while it loaded its devices", fail);
	qemu_rest_close(&rest);
	return ret;
}

/* QEMU closes its end when all is loaded, or when it cannot be. */
static int loaded(struct guest *guest, uint64_t end_ns, struct fail *fail)
{
	char status[32] = "";
	int ret = wait_pipe(guest, 0, end_ns, "while it loaded its devices",
			    fail);

	if (ret != -EPIPE)
		return ret;
	ret = qmp_status(guest, status, sizeof(status), NULL);
	if (ret)
		return closed_early(guest, "when its devices were loaded", fail);
	if (strcmp(status, "paused"))
		return fail_set(fail, -EBUSY,
				"guest '%s' is %s after its devices were loaded, not paused",
				guest->qemu.name, status);
	close(guest->state);
	guest->state = -1;
	return 0;
}

static int is_incoming(struct guest *guest, struct fail *fail)
{
	return guest->state >= 0 ? 0 :
	       fail_set(fail, -EINVAL, "guest '%s' is not coming in",
			guest->qemu.name);
}

/**
 * qmp_load_ahead() - hand over what came before the guest stopped
 * @guest: that comes in
 * @state_fd: the stream's first part, of the source's qemu_save_ahead()
 * @fail: says what failed, in QEMU's words
 *
 * Return: 0 or -errno.
 */
int qmp_load_ahead(struct guest *guest, int state_fd, struct fail *fail)
{
	uint64_t end_ns = now_ns() + LOAD_MS * 1000000ull;
	int ret = is_incoming(guest, fail);

	if (!ret)
		ret = state_hand_over(guest, state_fd, end_ns, fail);
	guest->qemu.came_ahead = !ret;
	return ret;
}

/**
 * qmp_load() - hand over the device state; the guest stays paused
 * @guest: that comes in
 * @state_fd: the stream, or its rest, of the source's qemu_save()
 * @fail: says what failed, in QEMU's words
 *
 * Return: 0 or -errno.
 */
int qmp_load(struct guest *guest, int state_fd, struct fail *fail)
{
	uint64_t end_ns = now_ns() + LOAD_MS * 1000000ull;
	int ret = is_incoming(guest, fail);

	if (ret)
		return ret;
	/* Where it is not allowed it takes a little longer. */
	(void)sys_ret(fcntl(guest->state, F_SETPIPE_SZ, STATE_PIPE));
	ret = state_hand_over(guest, state_fd, end_ns, fail);
	return ret ? ret : loaded(guest, end_ns, fail);
}
