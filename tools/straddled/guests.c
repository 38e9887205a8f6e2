/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guests.c - ask the guest driver who is here. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "guests.h"
#include "workers.h"

struct listing {
	struct agent *agent;
	struct json_object *array;
};

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

static int guest_describe(struct agent *agent, const char *name, struct json_object *object,
			  struct fail *fail)
{
	struct guest_description description = { .region_count = 0 };
	const struct guest_driver *driver;
	struct guest *guest;
	int ret = guest_find(agent->drivers, &agent->host, name, &driver, &guest, fail);

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
	struct listing *listing = arg;
	struct worker *worker = worker_of_guest(listing->agent, name);
	struct json_object *object = json_object_new_object();
	struct fail fail = { 0 };
	int ret;

	json_object_object_add(object, "name", json_object_new_string(name));
	ret = guest_describe(listing->agent, name, object, &fail);
	if (ret)
		json_object_object_add(object, "error", json_object_new_string(
					fail.err ? fail.text : strerror(-ret)));
	json_object_object_add(object, "migration",
			       worker ? json_object_new_string(worker->id) : NULL);
	json_object_array_add(listing->array, object);
	return 0;
}

/**
 * guests_list() - all guests that run on this host
 * @agent: of this host
 * @array: receives an object a guest
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guests_list(struct agent *agent, struct json_object *array, struct fail *fail)
{
	struct listing listing = { .agent = agent, .array = array };

	size_t i;
	int ret = 0;

	for (i = 0; agent->drivers[i] && !ret; i++)
		ret = agent->drivers[i]->list(&agent->host, guest_list, &listing, fail);
	return ret;
}
