// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs.c - each request of Documentation/vmm-control.rst, one function. */
#include "tools/vmm/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/vmm/engine.h"
#include "tools/vmm/persistent.h"
#include "tools/vmm/snapshot.h"
#include "uffd/uffd.h"

#define RANGES_MAX	65536	/* of one discard */

static void put_number(struct json_object *root, const char *key,
		       uint64_t value)
{
	json_object_object_add(root, key, json_object_new_uint64(value));
}

static void put_string(struct json_object *root, const char *key,
		       const char *value)
{
	json_object_object_add(root, key,
			       value ? json_object_new_string(value) : NULL);
}

static void put_bool(struct json_object *root, const char *key, bool value)
{
	json_object_object_add(root, key, json_object_new_boolean(value));
}

static const char *state_name(struct machine *machine)
{
	if (machine->incoming)
		return "incoming";
	if (machine_runs(machine))
		return "running";
	return machine_stopped(machine) ? "paused" : "stopping";
}

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
	put_string(answer->root, "state", state_name(machine));
	put_string(answer->root, "live", live);
	put_string(answer->root, "persistent", persistent);
	json_object_object_add(answer->root, "regions", regions(machine));
	return 0;
}

static int verb_memory(struct vmm *vmm, struct request *request,
		       struct answer *answer)
{
	int fd;

	(void)request;
	if (vmm->machine->memory.fd < 0)
		return fail_set(&answer->fail, -EOPNOTSUPP,
				"private memory has no file to hand over");
	fd = sys_ret(fcntl(vmm->machine->memory.fd, F_DUPFD_CLOEXEC, 0));
	if (fd < 0)
		return fail_set(&answer->fail, fd, "cannot duplicate: %s",
				strerror(-fd));
	answer->fd = fd;
	return 0;
}

static bool stop_done(struct vmm *vmm, struct answer *answer)
{
	(void)answer;
	return machine_stopped(vmm->machine);
}

static int verb_pause(struct vmm *vmm, struct request *request,
		      struct answer *answer)
{
	(void)request;
	machine_stop(vmm->machine);
	return stop_done(vmm, answer) ? 0 : VERB_WAITS;
}

static int verb_resume(struct vmm *vmm, struct request *request,
		       struct answer *answer)
{
	(void)request;
	return machine_resume(vmm->machine, &answer->fail);
}

static int need_stopped(struct vmm *vmm, struct answer *answer)
{
	if (machine_stopped(vmm->machine))
		return 0;
	return fail_set(&answer->fail, -EBUSY,
			"guest %s is %s; pause it first",
			vmm->machine->definition.name,
			state_name(vmm->machine));
}

static int verb_save(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	int ret = need_stopped(vmm, answer);

	(void)request;
	if (!ret && vmm->machine->incoming)
		ret = fail_set(&answer->fail, -EINVAL,
			       "guest %s is incoming: it has no state to save",
			       vmm->machine->definition.name);
	return ret ? ret : snapshot_save(vmm->machine, &answer->fd,
					 &answer->fail);
}

static int verb_load(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	if (!vmm->machine->incoming)
		return fail_set(&answer->fail, -EINVAL,
				"guest %s was not started with --incoming",
				vmm->machine->definition.name);
	if (request->fd < 0)
		return fail_set(&answer->fail, -EINVAL,
				"load needs the device state as a descriptor");
	return snapshot_load(vmm->machine, request->fd, &answer->fail);
}

static int get_bool(struct json_object *root, const char *key, bool *value,
		    struct fail *fail)
{
	struct json_object *member;

	if (!json_object_object_get_ex(root, key, &member))
		return 0;
	if (!json_object_is_type(member, json_type_boolean))
		return fail_set(fail, -EINVAL, "\"%s\" must be true or false",
				key);
	*value = json_object_get_boolean(member);
	return 0;
}

/* A whole number; negative ones and fractions are refused. */
static int get_number(struct json_object *member, uint64_t *value)
{
	if (!json_object_is_type(member, json_type_int))
		return -EINVAL;
	if (json_object_get_int64(member) < 0)
		return -ERANGE;
	*value = json_object_get_uint64(member);
	return 0;
}

static int set_persistent_rate(struct vmm *vmm, uint64_t rate,
			       struct fail *fail)
{
	struct definition definition;
	__cleanup_free char *text = NULL;
	__cleanup_free char *changed = NULL;
	int ret = persistent_read(vmm->persistent, &text, fail);

	if (ret)
		return ret;
	if (!text)
		return fail_set(fail, -ENOENT,
				"guest %s has no persistent definition",
				vmm->machine->definition.name);
	definition_init(&definition);
	ret = definition_parse(&definition, text, vmm->persistent, fail);
	if (ret)
		return ret;
	definition.rate = rate;
	changed = definition_text(&definition);
	if (!changed)
		return fail_set(fail, -ENOMEM, "no memory");
	return persistent_write(vmm->persistent, changed, fail);
}

static int verb_set(struct vmm *vmm, struct request *request,
		    struct answer *answer)
{
	bool live = true, persistent = false;
	struct json_object *member = NULL;
	uint64_t rate = 0;
	int ret;

	json_object_object_get_ex(request->root, "rate", &member);
	if (!member || get_number(member, &rate) || rate > RATE_MAX)
		return fail_set(&answer->fail, -EINVAL,
				"set needs \"rate\": pages a second, 0 for unlimited");
	ret = get_bool(request->root, "live", &live, &answer->fail);
	if (!ret)
		ret = get_bool(request->root, "persistent", &persistent,
			       &answer->fail);
	if (!ret && persistent)
		ret = set_persistent_rate(vmm, rate, &answer->fail);
	if (!ret && live)
		machine_set_rate(vmm->machine, rate);
	return ret;
}

static int verb_define(struct vmm *vmm, struct request *request,
		       struct answer *answer)
{
	struct definition definition;
	struct json_object *member = NULL;
	const char *text;
	int ret;

	json_object_object_get_ex(request->root, "text", &member);
	if (!json_object_is_type(member, json_type_string))
		return fail_set(&answer->fail, -EINVAL,
				"define needs \"text\": the definition");
	text = json_object_get_string(member);
	definition_init(&definition);
	ret = definition_parse(&definition, text, "persistent definition",
			       &answer->fail);
	return ret ? ret : persistent_write(vmm->persistent, text,
					    &answer->fail);
}

static int verb_undefine(struct vmm *vmm, struct request *request,
			 struct answer *answer)
{
	(void)request;
	return persistent_remove(vmm->persistent, &answer->fail);
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
	put_string(answer->root, "state", state_name(vmm->machine));
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
	    get_number(member, &answer->ticks))
		return fail_set(&answer->fail, -EINVAL,
				"\"ticks\" must be a number");
	if (json_object_object_get_ex(request->root, "bad", &member) &&
	    get_number(member, &answer->bad))
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

static int verb_userfaultfd(struct vmm *vmm, struct request *request,
			    struct answer *answer)
{
	bool created = vmm->uffd < 0;
	int fd;

	(void)request;
	if (created)
		vmm->uffd = uffd_open();
	if (vmm->uffd < 0) {
		int err = vmm->uffd;

		vmm->uffd = -1;
		return fail_set(&answer->fail, err,
				"cannot create a userfaultfd: %s; run as root",
				strerror(-err));
	}
	fd = sys_ret(fcntl(vmm->uffd, F_DUPFD_CLOEXEC, 0));
	if (fd < 0)
		return fail_set(&answer->fail, fd, "cannot duplicate: %s",
				strerror(-fd));
	answer->fd = fd;
	put_bool(answer->root, "created", created);
	return 0;
}

static int verb_userfaultfd_close(struct vmm *vmm, struct request *request,
				  struct answer *answer)
{
	(void)request;
	if (vmm->uffd < 0)
		return fail_set(&answer->fail, -ENOENT,
				"there is no userfaultfd to close");
	close(vmm->uffd);
	vmm->uffd = -1;
	return 0;
}

static int discard_one(struct vmm *vmm, struct json_object *range,
		       struct fail *fail)
{
	uint64_t address, length;

	if (!json_object_is_type(range, json_type_array) ||
	    json_object_array_length(range) != 2 ||
	    get_number(json_object_array_get_idx(range, 0), &address) ||
	    get_number(json_object_array_get_idx(range, 1), &length))
		return fail_set(fail, -EINVAL,
				"a range is [address, length]");
	return memory_discard(&vmm->machine->memory, address, length, fail);
}

static int verb_discard(struct vmm *vmm, struct request *request,
			struct answer *answer)
{
	struct json_object *list = NULL;
	int ret = need_stopped(vmm, answer);

	if (ret)
		return ret;
	json_object_object_get_ex(request->root, "ranges", &list);
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > RANGES_MAX)
		return fail_set(&answer->fail, -EINVAL,
				"discard needs \"ranges\": up to %d of [address, length]",
				RANGES_MAX);
	for (size_t i = 0; !ret && i < json_object_array_length(list); i++)
		ret = discard_one(vmm, json_object_array_get_idx(list, i),
				  &answer->fail);
	return ret;
}

static bool quit_done(struct vmm *vmm, struct answer *answer)
{
	(void)answer;
	return vmm->quit;
}

static int verb_quit(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	(void)request;
	(void)answer;
	vmm->quit = true;
	machine_stop(vmm->machine);
	return VERB_WAITS;
}

static const struct verb verbs[] = {
	{ "describe", verb_describe, NULL, false },
	{ "memory", verb_memory, NULL, false },
	{ "pause", verb_pause, stop_done, false },
	{ "resume", verb_resume, NULL, false },
	{ "save", verb_save, NULL, false },
	{ "load", verb_load, NULL, false },
	{ "set", verb_set, NULL, false },
	{ "define", verb_define, NULL, false },
	{ "undefine", verb_undefine, NULL, false },
	{ "stats", verb_stats, NULL, false },
	{ "walk", verb_walk, walk_done, false },
	{ "wait", verb_wait, wait_done, true },
	{ "console", verb_console, NULL, false },
	{ "userfaultfd", verb_userfaultfd, NULL, false },
	{ "userfaultfd-close", verb_userfaultfd_close, NULL, false },
	{ "discard", verb_discard, NULL, false },
	{ "quit", verb_quit, quit_done, false },
};

static const struct verb *verb_find(struct json_object *root,
				    struct fail *fail)
{
	struct json_object *name = NULL;

	if (!json_object_is_type(root, json_type_object)) {
		fail_set(fail, -EINVAL, "a request is one JSON object a line");
		return NULL;
	}
	json_object_object_get_ex(root, "verb", &name);
	if (!json_object_is_type(name, json_type_string)) {
		fail_set(fail, -EINVAL, "a request has a \"verb\"");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, json_object_get_string(name)))
			return &verbs[i];
	fail_set(fail, -EINVAL, "there is no verb \"%.40s\"",
		 json_object_get_string(name));
	return NULL;
}

static struct json_object *parse(const char *line, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(8);
	struct json_object *root;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	root = json_tokener_parse_ex(tokener, line, (int)length);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != length) {
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

/**
 * verb_begin() - carry out a request
 * @vmm: the guest and all
 * @line: what the client sent, ended by NUL
 * @length: its length
 * @fd: descriptor that came along, or -1; set to -1 when taken
 * @answer: filled; for answer_text() unless a verb is returned
 *
 * Return: NULL when @answer is complete, or the verb to verb_poll().
 */
const struct verb *verb_begin(struct vmm *vmm, const char *line,
			      size_t length, int *fd, struct answer *answer)
{
	struct request request = { .root = parse(line, length), .fd = *fd };
	const struct verb *verb;
	int ret = 0;

	*answer = (struct answer){ .root = json_object_new_object(),
				   .fd = -1 };
	verb = verb_find(request.root, &answer->fail);
	if (verb)
		ret = verb->act(vmm, &request, answer);
	if (ret < 0)
		fail_set(&answer->fail, ret, "%s: %s", verb->name,
			 strerror(-ret));
	json_object_put(request.root);
	return ret == VERB_WAITS ? verb : NULL;
}

/**
 * verb_poll() - is a request that had to wait done?
 * @verb: of verb_begin()
 * @vmm: the guest and all
 * @answer: of verb_begin(); complete when done
 *
 * Return: true when it is.
 */
bool verb_poll(const struct verb *verb, struct vmm *vmm,
	       struct answer *answer)
{
	return verb->done(vmm, answer);
}

/**
 * answer_text() - an answer as a line
 * @answer: complete
 *
 * Return: text that lives until answer_fini().
 */
const char *answer_text(struct answer *answer)
{
	put_bool(answer->root, "ok", !answer->fail.err);
	if (answer->fail.err) {
		put_string(answer->root, "error", answer->fail.text);
		json_object_object_add(answer->root, "errno",
				       json_object_new_int(-answer->fail.err));
	}
	return json_object_to_json_string_ext(answer->root,
					      JSON_C_TO_STRING_PLAIN);
}

/**
 * answer_fini() - free an answer
 * @answer: its descriptor is closed, unless it was taken
 */
void answer_fini(struct answer *answer)
{
	json_object_put(answer->root);
	if (answer->fd >= 0)
		close(answer->fd);
	*answer = (struct answer){ .fd = -1 };
}
