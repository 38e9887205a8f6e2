// SPDX-License-Identifier: LGPL-2.1-or-later
/* definition.c - fields of a guest's definition: read, checked, written. */
#include "tools/vmm/definition.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/parse.h"
#include "tools/vmm/layout.h"

#define HUGE_PAGE	(2ull << 20)

static const char *const workload_names[WORKLOAD_COUNT] = {
	[WORKLOAD_HOT] = "hot",
	[WORKLOAD_RANDOM] = "random",
	[WORKLOAD_SEQUENTIAL] = "sequential",
	[WORKLOAD_ZIPF] = "zipf",
	[WORKLOAD_IDLE] = "idle",
};

static const char *const engine_names[] = {
	[ENGINE_DEFAULT] = "default",
	[ENGINE_KVM] = "kvm",
	[ENGINE_THREADS] = "threads",
};

static int index_of(const char *const *names, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

static int set_name(struct definition *def, const char *value)
{
	size_t length = strlen(value);

	if (!length || length >= sizeof(def->name) || value[0] == '.')
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)value[i]) &&
		    !strchr("._-", value[i]))
			return -EINVAL;
	memcpy(def->name, value, length + 1);
	return 0;
}

static int set_uuid(struct definition *def, const char *value)
{
	if (parse_uuid(value))
		return -EINVAL;
	memcpy(def->uuid, value, GUEST_UUID_SIZE);
	return 0;
}

static int set_engine(struct definition *def, const char *value)
{
	int index = index_of(engine_names, 3, value);

	if (index < 0)
		return index;
	def->engine = (enum engine_kind)index;
	return 0;
}

static int set_memory(struct definition *def, const char *value)
{
	return parse_size(value, &def->memory);
}

static int set_vcpus(struct definition *def, const char *value)
{
	uint64_t vcpus;
	int ret = parse_count(value, &vcpus);

	if (!ret && (!vcpus || vcpus > GUEST_VCPUS_MAX))
		ret = -ERANGE;
	if (!ret)
		def->vcpus = vcpus;
	return ret;
}

static int set_hugepages(struct definition *def, const char *value)
{
	if (strcmp(value, "2M"))
		return -EINVAL;
	def->page_size = HUGE_PAGE;
	return 0;
}

static int set_private(struct definition *def, const char *value)
{
	if (strcmp(value, "true") && strcmp(value, "false"))
		return -EINVAL;
	def->private_memory = value[0] == 't';
	return 0;
}

static int set_workload(struct definition *def, const char *value)
{
	int index = index_of(workload_names, WORKLOAD_COUNT, value);

	if (index < 0)
		return index;
	def->workload = (enum guest_workload)index;
	return 0;
}

static int set_working_set(struct definition *def, const char *value)
{
	return parse_size(value, &def->working_set);
}

static int set_rate(struct definition *def, const char *value)
{
	uint64_t rate;
	int ret = parse_count(value, &rate);

	if (!ret && rate > RATE_MAX)
		ret = -ERANGE;
	if (!ret)
		def->rate = rate;
	return ret;
}

static const struct field {
	const char *key;
	int (*set)(struct definition *def, const char *value);
	const char *wanted;	/* completes "KEY must be ..." */
} fields[] = {
	{ "name", set_name, "1 to 63 letters, digits, dots, dashes or "
	  "underscores, no dot first" },
	{ "uuid", set_uuid, "a UUID such as "
	  "9b2ba1a3-56a2-4f2d-8a10-2f3c0ad6c1de" },
	{ "engine", set_engine, "kvm or threads" },
	{ "memory", set_memory, "a size such as 64M or 2G" },
	{ "vcpus", set_vcpus, "1 to 64" },
	{ "hugepages", set_hugepages, "2M" },
	{ "private", set_private, "true or false" },
	{ "workload", set_workload, "hot, random, sequential, zipf or idle" },
	{ "working_set", set_working_set, "a size such as 64M" },
	{ "rate", set_rate, "pages a second, up to 10^12; 0: unlimited" },
};

/**
 * definition_init() - the defaults
 * @definition: filled; it has neither name nor UUID yet
 */
void definition_init(struct definition *definition)
{
	*definition = (struct definition){
		.memory = 64u << 20,
		.vcpus = 1,
		.page_size = GUEST_PAGE_SIZE,
	};
}

/**
 * definition_set() - set one field from text
 * @definition: changed on success only
 * @key: the field's JSON key
 * @value: text, as in an option or a JSON value
 * @fail: says what the field must be
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int definition_set(struct definition *definition, const char *key,
		   const char *value, struct fail *fail)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		int ret;

		if (strcmp(fields[i].key, key))
			continue;
		ret = fields[i].set(definition, value);
		if (ret)
			return fail_set(fail, ret, "%s is \"%.80s\" but must be %s",
					key, value, fields[i].wanted);
		return 0;
	}
	return fail_set(fail, -EINVAL, "a definition has no field \"%.80s\"",
			key);
}

/**
 * definition_parse() - set the fields that a JSON text has
 * @definition: changed field by field, also when a later one is wrong
 * @text: a JSON object; unknown keys are refused
 * @where: the file or message it came from, for @fail
 * @fail: says what is wrong
 *
 * Return: 0 or -EINVAL.
 */
int definition_parse(struct definition *definition, const char *text,
		     const char *where, struct fail *fail)
{
	struct json_object *root;
	int ret = json_parse(text, strlen(text), &root);

	if (ret)
		return fail_set(fail, -EINVAL,
				"%s: not a JSON object; see straddle-vmm(8) for the form",
				where);
	json_object_object_foreach(root, key, value) {
		struct fail why = { 0 };
		const char *as_text = json_object_is_type(value, json_type_null) ?
				      "null" : json_object_get_string(value);

		ret = definition_set(definition, key, as_text, &why);
		if (ret) {
			fail_set(fail, ret, "%s: %s", where, why.text);
			break;
		}
	}
	json_object_put(root);
	return ret;
}

static int uuid_make(char *text)
{
	uint8_t b[16];
	ssize_t got = sys_retry(getrandom(b, sizeof(b), 0));

	if (got != sizeof(b))
		return got < 0 ? (int)got : -EIO;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(text, GUEST_UUID_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
		 b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

/**
 * definition_complete() - fill in what the user left to us
 * @definition: gets an engine that exists here, a UUID and a working set
 * @fail: says what is missing
 *
 * Return: 0 or -errno.
 */
int definition_complete(struct definition *definition, struct fail *fail)
{
	int ret;

	if (definition->engine == ENGINE_DEFAULT)
		definition->engine = access("/dev/kvm", R_OK | W_OK) ?
				     ENGINE_THREADS : ENGINE_KVM;
	if (!definition->uuid[0]) {
		ret = uuid_make(definition->uuid);
		if (ret)
			return fail_set(fail, ret, "cannot make a UUID: %s",
					strerror(-ret));
	}
	if (!definition->working_set)
		definition->working_set = definition->workload == WORKLOAD_HOT ?
					  definition->memory / 2 :
					  definition->memory;
	return 0;
}

/**
 * definition_check() - do the fields fit together?
 * @definition: a complete definition
 * @fail: says which do not, and what to do
 *
 * Return: 0 or -EINVAL.
 */
int definition_check(const struct definition *definition, struct fail *fail)
{
	struct layout layout;

	if (!definition->name[0])
		return fail_set(fail, -EINVAL,
				"the guest has no name; give it one with --name");
	if (definition->private_memory &&
	    definition->page_size != GUEST_PAGE_SIZE)
		return fail_set(fail, -EINVAL,
				"private memory of huge pages is not supported; choose "
				"--private or --hugepages");
	if (definition->memory % definition->page_size)
		return fail_set(fail, -EINVAL,
				"memory of %llu bytes is not a multiple of the page size, %llu",
				(unsigned long long)definition->memory,
				(unsigned long long)definition->page_size);
	if (definition->working_set > definition->memory)
		return fail_set(fail, -EINVAL,
				"the working set (%llu bytes) is larger than memory (%llu)",
				(unsigned long long)definition->working_set,
				(unsigned long long)definition->memory);
	return layout_compute(definition, &layout, fail);
}

static void add_number(struct json_object *root, const char *key,
		       uint64_t value)
{
	json_object_object_add(root, key, json_object_new_uint64(value));
}

static void add_string(struct json_object *root, const char *key,
		       const char *value)
{
	json_object_object_add(root, key, json_object_new_string(value));
}

/**
 * definition_text() - a definition as JSON
 * @definition: a complete definition
 *
 * Return: the text, which the caller frees; NULL without memory.
 */
char *definition_text(const struct definition *definition)
{
	struct json_object *root = json_object_new_object();
	char *text;

	add_string(root, "name", definition->name);
	add_string(root, "uuid", definition->uuid);
	add_string(root, "engine", engine_names[definition->engine]);
	add_number(root, "memory", definition->memory);
	add_number(root, "vcpus", definition->vcpus);
	if (definition->page_size != GUEST_PAGE_SIZE)
		add_string(root, "hugepages", "2M");
	if (definition->private_memory)
		json_object_object_add(root, "private",
				       json_object_new_boolean(1));
	add_string(root, "workload", workload_names[definition->workload]);
	add_number(root, "working_set", definition->working_set);
	add_number(root, "rate", definition->rate);
	text = strdup(json_object_to_json_string_ext(root,
				JSON_C_TO_STRING_PRETTY |
				JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	return text;
}
