// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_definition.c - how a QEMU was started, from what /proc has of it. */
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/guest.h"
#include "sys.h"
#include "tools/guests/qmp_command.h"

#define DELETED		" (deleted)"

/* What of its environment a program is looked for by, and looks for by. */
static const char *const carried[] = {
	"PATH=", "HOME=", "TMPDIR=", "XDG_RUNTIME_DIR=", "LD_LIBRARY_PATH=",
	"QEMU_MODULE_DIR=",
};

/* A file of /proc/PID, ended by a NUL; the text is the caller's. */
static int file_read(pid_t pid, const char *name, char **text, size_t *size)
{
	__cleanup_file FILE *file = NULL;
	__cleanup_free char *got = malloc(GUEST_DEFINITION_MAX);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = got ? fopen(path, "re") : NULL;
	if (!file)
		return got ? -ESRCH : -ENOMEM;
	*size = fread(got, 1, GUEST_DEFINITION_MAX, file);
	if (*size == GUEST_DEFINITION_MAX)
		return -E2BIG;
	got[*size] = '\0';
	*text = take_ptr(got);
	return 0;
}

static int link_read(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	length = sys_ret(readlink(path, text, size - 1));
	if (length < 0)
		return (int)length;
	text[length] = '\0';
	return 0;
}

/* A program that was replaced since is still the one of that name. */
static int program_add(struct json_object *to, pid_t pid)
{
	char program[PATH_MAX];
	size_t length, tail = strlen(DELETED);
	int ret = link_read(pid, "exe", program, sizeof(program));

	if (ret)
		return ret;
	length = strlen(program);
	if (length > tail && !strcmp(program + length - tail, DELETED))
		program[length - tail] = '\0';
	json_object_object_add(to, "program", json_object_new_string(program));
	return 0;
}

static bool same_file(pid_t pid, const char *spelled, size_t length,
		      const char *path)
{
	char theirs[PATH_MAX];
	struct stat one, other;

	snprintf(theirs, sizeof(theirs), "/proc/%d/%s/%.*s", (int)pid,
		 *spelled == '/' ? "root" : "cwd", (int)length, spelled);
	return !stat(theirs, &one) && !stat(path, &other) &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static int arguments_add(struct json_object *to, pid_t pid, const char *path)
{
	struct json_object *argv = json_object_new_array();
	__cleanup_free char *text = NULL;
	char *at, *next;
	size_t size, length;
	int ret = file_read(pid, "cmdline", &text, &size);

	json_object_object_add(to, "argv", argv);
	if (ret)
		return ret;
	for (at = text; at < text + size; at = next) {
		const char *socket;

		next = at + strlen(at) + 1;
		json_object_array_add(argv, json_object_new_string(at));
		socket = qmp_argument_socket(at, next < text + size ? next : NULL,
					     &length);
		if (socket && same_file(pid, socket, length, path))
			json_object_object_add(to, "socket",
				json_object_new_string_len(socket, (int)length));
	}
	return 0;
}

static bool is_carried(const char *variable)
{
	size_t i;

	for (i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
		if (!strncmp(variable, carried[i], strlen(carried[i])))
			return true;
	return false;
}

static int environment_add(struct json_object *to, pid_t pid)
{
	struct json_object *list = json_object_new_array();
	__cleanup_free char *text = NULL;
	size_t size;
	char *at;
	int ret = file_read(pid, "environ", &text, &size);

	json_object_object_add(to, "environment", list);
	for (at = text; !ret && at < text + size; at += strlen(at) + 1)
		if (is_carried(at))
			json_object_array_add(list, json_object_new_string(at));
	return ret;
}

/* The second number of a line of /proc/PID/status: the effective one. */
static void id_add(struct json_object *to, const char *key, const char *status,
		   const char *line)
{
	const char *at = strstr(status, line);
	unsigned int id;

	if (at && sscanf(at + strlen(line), "%*u %u", &id) == 1)
		json_object_object_add(to, key, json_object_new_int64(id));
}

static int user_add(struct json_object *to, pid_t pid)
{
	struct json_object *groups = json_object_new_array();
	__cleanup_free char *status = NULL;
	unsigned int group;
	const char *at;
	size_t size;
	int used, ret = file_read(pid, "status", &status, &size);

	json_object_object_add(to, "groups", groups);
	if (ret)
		return ret;
	id_add(to, "uid", status, "\nUid:");
	id_add(to, "gid", status, "\nGid:");
	at = strstr(status, "\nGroups:");
	for (at = at ? at + strlen("\nGroups:") : ""; *at != '\n' &&
	     sscanf(at, "%u%n", &group, &used) == 1; at += used)
		json_object_array_add(groups, json_object_new_int64(group));
	return 0;
}

static int definition_fill(struct json_object *to, pid_t pid, const char *path)
{
	char cwd[PATH_MAX];
	int ret = program_add(to, pid);

	if (!ret)
		ret = arguments_add(to, pid, path);
	if (!ret)
		ret = environment_add(to, pid);
	if (!ret)
		ret = user_add(to, pid);
	if (!ret)
		ret = link_read(pid, "cwd", cwd, sizeof(cwd));
	if (!ret)
		json_object_object_add(to, "cwd", json_object_new_string(cwd));
	return ret;
}

/**
 * qmp_definition_make() - how a QEMU was started
 * @pid: of it
 * @path: of the socket of its monitor, by which it is known
 * @text: receives the definition, see qmp_command.h; the caller's
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qmp_definition_make(pid_t pid, const char *path, char **text,
			struct fail *fail)
{
	struct json_object *definition = json_object_new_object();
	int ret = definition_fill(definition, pid, path);
	const char *made = json_object_to_json_string_ext(definition,
					JSON_C_TO_STRING_PLAIN |
					JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!ret && strlen(made) > GUEST_DEFINITION_MAX)
		ret = -E2BIG;
	if (!ret) {
		*text = strdup(made);
		ret = *text ? 0 : -ENOMEM;
	}
	json_object_put(definition);
	return ret ? fail_set(fail, ret, "cannot read how process %d, QEMU at %s, was started: %s",
			      (int)pid, path, strerror(-ret)) : 0;
}
