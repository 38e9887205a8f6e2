// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs_report.c - requests that ask what the guest is and has counted. */
#include "tools/vmm/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/vmm/engine.h"
#include "tools/vmm/persistent.h"

static struct json_object *regions(const struct machine *machine)
{
	struct json_object *list = json_object_new_array();
	struct json_object *ram = json_object_new_object();
	const struct memory *memory = &machine->memory;

	put_string(ram, "name", "ram");
	put_number(ram, "address", (uint64_t)(uintptr_t)memory->base);
	put_number(ram, "size", memory->size);
	put_number(ram, "page_size", memory->page_size);
	put_bool(ram, "shared", memory->fd >= 0);
	put_number(ram, "offset", 0);
	json_object_array_add(list, ram);
	return list;
}

static int verb_describe(struct vmm *vmm, struct request *request,
			 struct answer *answer)
{
	struct machine *machine = vmm->machine;
	__cleanup_free char *live = definition_text(&machine->definition);
	__cleanup_free char *persistent = NULL;
	int ret = persistent_read(vmm->persistent, &persistent, &answer->fail);

	(void)request;
	if (ret)
		return ret;
	put_string(answer->root, "name", machine->definition.name);
	put_string(answer->root, "uuid", machine->definition.uuid);
	put_number(answer->root, "pid", (uint64_t)getpid());
	put_string(answer->root, "engine", machine->engine->name);
	put_number(answer->root, "vcpus", machine->vcpu_count);
	put_string(answer->root, "state", machine_state_name(machine));
	put_string(answer->root, "live", live);
	put_string(answer->root, "persistent", persistent);
	json_object_object_add(answer->root, "regions", regions(machine));
	return 0;
}

static const char *const place_names[] = {
	"nowhere", "start", "middle", "end", "table", "fixed",
};

static struct json_object *wrongs(struct machine *machine)
{
	struct json_object *list = json_object_new_array();

	pthread_mutex_lock(&machine->lock);
	for (unsigned int i = 0; i < machine->wrong_count; i++) {
		const struct guest_wrong *wrong = &machine->wrong[i];
		struct json_object *item = json_object_new_object();

		put_number(item, "page", wrong->page);
		put_number(item, "expected", wrong->expected);
		put_number(item, "found", wrong->found);
		put_string(item, "place", wrong->place < 6 ?
			   place_names[wrong->place] : "unknown");
		json_object_array_add(list, item);
	}
	pthread_mutex_unlock(&machine->lock);
	return list;
}

static struct json_object *walk_progress(struct machine *machine,
					 const struct report *total)
{
	struct json_object *walk = json_object_new_object();

	put_bool(walk, "running", !machine_walked(machine));
	put_number(walk, "pages", total->walk_pages);
	put_number(walk, "bad", total->walk_bad);
	return walk;
}

static int verb_stats(struct vmm *vmm, struct request *request,
		      struct answer *answer)
{
	struct fail broken = { 0 };
	struct report total;

	(void)request;
	machine_report(vmm->machine, &total);
	put_string(answer->root, "state", machine_state_name(vmm->machine));
	put_number(answer->root, "ticks", total.ticks);
	put_number(answer->root, "rate", vmm->rate);
	put_number(answer->root, "bad", total.bad);
	put_number(answer->root, "uptime_ms",
		   (now_ns() - vmm->started_ns) / 1000000);
	json_object_object_add(answer->root, "walk",
			       walk_progress(vmm->machine, &total));
	json_object_object_add(answer->root, "wrong", wrongs(vmm->machine));
	if (machine_failure(vmm->machine, &broken))
		put_string(answer->root, "failure", broken.text);
	return 0;
}

static bool walk_done(struct vmm *vmm, struct answer *answer)
{
	struct report total;

	if (machine_failure(vmm->machine, &answer->fail))
		return true;
	if (!machine_walked(vmm->machine))
		return false;
	machine_report(vmm->machine, &total);
	put_number(answer->root, "pages", total.walk_pages);
	put_number(answer->root, "bad", total.walk_bad);
	return true;
}

static int verb_walk(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	int ret = machine_walk(vmm->machine, &answer->fail);

	(void)request;
	return ret ? ret : VERB_WAITS;
}

static bool wait_done(struct vmm *vmm, struct answer *answer)
{
	struct report total;

	if (machine_failure(vmm->machine, &answer->fail))
		return true;
	machine_report(vmm->machine, &total);
	if (total.ticks < answer->ticks || total.bad < answer->bad)
		return false;
	put_number(answer->root, "ticks", total.ticks);
	put_number(answer->root, "bad", total.bad);
	return true;
}

static int verb_wait(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	struct json_object *member = NULL;

	if (json_object_object_get_ex(request->root, "ticks", &member) &&
	    verb_number(member, &answer->ticks))
		return fail_set(&answer->fail, -EINVAL,
				"\"ticks\" must be a number");
	if (json_object_object_get_ex(request->root, "bad", &member) &&
	    verb_number(member, &answer->bad))
		return fail_set(&answer->fail, -EINVAL,
				"\"bad\" must be a number");
	return wait_done(vmm, answer) ? 0 : VERB_WAITS;
}

static int verb_console(struct vmm *vmm, struct request *request,
			struct answer *answer)
{
	char text[CONSOLE_SIZE];
	size_t size = console_read(&vmm->machine->console, text);

	(void)request;
	for (size_t i = 0; i < size; i++)
		if ((text[i] < ' ' && text[i] != '\n') || text[i] > '~')
			text[i] = '?';
	json_object_object_add(answer->root, "text",
			       json_object_new_string_len(text, (int)size));
	return 0;
}

const struct verb verbs_report[] = {
	{ "describe", verb_describe, NULL, false },
	{ "stats", verb_stats, NULL, false },
	{ "walk", verb_walk, walk_done, false },
	{ "wait", verb_wait, wait_done, true },
	{ "console", verb_console, NULL, false },
	{ NULL, NULL, NULL, false },
};
