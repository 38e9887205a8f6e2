// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_command.c - from a live definition, as a peer sent it, to a command. */
#include "tools/guests/qmp_command.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lib/jsonline.h"

static struct json_object *member(struct json_object *from, const char *key,
				  enum json_type type)
{
	struct json_object *got;

	return json_object_object_get_ex(from, key, &got) &&
	       json_object_is_type(got, type) ? got : NULL;
}

/* A list of texts, and not an empty one. */
static struct json_object *texts(struct json_object *from, const char *key)
{
	struct json_object *list = member(from, key, json_type_array);
	size_t i, count = list ? json_object_array_length(list) : 0;

	for (i = 0; i < count; i++)
		if (!json_object_is_type(json_object_array_get_idx(list, i),
					 json_type_string))
			return NULL;
	return count ? list : NULL;
}

static int texts_copy(struct json_object *list, char ***to)
{
	size_t i, count = list ? json_object_array_length(list) : 0;
	char **made = calloc(count + 1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		made[i] = strdup(json_object_get_string(
					json_object_array_get_idx(list, i)));
		if (!made[i]) {
			qmp_texts_free(made);
			return -ENOMEM;
		}
	}
	*to = made;
	return 0;
}

static int path_copy(struct json_object *from, const char *key, char **to)
{
	const char *path = json_text(from, key);

	if (!path || *path != '/')
		return -EINVAL;
	*to = strdup(path);
	return *to ? 0 : -ENOMEM;
}

static int id_take(struct json_object *number, uint32_t *id)
{
	int64_t value = json_object_is_type(number, json_type_int) ?
			json_object_get_int64(number) : -1;

	/* The last one means "leave it" to setresuid(). */
	if (value < 0 || value >= UINT32_MAX)
		return -EINVAL;
	*id = (uint32_t)value;
	return 0;
}

static int user_take(struct json_object *from, struct qmp_command *to)
{
	struct json_object *groups = member(from, "groups", json_type_array);
	size_t i, count = groups ? json_object_array_length(groups) : 0;
	int ret = id_take(member(from, "uid", json_type_int), &to->uid);

	if (!ret)
		ret = id_take(member(from, "gid", json_type_int), &to->gid);
	if (!ret && (!groups || count > QMP_GROUPS_MAX))
		ret = -EINVAL;
	for (i = 0; i < count && !ret; i++)
		ret = id_take(json_object_array_get_idx(groups, i),
			      &to->groups[i]);
	to->group_count = count;
	return ret;
}

static int command_fill(struct json_object *from, const char *path,
			struct qmp_command *to, struct fail *fail)
{
	struct json_object *argv = texts(from, "argv");
	int ret = argv ? path_copy(from, "program", &to->program) : -EINVAL;

	if (!ret)
		ret = path_copy(from, "cwd", &to->cwd);
	if (!ret)
		ret = user_take(from, to);
	if (!ret)
		ret = texts_copy(texts(from, "environment"), &to->environment);
	return ret ? ret : qmp_arguments_make(argv, json_text(from, "socket"),
					      path, &to->argv, fail);
}

/**
 * qmp_command_make() - how to start a QEMU that takes a guest over
 * @definition: the guest's live one, from anywhere
 * @path: where its monitor is to listen
 * @command: receives it; qmp_command_fini() frees it
 * @fail: says what is wrong with the definition, or cannot be carried over
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP or -ENOMEM.
 */
int qmp_command_make(const char *definition, const char *path,
		     struct qmp_command *command, struct fail *fail)
{
	struct json_object *from;
	int ret = json_parse(definition, strlen(definition), &from);

	memset(command, 0, sizeof(*command));
	if (!ret) {
		ret = command_fill(from, path, command, fail);
		json_object_put(from);
	}
	if (!ret)
		return 0;
	qmp_command_fini(command);
	if (ret == -ENOMEM)
		return fail_set(fail, ret, "no memory");
	if (ret == -EPROTO)
		ret = -EINVAL;
	return fail_set(fail, ret,
			"its live definition does not say how a QEMU was started; is the source's agent of another version?");
}

/**
 * qmp_command_fini() - free a command
 * @command: made, or all zero
 */
void qmp_command_fini(struct qmp_command *command)
{
	free(command->program);
	qmp_texts_free(command->argv);
	qmp_texts_free(command->environment);
	free(command->cwd);
	memset(command, 0, sizeof(*command));
}
