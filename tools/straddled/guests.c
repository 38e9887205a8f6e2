/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guests.c - ask the guest driver who is here. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "guests.h"
#include "protocol/guest.h"
#include "tools/lib/jsonline.h"
#include "worker_port.h"

static const char *state_of(const struct guest_description *description)
{
	if (description->incoming)
		return "incoming";
	return description->running ? "running" : "paused";
}

static void description_put(struct json_object *object,
			    const struct guest_description *description)
{
	json_object_object_add(object, "uuid", json_object_new_string(description->uuid));
	json_object_object_add(object, "state",
			       json_object_new_string(state_of(description)));
	json_object_object_add(object, "pid", json_object_new_int(description->pid));
	json_object_object_add(object, "vcpus", json_object_new_int((int)description->vcpus));
	json_object_object_add(object, "memory_bytes",
			       json_object_new_uint64(description->memory_bytes));
	json_object_object_add(object, "persistent",
			       json_object_new_boolean(description->persistent != NULL));
}

static int guest_describe(const struct guest_host *host, const char *name,
			  struct json_object *object, struct fail *fail)
{
	struct guest_description description = { .region_count = 0 };
	const struct guest_driver *driver;
	struct guest *guest;
	int ret = guest_find(guest_drivers, host, name, &driver, &guest, fail);

	if (ret)
		return ret;
	ret = driver->describe(guest, &description, fail);
	if (!ret) {
		description_put(object, &description);
		guest_description_fini(&description);
	}
	driver->close(guest);
	return ret;
}

/* One that cannot be asked is listed with the reason. */
static int guest_list(const char *name, void *arg)
{
	const struct guest_host *host = arg;
	struct json_object *object = json_object_new_object();
	struct fail fail = { 0 };
	int ret;

	json_object_object_add(object, "name", json_object_new_string(name));
	ret = guest_describe(host, name, object, &fail);
	if (ret)
		json_object_object_add(object, "error", json_object_new_string(
					fail.err ? fail.text : strerror(-ret)));
	return worker_port_listed(object, &fail);
}

/**
 * guests_list() - tell the agent of all guests that run on this host
 * @job: of this worker: a guest may take its time to answer
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guests_list(struct json_object *job, struct fail *fail)
{
	struct guest_host host = {
		.run_dir = json_text(job, "run_dir"),
		.definitions_dir = json_text(job, "definitions_dir"),
	};
	size_t i;
	int ret = host.run_dir && host.definitions_dir ? 0 : -EPROTO;

	for (i = 0; guest_drivers[i] && !ret; i++)
		ret = guest_drivers[i]->list(&host, guest_list, &host, fail);
	return ret;
}
