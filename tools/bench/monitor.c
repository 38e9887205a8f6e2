// SPDX-License-Identifier: LGPL-2.1-or-later
/* monitor.c - QMP, as QEMU's docs/interop/qmp-spec.rst has it. */
#include "tools/bench/monitor.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/program.h"

#define LINE_MAX_BYTES	(1u << 20)
#define ANSWER_MS	30000

/* {"timestamp":{"seconds":S,"microseconds":U},"event":"STOP"} */
static void event_note(struct monitor *monitor, struct json_object *object)
{
	const char *name = json_text(object, "event");
	struct json_object *when, *seconds, *more;
	uint64_t us;

	if (!name || !json_object_object_get_ex(object, "timestamp", &when) ||
	    !json_object_object_get_ex(when, "seconds", &seconds) ||
	    !json_object_object_get_ex(when, "microseconds", &more))
		return;
	us = (uint64_t)json_object_get_int64(seconds) * 1000000u +
	     (uint64_t)json_object_get_int64(more);
	if (!strcmp(name, "STOP"))
		monitor->stopped_us = us;
	if (!strcmp(name, "RESUME"))
		monitor->resumed_us = us;
}

/* The next line that is no event. */
static int line_read(struct monitor *monitor, struct json_object **object)
{
	for (;;) {
		int ret = jsonline_next(&monitor->in, object);

		if (ret < 0)
			return ret;
		if (ret && !json_text(*object, "event"))
			return 0;
		if (ret) {
			event_note(monitor, *object);
			json_object_put(*object);
			continue;
		}
		ret = sys_wait_fd(monitor->fd, POLLIN, ANSWER_MS);
		if (!ret)
			ret = (int)jsonline_read(&monitor->in, monitor->fd) ?: -EPIPE;
		if (ret < 0)
			return ret;
	}
}

/* At once: QEMU does not wait for the line's end, and may be gone by then. */
static int send_line(struct monitor *monitor, const char *command)
{
	__cleanup_free char *line = NULL;
	int size = asprintf(&line, "%s\n", command);

	return size < 0 ? -ENOMEM : sys_write_all(monitor->fd, line, (size_t)size);
}

/**
 * monitor_ask() - a command, and its answer
 * @monitor: open
 * @command: JSON on one line
 * @answer: receives what QEMU returns, the caller's; may be NULL
 * @fail: says what QEMU has against it
 *
 * Return: 0 or -errno.
 */
int monitor_ask(struct monitor *monitor, const char *command, struct json_object **answer,
		struct fail *fail)
{
	struct json_object *object, *got;
	int ret = send_line(monitor, command);

	if (!ret)
		ret = line_read(monitor, &object);
	if (ret)
		return fail_set(fail, ret, "QEMU's monitor does not answer: %s", strerror(-ret));
	if (!json_object_object_get_ex(object, "return", &got))
		ret = fail_set(fail, -EPROTO, "QEMU says to %s: %s", command,
			       json_object_to_json_string(object));
	else if (answer)
		*answer = json_object_get(got);
	json_object_put(object);
	return ret;
}

/**
 * monitor_hear() - take in what has come, without waiting
 * @monitor: open, and not asked anything
 *
 * Return: 0; -EPIPE: QEMU has ended; or -errno.
 */
int monitor_hear(struct monitor *monitor)
{
	struct json_object *object;
	int ret;

	while (!sys_wait_fd(monitor->fd, POLLIN, 0)) {
		ssize_t got = jsonline_read(&monitor->in, monitor->fd);

		if (got <= 0)
			return got ? (int)got : -EPIPE;
		while ((ret = jsonline_next(&monitor->in, &object)) > 0) {
			event_note(monitor, object);
			json_object_put(object);
		}
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * monitor_open() - connect, and have it listen
 * @monitor: receives it
 * @path: of its socket
 * @fail: says why not
 *
 * Return: 0; -EAGAIN: nobody listens yet; or -errno.
 */
int monitor_open(struct monitor *monitor, const char *path, struct fail *fail)
{
	struct json_object *greeting;
	int ret, fd = socket_meet(path);

	*monitor = (struct monitor){ .fd = fd };
	if (fd < 0)
		return fd;
	ret = jsonline_init(&monitor->in, LINE_MAX_BYTES);
	if (ret) {
		close(fd);
		monitor->fd = -1;
		return ret;
	}
	ret = line_read(monitor, &greeting);
	if (ret) {
		monitor_close(monitor);
		return fail_set(fail, ret, "QEMU's monitor does not greet: %s", strerror(-ret));
	}
	json_object_put(greeting);
	ret = monitor_ask(monitor, "{\"execute\":\"qmp_capabilities\"}", NULL, fail);
	if (ret)
		monitor_close(monitor);
	return ret;
}

/**
 * monitor_close() - hang up
 * @monitor: open or not
 */
void monitor_close(struct monitor *monitor)
{
	if (monitor->fd < 0)
		return;
	jsonline_fini(&monitor->in);
	close(monitor->fd);
	monitor->fd = -1;
}
