// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs.c - find the verb of a request, carry it out, answer. */
#include "tools/vmm/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/vmm/engine.h"

static const struct verb *const tables[] = {
	verbs_report, verbs_run, verbs_memory, verbs_define,
};

/**
 * verb_number() - a whole number that a request names
 * @member: of the request
 * @value: receives it
 *
 * Return: 0, -EINVAL (no whole number) or -ERANGE (negative).
 */
int verb_number(struct json_object *member, uint64_t *value)
{
	if (!json_object_is_type(member, json_type_int))
		return -EINVAL;
	if (json_object_get_int64(member) < 0)
		return -ERANGE;
	*value = json_object_get_uint64(member);
	return 0;
}

/**
 * verb_need_stopped() - refuse what cannot be done while the guest runs
 * @vmm: the guest and all
 * @answer: receives the refusal
 *
 * Return: 0 or -errno.
 */
int verb_need_stopped(struct vmm *vmm, struct answer *answer)
{
	if (machine_stopped(vmm->machine))
		return 0;
	return fail_set(&answer->fail, -EBUSY,
			"guest %s is %s; pause it first",
			vmm->machine->definition.name,
			machine_state_name(vmm->machine));
}

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
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct verb *verb = tables[i]; verb->name; verb++)
			if (!strcmp(verb->name, json_object_get_string(name)))
				return verb;
	fail_set(fail, -EINVAL, "there is no verb \"%.40s\"",
		 json_object_get_string(name));
	return NULL;
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
	struct request request = { .root = NULL, .fd = *fd };
	const struct verb *verb;
	int ret;

	/* What is no object is refused for having no verb. */
	(void)json_parse(line, length, &request.root);

	*answer = (struct answer){ .root = json_object_new_object(),
				   .fd = -1 };
	verb = verb_find(request.root, &answer->fail);
	ret = verb ? verb->act(vmm, &request, answer) : 0;
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
