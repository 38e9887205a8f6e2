// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qmp_arguments.c - the command line of a QEMU, for one that takes its guest
 * over: the same but for where its monitor listens and where its state comes
 * from.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/guests/qmp_command.h"

#define STATE_FD_TEXT	"fd:3"		/* QMP_STATE_FD */
#define ADDED_MAX	6		/* arguments of ours, and a NULL */

enum treatment {
	KEEP,
	DROP,
	DROP_VALUE,		/* and its value */
	REFUSE,
	SOCKET,			/* its value may make the monitor's socket */
	RESOURCE,		/* its value may name a descriptor */
};

/* Options whose name is not here are kept, and values are none of them. */
static const struct {
	const char *name;
	enum treatment treatment;
	const char *why;
} options[] = {
	{ "S", DROP, NULL },
	{ "daemonize", DROP, NULL },
	{ "incoming", DROP_VALUE, NULL },
	{ "loadvm", DROP_VALUE, NULL },
	{ "runas", DROP_VALUE, NULL },	/* it is started as that user */
	{ "qmp", SOCKET, NULL },
	{ "chardev", SOCKET, NULL },
	{ "netdev", RESOURCE, NULL },
	{ "net", RESOURCE, NULL },
	{ "nic", RESOURCE, NULL },
	{ "device", RESOURCE, NULL },
	{ "object", RESOURCE, NULL },
	{ "add-fd", REFUSE, "descriptors that it inherited are not at the other host" },
	{ "snapshot", REFUSE, "what it wrote to its disks is in files without a name" },
	{ "readconfig", REFUSE, "what a file configures is not known; give it as arguments" },
};

static size_t option_find(const char *argument)
{
	size_t i = sizeof(options) / sizeof(options[0]);

	if (*argument++ != '-')
		return i;
	argument += *argument == '-';
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(argument, options[i].name))
			break;
	return i;
}

static enum treatment treatment_of(const char *argument)
{
	size_t i = option_find(argument);

	return i < sizeof(options) / sizeof(options[0]) ? options[i].treatment
							: KEEP;
}

/**
 * qmp_argument_socket() - the Unix socket that an option makes
 * @option: "-qmp"
 * @value: what follows it: "unix:/path,server=on"; or NULL
 * @length: receives the bytes of the path
 *
 * Return: the path, in @value; NULL: it makes none.
 */
const char *qmp_argument_socket(const char *option, const char *value,
				size_t *length)
{
	const char *path = NULL;

	if (!value || treatment_of(option) != SOCKET)
		return NULL;
	if (!strncmp(value, "unix:", 5)) {
		path = value + 5;
	} else if (!strncmp(value, "socket,", 7)) {
		path = strstr(value, ",path=");
		path = path ? path + 6 : NULL;
	}
	if (path)
		*length = strcspn(path, ",");
	return path;
}

/* "fd=3", "fds=3:4", "vhostfd=5", or in JSON; but "mac=52:54:00:fd:fd:01". */
static bool names_descriptor(const char *value)
{
	const char *at = value;

	while ((at = strstr(at, "fd"))) {
		at += 2;
		at += *at == 's';
		if (*at == '=' || (*at == '"' && at[1] == ':'))
			return true;
	}
	return false;
}

struct arguments {
	char **list;		/* NULL-ended, owned */
	size_t count;
	bool monitor;		/* its socket is among them */
	bool threads;		/* their names are, too */
};

static int add(struct arguments *to, const char *text)
{
	to->list[to->count] = strdup(text);
	return to->list[to->count++] ? 0 : -ENOMEM;
}

/* The monitor at its new path; it must not wait for a client to come up. */
static int add_monitor(struct arguments *to, const char *value,
		       const char *at, size_t length, const char *path)
{
	bool waits = !strstr(value, "wait=off") && !strstr(value, "nowait");
	char *text;
	int ret;

	if (asprintf(&text, "%.*s%s%s%s", (int)(at - value), value, path,
		     at + length, waits ? ",wait=off" : "") < 0)
		return -ENOMEM;
	ret = add(to, text);
	free(text);
	to->monitor = true;
	return ret;
}

static int add_socket(struct arguments *to, const char *option,
		      const char *value, const char *socket, const char *path)
{
	size_t length;
	const char *at = qmp_argument_socket(option, value, &length);

	if (at && socket && length == strlen(socket) &&
	    !strncmp(at, socket, length))
		return add_monitor(to, value, at, length, path);
	return add(to, value);
}

static int refuse(struct fail *fail, const char *option, const char *value,
		  const char *why)
{
	return fail_set(fail, -EOPNOTSUPP, "its QEMU cannot be started here with %s%s%.80s: %s",
			option, value ? " " : "", value ? value : "", why);
}

/* One option and, where it is known to have one, its value. */
static int take_option(struct arguments *to, const char *option,
		       const char *value, const char *socket, const char *path,
		       struct fail *fail)
{
	enum treatment treatment = treatment_of(option);
	int ret;

	if (treatment == DROP || treatment == DROP_VALUE)
		return 0;
	if (treatment == REFUSE)
		return refuse(fail, option, NULL, options[option_find(option)].why);
	to->threads |= strstr(option, "debug-threads=on") != NULL;
	ret = add(to, option);
	if (ret || treatment == KEEP || !value)
		return ret;
	if (names_descriptor(value))
		return refuse(fail, option, value,
			      "descriptors that it inherited are not at the other host");
	return treatment == SOCKET ? add_socket(to, option, value, socket, path)
				   : add(to, value);
}

static int take_all(struct arguments *to, struct json_object *from,
		    const char *socket, const char *path, struct fail *fail)
{
	size_t i, count = json_object_array_length(from);
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		const char *option = json_object_get_string(
					json_object_array_get_idx(from, i));
		const char *value = i + 1 < count ? json_object_get_string(
				json_object_array_get_idx(from, i + 1)) : NULL;
		enum treatment treatment = treatment_of(option);

		ret = take_option(to, option, value, socket, path, fail);
		i += treatment == DROP_VALUE || treatment == SOCKET ||
		     treatment == RESOURCE;
	}
	return ret;
}

static int add_ours(struct arguments *to)
{
	int ret = add(to, "-S");

	if (!ret)
		ret = add(to, "-incoming");
	if (!ret)
		ret = add(to, STATE_FD_TEXT);
	/* By their names vCPUs are told apart from other threads. */
	if (!ret && !to->threads)
		ret = add(to, "-name");
	if (!ret && !to->threads)
		ret = add(to, "debug-threads=on");
	return ret;
}

/**
 * qmp_arguments_make() - the arguments of a QEMU that takes a guest over
 * @from: array of texts: those of the one that has it
 * @socket: of its monitor, as they spell it; NULL: they do not make it
 * @path: where the monitor is to listen now
 * @argv: receives them, NULL-ended; qmp_texts_free() frees them
 * @fail: says which cannot be carried over, and why
 *
 * Return: 0; -EOPNOTSUPP: they cannot be carried over; -EINVAL: no monitor is
 * made; -ENOMEM.
 */
int qmp_arguments_make(struct json_object *from, const char *socket,
		       const char *path, char ***argv, struct fail *fail)
{
	struct arguments to = { .list = calloc(json_object_array_length(from) +
					       ADDED_MAX, sizeof(char *)) };
	int ret = to.list ? take_all(&to, from, socket, path, fail) : -ENOMEM;

	if (!ret && !to.monitor)
		ret = fail_set(fail, -EINVAL,
			       "no argument of its QEMU makes the socket of its monitor: start it with -qmp unix:PATH,server=on,wait=off (with -daemonize: give all paths from the root)");
	if (!ret)
		ret = add_ours(&to);
	if (ret) {
		qmp_texts_free(to.list);
		return ret;
	}
	*argv = to.list;
	return 0;
}

/**
 * qmp_texts_free() - free a list of texts
 * @texts: NULL-ended; NULL is fine
 */
void qmp_texts_free(char **texts)
{
	char **at;

	for (at = texts; at && *at; at++)
		free(*at);
	free(texts);
}
