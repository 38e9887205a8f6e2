// SPDX-License-Identifier: LGPL-2.1-or-later
/* qemu_monitor.c - QMP commands and their answers. */
#include "tools/guests/qemu_monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "tools/lib/jsonline.h"

static int answer_error(struct qemu_monitor *monitor, const char *verb,
			struct json_object *reply, struct fail *fail)
{
	struct json_object *error = NULL;
	const char *text = NULL;

	if (json_object_object_get_ex(reply, "error", &error))
		text = json_text(error, "desc");
	return fail_set(fail, -EREMOTEIO, "QEMU of guest '%s' refuses %s: %s",
			monitor->guest, verb, text ? text : "no reason given");
}

static int answer_take(struct qemu_monitor *monitor, const char *verb,
		       const char *text, struct json_object **answer,
		       struct fail *fail)
{
	struct json_object *reply, *value;
	int ret = json_parse(text, strlen(text), &reply);

	if (ret)
		return fail_set(fail, -EPROTO,
				"QEMU of guest '%s' answers %s with something that is no JSON",
				monitor->guest, verb);
	if (!json_object_object_get_ex(reply, "return", &value))
		ret = answer_error(monitor, verb, reply, fail);
	else if (answer)
		*answer = json_object_get(value);
	json_object_put(reply);
	return ret;
}

/**
 * qemu_call() - one command, and what it returns
 * @monitor: of the guest
 * @verb: name of the command
 * @arguments: an object, freed here; or NULL
 * @fd: descriptor that goes along (borrowed), or -1
 * @answer: receives what it returned, the caller's; NULL: not wanted
 * @fail: says what failed, in QEMU's words
 *
 * Return: 0; -EREMOTEIO: QEMU says no; or -errno of the line to it.
 */
int qemu_call(struct qemu_monitor *monitor, const char *verb,
	      struct json_object *arguments, int fd,
	      struct json_object **answer, struct fail *fail)
{
	struct json_object *command = json_object_new_object();
	__cleanup_free char *reply = NULL;
	int ret;

	json_object_object_add(command, "execute", json_object_new_string(verb));
	if (arguments)
		json_object_object_add(command, "arguments", arguments);
	ret = monitor->ops->call(monitor, json_object_to_json_string_ext(
				 command, JSON_C_TO_STRING_PLAIN |
				 JSON_C_TO_STRING_NOSLASHESCAPE), fd, &reply,
				 fail);
	json_object_put(command);
	return ret ? ret : answer_take(monitor, verb, reply, answer, fail);
}

/**
 * qemu_human() - a command of the human monitor, for what QMP lacks
 * @monitor: of the guest
 * @line: the command
 * @text: receives what it printed, the caller's
 * @fail: says what failed
 *
 * Return: 0 or -errno as qemu_call().
 */
int qemu_human(struct qemu_monitor *monitor, const char *line, char **text,
	       struct fail *fail)
{
	struct json_object *arguments = json_object_new_object(), *answer;
	int ret;

	json_object_object_add(arguments, "command-line",
			       json_object_new_string(line));
	ret = qemu_call(monitor, "human-monitor-command", arguments, -1,
			&answer, fail);
	if (ret)
		return ret;
	if (!json_object_is_type(answer, json_type_string)) {
		json_object_put(answer);
		return fail_set(fail, -EPROTO, "QEMU of guest '%s' answers '%s' with no text",
				monitor->guest, line);
	}
	*text = strdup(json_object_get_string(answer));
	json_object_put(answer);
	return *text ? 0 : -ENOMEM;
}

/**
 * qemu_fd_add() - hand over a descriptor, to be named /dev/fdset/N
 * @monitor: of the guest
 * @fd: borrowed; QEMU forgets one that it does not use when the other end of
 *	its monitor goes away
 * @set: receives N
 * @fail: says what failed
 *
 * Return: 0 or -errno as qemu_call().
 */
int qemu_fd_add(struct qemu_monitor *monitor, int fd, int64_t *set,
		struct fail *fail)
{
	struct json_object *answer, *id;
	int ret = qemu_call(monitor, "add-fd", NULL, fd, &answer, fail);

	if (ret)
		return ret;
	if (json_object_object_get_ex(answer, "fdset-id", &id))
		*set = json_object_get_int64(id);
	else
		ret = fail_set(fail, -EPROTO,
			       "QEMU of guest '%s' took a file and gave it no number",
			       monitor->guest);
	json_object_put(answer);
	return ret;
}

/**
 * qemu_fd_remove() - take it back
 * @monitor: of the guest
 * @set: of qemu_fd_add(), or -1: nothing; -1 afterwards
 */
void qemu_fd_remove(struct qemu_monitor *monitor, int64_t *set)
{
	struct json_object *arguments;
	struct fail ignored = { 0 };

	if (*set < 0)
		return;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "fdset-id", json_object_new_int64(*set));
	qemu_call(monitor, "remove-fd", arguments, -1, NULL, &ignored);
	*set = -1;
}
