// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qmp_line.c - one command, one answer, each a line of JSON.
 *
 * As QEMU's docs/interop/qmp-spec.rst has it: a greeting, qmp_capabilities,
 * then commands; events come in between and are not for us. A command that got
 * no answer in time ends the line, so that no late answer is taken for the
 * next one's.
 */
#include "tools/guests/qmp_line.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/parcel.h"

#define LINE_MAX_BYTES	(8u << 20)	/* of an answer: "info mtree" is long */
#define GREETING_MS	5000
#define CAPABILITIES	"{\"execute\":\"qmp_capabilities\"}"

/**
 * qmp_line_init() - a line that is not open yet
 * @line: to initialise
 * @path: of the socket, shorter than QMP_PATH_MAX
 */
void qmp_line_init(struct qmp_line *line, const char *path)
{
	memset(line, 0, sizeof(*line));
	snprintf(line->path, sizeof(line->path), "%s", path);
	line->fd = -1;
}

/**
 * qmp_line_close() - hang up; whoever waits for the monitor gets it
 * @line: open or not
 */
void qmp_line_close(struct qmp_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
	jsonline_fini(&line->in);
}

static int left_ms(uint64_t end_ns)
{
	uint64_t now = now_ns();

	return now < end_ns ? (int)((end_ns - now) / 1000000) : 0;
}

/* Past its end nothing is read, however much there is. */
static int object_read(struct qmp_line *line, uint64_t end_ns,
		       struct json_object **object)
{
	for (;;) {
		int ret = jsonline_next(&line->in, object);
		ssize_t got;

		if (ret)
			return ret < 0 ? ret : 0;
		ret = now_ns() < end_ns ?
		      sys_wait_fd(line->fd, POLLIN, left_ms(end_ns)) :
		      -ETIMEDOUT;
		if (ret)
			return ret;
		got = jsonline_read(&line->in, line->fd);
		if (got <= 0)
			return got ? (int)got : -EPIPE;
	}
}

/* Events may come at any time, also many: the time limit is for all of it. */
static int answer_read(struct qmp_line *line, uint64_t end_ns,
		       struct json_object **answer)
{
	for (;;) {
		struct json_object *object;
		int ret = object_read(line, end_ns, &object);

		if (ret)
			return ret;
		if (json_object_object_get_ex(object, "return", NULL) ||
		    json_object_object_get_ex(object, "error", NULL)) {
			*answer = object;
			return 0;
		}
		json_object_put(object);
	}
}

static int command_send(struct qmp_line *line, const char *command, int fd)
{
	const struct parcel_fds fds = { .fd = { fd }, .count = fd >= 0 };
	__cleanup_free char *text = NULL;
	int size = asprintf(&text, "%s\n", command);

	return size < 0 ? -ENOMEM :
	       parcel_send(line->fd, text, (size_t)size, &fds);
}

/* Who it is, by the kernel's word; it must not change while we look away. */
static int peer_take(struct qmp_line *line)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int ret = sys_ret(getsockopt(line->fd, SOL_SOCKET, SO_PEERCRED, &peer,
				     &size));

	if (ret)
		return ret;
	if (line->pid && line->pid != peer.pid)
		return -ESTALE;
	line->pid = peer.pid;
	return 0;
}

static int line_connect(struct qmp_line *line)
{
	struct timeval limit = { .tv_sec = GREETING_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	memcpy(address.sun_path, line->path, sizeof(address.sun_path));
	line->fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (line->fd < 0)
		return line->fd;
	/* Holds for connect(), too: unix_stream_connect() in the kernel. */
	setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	ret = sys_retry(connect(line->fd, (struct sockaddr *)&address,
				sizeof(address)));
	if (ret == -EAGAIN)
		ret = -ETIMEDOUT;
	if (!ret)
		ret = peer_take(line);
	return ret ? ret : jsonline_init(&line->in, LINE_MAX_BYTES);
}

static int greet(struct qmp_line *line)
{
	uint64_t end_ns = now_ns() + GREETING_MS * 1000000ull;
	struct json_object *object;
	int ret = object_read(line, end_ns, &object);

	if (ret)
		return ret;
	if (!json_object_object_get_ex(object, "QMP", NULL))
		ret = -EPROTO;
	json_object_put(object);
	if (!ret)
		ret = command_send(line, CAPABILITIES, -1);
	if (!ret)
		ret = answer_read(line, end_ns, &object);
	if (ret)
		return ret;
	if (!json_object_object_get_ex(object, "return", NULL))
		ret = -EPROTO;
	json_object_put(object);
	return ret;
}

static int open_failed(const struct qmp_line *line, int error,
		       struct fail *fail)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:	/* a socket that a dead QEMU left */
		return fail_set(fail, -ENOENT,
				"no QEMU listens at %s: start it with -qmp unix:%s,server=on,wait=off",
				line->path, line->path);
	case -ETIMEDOUT:
		return fail_set(fail, -EBUSY,
				"QEMU does not answer at %s: another client has the monitor, which serves one at a time (or QEMU is stopped); end that client, or give QEMU a second -qmp",
				line->path);
	case -ESTALE:
		return fail_set(fail, error,
				"another process than %d listens at %s now",
				(int)line->pid, line->path);
	case -EPROTO:
		return fail_set(fail, error,
				"what listens at %s does not speak QMP, a line an answer: start it with -qmp, not -monitor or -qmp-pretty",
				line->path);
	default:
		return fail_set(fail, error, "cannot talk to QEMU at %s: %s",
				line->path, strerror(-error));
	}
}

/**
 * qmp_line_open() - connect, and wait for QEMU to listen to us
 * @line: nothing is done when it is open
 * @fail: says why not, and what to do
 *
 * Return: 0; -ENOENT: nobody listens there; -EBUSY: somebody else has the
 * monitor; -ESTALE: it is another process than before; or -errno.
 */
int qmp_line_open(struct qmp_line *line, struct fail *fail)
{
	int ret;

	if (line->fd >= 0)
		return 0;
	ret = line_connect(line);
	if (!ret)
		ret = greet(line);
	if (!ret)
		return 0;
	qmp_line_close(line);
	return open_failed(line, ret, fail);
}

/**
 * qmp_line_call() - one command, and QEMU's answer to it
 * @line: is opened, if it is not
 * @command: JSON without a line feed
 * @fd: descriptor that goes along (borrowed), or -1
 * @timeout_ms: for the answer
 * @reply: receives it as text, "return" or "error" in it; the caller's
 * @fail: says what failed
 *
 * Return: 0 or -errno; then the line is closed.
 */
int qmp_line_call(struct qmp_line *line, const char *command, int fd,
		  int timeout_ms, char **reply, struct fail *fail)
{
	uint64_t end_ns = now_ns() + (uint64_t)timeout_ms * 1000000;
	struct json_object *answer;
	int ret = qmp_line_open(line, fail);

	if (ret)
		return ret;
	ret = command_send(line, command, fd);
	if (!ret)
		ret = answer_read(line, end_ns, &answer);
	if (ret) {
		qmp_line_close(line);
		return fail_set(fail, ret, "QEMU at %s gives no answer: %s",
				line->path, strerror(-ret));
	}
	*reply = strdup(json_object_to_json_string_ext(answer,
						JSON_C_TO_STRING_PLAIN));
	json_object_put(answer);
	return *reply ? 0 : -ENOMEM;
}
