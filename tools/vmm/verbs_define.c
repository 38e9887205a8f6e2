// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs_define.c - requests that change the definitions of the guest. */
#include "tools/vmm/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/vmm/engine.h"
#include "tools/vmm/persistent.h"

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
	if (!member || verb_number(member, &rate) || rate > RATE_MAX)
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

const struct verb verbs_define[] = {
	{ "set", verb_set, NULL, false },
	{ "define", verb_define, NULL, false },
	{ "undefine", verb_undefine, NULL, false },
	{ NULL, NULL, NULL, false },
};
