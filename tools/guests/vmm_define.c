// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * vmm_define.c - what is stored under a guest's name is that guest's.
 *
 * A name says little: there may be the definition of another guest, which is
 * neither replaced nor taken for that of the one that comes. The UUID tells.
 */
#include "tools/guests/vmm_define.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/parse.h"
#include "tools/lib/textfile.h"

static int path_of(const struct guest_host *host, const char *name,
		   const char *form, char *path, size_t size,
		   struct fail *fail)
{
	int length;

	if (!*name || *name == '.' || strchr(name, '/'))
		return fail_set(fail, -EINVAL,
				"\"%.80s\" cannot be a guest's name", name);
	length = snprintf(path, size, form, host->definitions_dir, name);
	return length < (int)size ? 0 :
	       fail_set(fail, -ENAMETOOLONG, "%s: the path is too long",
			host->definitions_dir);
}

/**
 * vmm_definition_path() - where a guest's persistent definition is
 * @host: where definitions are
 * @name: the guest's
 * @path: receives the file
 * @size: bytes of @path
 * @fail: says what is wrong with @name
 *
 * Return: 0, -EINVAL or -ENAMETOOLONG.
 */
int vmm_definition_path(const struct guest_host *host, const char *name,
			char *path, size_t size, struct fail *fail)
{
	return path_of(host, name, "%s/%s.json", path, size, fail);
}

/*
 * What define() replaces lies there until vmm_define_end(); an empty file:
 * there was nothing. No guest's name has a dot first.
 */
static int old_path(const struct guest_host *host, const char *name,
		    char *path, size_t size, struct fail *fail)
{
	return path_of(host, name, "%s/.%s.json.old", path, size, fail);
}

/* An object, or NULL. */
static struct json_object *parse(const char *text)
{
	struct json_object *root;

	return json_parse(text, strlen(text), &root) ? NULL : root;
}

static int check_same(const char *path, const char *text, const char *uuid,
		      struct fail *fail)
{
	struct json_object *root = parse(text);
	const char *there = root ? json_text(root, "uuid") : NULL;
	int ret = 0;

	if (!there || !uuid || strcasecmp(there, uuid))
		ret = fail_set(fail, -EEXIST,
			       "%s is of another guest (UUID %.36s): move it away, or migrate with --dname",
			       path, there ? there : "unknown");
	json_object_put(root);
	return ret;
}

/**
 * vmm_definition_free() - is there no other guest's definition of a name?
 * @host: where definitions are
 * @name: the name
 * @uuid: of the guest that may have one, or NULL
 * @fail: says whose it is and what to do
 *
 * Return: 0, -EEXIST or -errno.
 */
int vmm_definition_free(const struct guest_host *host, const char *name,
			const char *uuid, struct fail *fail)
{
	__cleanup_free char *text = NULL;
	char path[PATH_MAX];
	int ret = vmm_definition_path(host, name, path, sizeof(path), fail);

	if (!ret)
		ret = textfile_read(path, GUEST_DEFINITION_MAX, &text, fail);
	return ret || !text ? ret : check_same(path, text, uuid, fail);
}

/* It may have had another name where it comes from. */
static char *text_named(struct json_object *root, const char *text,
			const char *name)
{
	if (!strcmp(json_text(root, "name"), name))
		return strdup(text);
	json_object_object_add(root, "name", json_object_new_string(name));
	return strdup(json_object_to_json_string_ext(root,
				JSON_C_TO_STRING_PRETTY |
				JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* The first that is kept is what was there before it all. */
static int keep_old(const struct guest_host *host, const char *name,
		    const char *before, struct fail *fail)
{
	__cleanup_free char *old = NULL;
	char path[PATH_MAX];
	int ret = old_path(host, name, path, sizeof(path), fail);

	if (!ret)
		ret = textfile_read(path, GUEST_DEFINITION_MAX, &old, fail);
	return ret || old ? ret :
	       textfile_write(path, before ? before : "", fail);
}

/* @before: what lies in @path, or NULL */
static int store(const struct guest_host *host, const char *name,
		 const char *path, const char *before, const char *text,
		 struct fail *fail)
{
	struct json_object *root = parse(text);
	const char *uuid = root ? json_text(root, "uuid") : NULL;
	__cleanup_free char *named = NULL;
	int ret = 0;

	if (!uuid || parse_uuid(uuid) || !json_text(root, "name"))
		ret = fail_set(fail, -EINVAL,
			       "the persistent definition of guest %s is none: it needs a name and a UUID",
			       name);
	if (!ret && before)
		ret = check_same(path, before, uuid, fail);
	if (!ret)
		ret = keep_old(host, name, before, fail);
	if (!ret)
		named = text_named(root, text, name);
	if (!ret)
		ret = named ? textfile_write(path, named, fail) :
			      fail_set(fail, -ENOMEM, "no memory");
	json_object_put(root);
	return ret;
}

/**
 * vmm_define() - store or remove a guest's persistent definition
 * @host: where definitions are
 * @name: the guest's name here, which a stored definition is given
 * @text: a definition with name and UUID, or NULL: remove it
 * @previous: receives what was there, owned by the caller; or NULL
 * @fail: says what failed
 *
 * What is replaced by a stored one is kept until vmm_define_end().
 *
 * Return: 0, -EINVAL (@text is no definition), -EEXIST (another guest's is
 * there) or -errno.
 */
int vmm_define(const struct guest_host *host, const char *name,
	       const char *text, char **previous, struct fail *fail)
{
	__cleanup_free char *before = NULL;
	char path[PATH_MAX];
	int ret = vmm_definition_path(host, name, path, sizeof(path), fail);

	if (!ret)
		ret = textfile_read(path, GUEST_DEFINITION_MAX, &before, fail);
	if (ret)
		return ret;
	if (text && sys_ret(access(host->definitions_dir, F_OK)))
		mkdir(host->definitions_dir, 0700);
	ret = text ? store(host, name, path, before, text, fail) :
		     textfile_remove(path, fail);
	if (!ret && previous)
		*previous = take_ptr(before);
	return ret;
}

/**
 * vmm_define_end() - what vmm_define() stored is to stay, or not
 * @host: where definitions are
 * @name: the guest's name here
 * @keep: false: put back what was there before
 * @fail: says what failed; then it can be tried again
 *
 * Return: 0, also when nothing was stored; or -errno.
 */
int vmm_define_end(const struct guest_host *host, const char *name, bool keep,
		   struct fail *fail)
{
	__cleanup_free char *old = NULL;
	char path[PATH_MAX], kept[PATH_MAX];
	int ret = vmm_definition_path(host, name, path, sizeof(path), fail);

	if (!ret)
		ret = old_path(host, name, kept, sizeof(kept), fail);
	if (!ret)
		ret = textfile_read(kept, GUEST_DEFINITION_MAX, &old, fail);
	if (ret || !old)
		return ret;
	if (!keep)
		ret = *old ? textfile_write(path, old, fail) :
			     textfile_remove(path, fail);
	return ret ? ret : textfile_remove(kept, fail);
}
