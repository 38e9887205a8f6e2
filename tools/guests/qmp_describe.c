// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qmp_describe.c - what a QEMU says of its guest.
 *
 * One that came in carries a mark, an object of QEMU's that does nothing,
 * until it is paused or resumed here for the first time: an agent that finds
 * it after its worker is gone can tell it from one that ran here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/guests/qmp_command.h"
#include "tools/guests/qmp_guest.h"
#include "tools/lib/jsonline.h"

#define MARK		"straddle-incoming"
#define NO_UUID		"00000000-0000-0000-0000-000000000000"

/**
 * qmp_mark() - mark a guest as one that is coming in
 * @guest: that waits for its state
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int qmp_mark(struct guest *guest, struct fail *fail)
{
	struct json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "qom-type", json_object_new_string("rng-builtin"));
	json_object_object_add(arguments, "id", json_object_new_string(MARK));
	guest->marked = true;
	return qemu_call(&guest->qemu.monitor, "object-add", arguments, -1,
			 NULL, fail);
}

/**
 * qmp_unmark() - it is here
 * @guest: marked by us, or not
 */
void qmp_unmark(struct guest *guest)
{
	struct json_object *arguments;
	struct fail ignored = { 0 };

	if (!guest->marked)
		return;
	guest->marked = false;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "id", json_object_new_string(MARK));
	qemu_call(&guest->qemu.monitor, "object-del", arguments, -1, NULL,
		  &ignored);
}

static int marked_ask(struct guest *guest, struct fail *fail)
{
	struct json_object *arguments = json_object_new_object(), *list;
	size_t i;
	int ret;

	json_object_object_add(arguments, "path", json_object_new_string("/objects"));
	ret = qemu_call(&guest->qemu.monitor, "qom-list", arguments, -1, &list,
			fail);
	if (ret)
		return ret;
	guest->marked = false;
	for (i = 0; json_object_is_type(list, json_type_array) &&
	     i < json_object_array_length(list); i++) {
		const char *name = json_text(json_object_array_get_idx(list, i),
					     "name");

		if (name && !strcmp(name, MARK))
			guest->marked = true;
	}
	json_object_put(list);
	return 0;
}

/* Text of a member of what a command returns; "" when there is none. */
static int text_ask(struct guest *guest, const char *verb, const char *key,
		    char *text, size_t size, struct fail *fail)
{
	struct json_object *answer;
	const char *got;
	int ret = qemu_call(&guest->qemu.monitor, verb, NULL, -1, &answer, fail);

	if (ret)
		return ret;
	got = json_text(answer, key);
	snprintf(text, size, "%s", got ? got : "");
	json_object_put(answer);
	return 0;
}

/**
 * qmp_status() - the state of a guest, in QEMU's word
 * @guest: open
 * @status: receives it: "running", "paused", "inmigrate", ...
 * @size: of @status
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qmp_status(struct guest *guest, char *status, size_t size,
	       struct fail *fail)
{
	return text_ask(guest, "query-status", "status", status, size, fail);
}

static int state_ask(struct guest *guest, struct guest_description *to,
		     struct fail *fail)
{
	char status[32];
	int ret = qmp_status(guest, status, sizeof(status), fail);

	if (!ret)
		ret = marked_ask(guest, fail);
	if (ret)
		return ret;
	to->running = !strcmp(status, "running");
	to->incoming = guest->marked || !strcmp(status, "inmigrate");
	to->drain = true;	/* disks may be read past the page cache */
	return 0;
}

static int size_ask(struct guest *guest, struct guest_description *to,
		    struct fail *fail)
{
	struct json_object *answer, *bytes;
	int ret = qemu_call(&guest->qemu.monitor, "query-cpus-fast", NULL, -1,
			    &answer, fail);

	if (ret)
		return ret;
	if (json_object_is_type(answer, json_type_array))
		to->vcpus = (unsigned int)json_object_array_length(answer);
	json_object_put(answer);
	ret = qemu_call(&guest->qemu.monitor, "query-memory-size-summary", NULL,
			-1, &answer, fail);
	if (ret)
		return ret;
	if (json_object_object_get_ex(answer, "base-memory", &bytes))
		to->memory_bytes = json_object_get_uint64(bytes);
	if (json_object_object_get_ex(answer, "plugged-memory", &bytes))
		to->memory_bytes += json_object_get_uint64(bytes);
	json_object_put(answer);
	return 0;
}

/* Both hosts' journals know a guest by its UUID; a made-up one changes. */
static int uuid_ask(struct guest *guest, struct guest_description *to,
		    struct fail *fail)
{
	int ret = text_ask(guest, "query-uuid", "UUID", to->uuid,
			   sizeof(to->uuid), fail);

	if (ret || strcmp(to->uuid, NO_UUID))
		return ret;
	return fail_set(fail, -EINVAL,
			"QEMU of guest '%s' has no UUID, by which the two hosts know it: start it with -uuid and the output of uuidgen",
			guest->qemu.name);
}

/**
 * qmp_describe() - what a guest is
 * @guest: open
 * @description: receives it; guest_description_fini() frees it
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qmp_describe(struct guest *guest, struct guest_description *description,
		 struct fail *fail)
{
	struct guest_description got = { .pid = guest->qemu.pid };
	int ret = state_ask(guest, &got, fail);

	snprintf(got.name, sizeof(got.name), "%s", guest->qemu.name);
	if (!ret)
		ret = uuid_ask(guest, &got, fail);
	if (!ret)
		ret = size_ask(guest, &got, fail);
	if (!ret)
		ret = qmp_definition_make(got.pid, guest->line.path, &got.live,
					  fail);
	qmp_hang_up(guest);
	if (ret) {
		guest_description_fini(&got);
		return ret;
	}
	*description = got;
	return 0;
}
