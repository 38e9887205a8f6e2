/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migration_json.c - the tables of a migration's structs, and its id. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "tools/lib/fields.h"
#include "tools/lib/migration_json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *timeout_name(int action)
{
	return action == TIMEOUT_POSTCOPY ? "postcopy" : "suspend";
}

static int timeout_value(const char *name)
{
	if (!strcmp(name, "suspend"))
		return TIMEOUT_SUSPEND;
	return strcmp(name, "postcopy") ? -1 : TIMEOUT_POSTCOPY;
}

static const char *const engine_names[] = {
	[ENGINE_STRADDLE] = "straddle",
	[ENGINE_NATIVE] = "native",
	[ENGINE_AUTO] = "auto",
};

static const char *engine_to_name(int engine)
{
	return engine_names[engine];
}

static int engine_value(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(engine_names); i++)
		if (!strcmp(engine_names[i], name))
			return (int)i;
	return -1;
}

static const char *const copy_names[] = {
	[COPY_STORAGE_NONE] = "none",
	[COPY_STORAGE_ALL] = "all",
	[COPY_STORAGE_INC] = "inc",
};

static const char *copy_name(int how)
{
	return copy_names[how];
}

static int copy_value(const char *name)
{
	int how;

	for (how = 0; how < (int)COUNT(copy_names); how++)
		if (!strcmp(copy_names[how], name))
			return how;
	return -1;
}

static const char *phase_to_name(int phase)
{
	return phase_name((enum phase)phase);
}

static int phase_value(const char *name)
{
	int phase;

	for (phase = 0; phase < PHASE_COUNT; phase++)
		if (!strcmp(phase_name((enum phase)phase), name))
			return phase;
	return -1;
}

static const char *state_to_name(int state)
{
	return state == STATE_NONE ? "NONE" : owner_state_name((enum owner_state)state);
}

static int state_value(const char *name)
{
	int state;

	if (!strcmp(name, "NONE"))
		return STATE_NONE;
	state = (int)owner_state_named(name);
	return state == STATE_NONE ? -1 : state;
}

static const struct field option_fields[] = {
	FIELD(TEXT, struct migration_options, host),
	FIELD(TEXT, struct migration_options, guest),
	FIELD(TEXT, struct migration_options, dest_name),
	FIELD(TEXT, struct migration_options, xml),
	FIELD(TEXT, struct migration_options, persistent_xml),
	FIELD(BOOL, struct migration_options, live),
	FIELD(BOOL, struct migration_options, postcopy),
	FIELD(BOOL, struct migration_options, postcopy_after_precopy),
	FIELD(BOOL, struct migration_options, persistent),
	FIELD(BOOL, struct migration_options, undefine_source),
	FIELD(BOOL, struct migration_options, handover),
	FIELD(BOOL, struct migration_options, dry_run),
	FIELD(BOOL, struct migration_options, unsafe),
	FIELD(BOOL, struct migration_options, allow_version_skew),
	FIELD_NAMED(struct migration_options, copy_storage, copy_name, copy_value),
	FIELD(BOOL, struct migration_options, copy_synchronous),
	FIELD(U64, struct migration_options, bandwidth),
	FIELD(U64, struct migration_options, postcopy_bandwidth),
	FIELD(U64, struct migration_options, downtime_ns),
	FIELD(U64, struct migration_options, timeout_ns),
	FIELD(U64, struct migration_options, recover_timeout_ns),
	FIELD_NAMED(struct migration_options, timeout_action, timeout_name,
		    timeout_value),
	FIELD(U32, struct migration_options, rounds_max),
	FIELD(U32, struct migration_options, fault_lanes),
	FIELD(U32, struct migration_options, push_lanes),
	FIELD(BOOL, struct migration_options, compressed),
	FIELD_NAMED(struct migration_options, engine, engine_to_name, engine_value),
	FIELD(TEXT, struct migration_options, dest_uri),
	FIELD(TEXT, struct migration_options, migrate_uri),
	FIELD(BOOL, struct migration_options, tls),
};

static const struct field progress_fields[] = {
	FIELD_NAMED(struct progress, engine, engine_to_name, engine_value),
	FIELD_NAMED(struct progress, phase, phase_to_name, phase_value),
	FIELD_NAMED(struct progress, state, state_to_name, state_value),
	FIELD(U32, struct progress, round),
	FIELD(U32, struct progress, recoveries),
	FIELD(U64, struct progress, broken_ns),
	FIELD(U64, struct progress, next_try_ns),
	FIELD(U64, struct progress, silent_ns),
	FIELD(BOOL, struct progress, recover_due),
	FIELD(BOOL, struct progress, poisoned),
	FIELD(U64, struct progress, waiting_pages),
	FIELD(TEXT, struct progress, broken),
	FIELD(BOOL, struct progress, postcopy),
	FIELD(U64, struct progress, memory_bytes),
	FIELD(U64, struct progress, done_bytes),
	FIELD(U64, struct progress, rate),
	FIELD(U64, struct progress, link_rate),
	FIELD(U64, struct progress, dirty_rate),
	FIELD(U64, struct progress, missing_pages),
	FIELD(U64, struct progress, faults),
	FIELD(U64, struct progress, network_faults),
	FIELD(U64, struct progress, fault_p50_ns),
	FIELD(U64, struct progress, fault_p99_ns),
	FIELD(U64, struct progress, data_bytes),
	FIELD(U64, struct progress, zero_pages),
	FIELD(U64, struct progress, left_out_bytes),
	FIELD(U64, struct progress, round_bytes),
	FIELD(U64, struct progress, push_bytes),
	FIELD(U64, struct progress, fault_bytes),
	FIELD(U64, struct progress, repeated_pages),
	FIELD(U64, struct progress, packed_bytes),
	FIELD(U64, struct progress, packed_to_bytes),
	FIELD(U64, struct progress, total_ns),
	FIELD(U64, struct progress, downtime_ns),
	FIELD(U64, struct progress, downtime_pause_ns),
	FIELD(U64, struct progress, downtime_scan_ns),
	FIELD(U64, struct progress, downtime_save_ns),
	FIELD(U64, struct progress, downtime_load_ns),
	FIELD(U64, struct progress, downtime_arm_ns),
	FIELD(U64, struct progress, downtime_resume_ns),
	FIELD(U64, struct progress, storage_bytes),
	FIELD(U64, struct progress, storage_done_bytes),
	FIELD(U64, struct progress, storage_ns),
	FIELD(U64, struct progress, pauses),
	FIELD(U64, struct progress, pause_max_ns),
	FIELD(TEXT, struct progress, peer_host),
	FIELD(TEXT, struct progress, note),
};

/**
 * migration_options_init() - the options of a migration that names none
 * @options: what to fill
 */
void migration_options_init(struct migration_options *options)
{
	*options = (struct migration_options){
		.downtime_ns = DOWNTIME_DEFAULT_NS,
		.rounds_max = UINT32_MAX,
	};
}

/**
 * migration_options_to_json() - options as an object, one key a member
 * @options: what to say
 *
 * Return: a new object, the caller's.
 */
struct json_object *migration_options_to_json(const struct migration_options *options)
{
	struct json_object *object = json_object_new_object();

	fields_put(object, option_fields, COUNT(option_fields), options);
	return object;
}

/**
 * migration_options_from_json() - take over the options that an object names
 * @object: one key a member; what is absent gets its default
 * @options: receives them; unspecified on error
 * @fail: says which is wrong
 *
 * Return: 0 or -EINVAL.
 */
int migration_options_from_json(struct json_object *object,
				struct migration_options *options,
				struct fail *fail)
{
	migration_options_init(options);
	return fields_get(object, option_fields, COUNT(option_fields), options,
			  fail);
}

/**
 * migration_options_known() - does an object name options only?
 * @object: as migration_options_from_json()'s
 * @fail: names the first key that is none
 *
 * For what users and their programs say: an option that is misspelt, or of a
 * newer release, would be left out in silence. A job that the agent of another
 * release has stored may have more.
 *
 * Return: 0 or -EINVAL.
 */
int migration_options_known(struct json_object *object, struct fail *fail)
{
	return fields_known(object, option_fields, COUNT(option_fields),
			    "an option of 'migrate'", fail);
}

static bool is_relative(const char *path)
{
	return *path && *path != '/';
}

/* A '/' is for those who are named by a path: "qmp:/run/db.qmp". */
static bool is_strange(const char *name)
{
	return strchr(name, '/') && strncmp(name, "qmp:/", 5);
}

/**
 * engine_named() - the engine of a name
 * @name: "straddle", "native" or "auto"
 * @engine: receives it
 *
 * Return: 0, or -EINVAL: there is none of that name.
 */
int engine_named(const char *name, enum engine *engine)
{
	int value = engine_value(name);

	if (value < 0)
		return -EINVAL;
	*engine = (enum engine)value;
	return 0;
}

static int refuse(struct fail *fail, const char *option, const char *why)
{
	return fail_set(fail, -EINVAL, "%s %s", option, why);
}

/* What only one of the engines can do. */
static int engine_check(const struct migration_options *options, struct fail *fail)
{
	static const char libvirts[] = "is libvirt's: it needs --engine native or auto";
	static const char ours[] = "is not for --engine native: leave it out";

	if (options->engine == ENGINE_STRADDLE) {
		if (*options->dest_uri)
			return refuse(fail, "--desturi", libvirts);
		if (*options->migrate_uri)
			return refuse(fail, "--migrateuri", libvirts);
		return options->tls ? refuse(fail, "--tls", libvirts) : 0;
	}
	if (options->engine == ENGINE_AUTO)
		return 0;
	if (options->handover)
		return refuse(fail, "--handover", ours);
	if (options->recover_timeout_ns)
		return refuse(fail, "--recover-timeout", ours);
	if (options->copy_storage)
		return refuse(fail, "--copy-storage-all or --copy-storage-inc", ours);
	if (options->fault_lanes || options->push_lanes)
		return refuse(fail, options->fault_lanes ? "--fault-lanes" : "--push-lanes",
			      ours);
	if (options->compressed)
		return refuse(fail, "--compressed", ours);
	if (options->postcopy && !options->live)
		return refuse(fail, "--postcopy", "with --engine native needs --live: libvirt "
			      "does not post-copy a guest that stands still; add --live");
	return 0;
}

static int storage_check(const struct migration_options *options, struct fail *fail)
{
	if (options->copy_synchronous && !options->copy_storage)
		return fail_set(fail, -EINVAL, "--copy-storage-synchronous-writes needs "
				"--copy-storage-all or --copy-storage-inc: add one");
	return 0;
}

/**
 * migration_options_check() - do the options go together?
 * @options: what to look at
 * @fail: says which two do not, in the command's words
 *
 * Return: 0 or -EINVAL.
 */
int migration_options_check(const struct migration_options *options,
			    struct fail *fail)
{
	if (!*options->guest || is_strange(options->guest))
		return fail_set(fail, -EINVAL, "'%s' is no name of a guest: 'straddle list' "
				"shows the guests of this host", options->guest);
	if (!*options->host)
		return fail_set(fail, -EINVAL, "no host to migrate guest '%s' to: give HOST or "
				"HOST:PORT", options->guest);
	if (is_strange(options->dest_name))
		return fail_set(fail, -EINVAL, "--dname '%s': a guest's name has no '/'",
				options->dest_name);
	if (is_relative(options->xml) || is_relative(options->persistent_xml))
		return fail_set(fail, -EINVAL, "--xml and --persistent-xml are read by the agent: "
				"give a path that begins with '/'");
	if (*options->persistent_xml && !options->persistent)
		return fail_set(fail, -EINVAL,
				"--persistent-xml needs --persistent: add --persistent");
	if (engine_check(options, fail) || storage_check(options, fail))
		return -EINVAL;
	if (options->postcopy)
		return 0;
	if (options->postcopy_after_precopy)
		return fail_set(fail, -EINVAL,
				"--postcopy-after-precopy needs --postcopy: add --postcopy");
	if (options->timeout_ns && options->timeout_action == TIMEOUT_POSTCOPY)
		return fail_set(fail, -EINVAL,
				"--timeout-postcopy needs --postcopy: add --postcopy");
	if (options->postcopy_bandwidth)
		return fail_set(fail, -EINVAL,
				"--postcopy-bandwidth needs --postcopy: add --postcopy");
	if (!options->rounds_max)
		return fail_set(fail, -EINVAL, "--precopy-rounds 0 means post-copy only, which "
				"needs --postcopy: add --postcopy");
	return 0;
}

/**
 * progress_to_json() - progress as an object, one key a member
 * @progress: what to say; phase and state become names, what is unknown is absent
 *
 * Return: a new object, the caller's.
 */
struct json_object *progress_to_json(const struct progress *progress)
{
	struct json_object *object = json_object_new_object();

	fields_put(object, progress_fields, COUNT(progress_fields), progress);
	if (progress->missing_unknown)
		json_object_object_del(object, "missing_pages");
	return object;
}

/**
 * progress_from_json() - progress out of an object
 * @object: one key a member; what is absent is 0
 * @progress: receives it; unspecified on error
 * @fail: says which value is wrong
 *
 * Return: 0 or -EINVAL.
 */
int progress_from_json(struct json_object *object, struct progress *progress,
		       struct fail *fail)
{
	*progress = (struct progress){
		.state = STATE_NONE,
		.missing_unknown = !json_object_object_get_ex(object, "missing_pages", NULL),
	};
	return fields_get(object, progress_fields, COUNT(progress_fields),
			  progress, fail);
}

/**
 * migration_id_to_text() - an id as people and the journal write it
 * @id: MIGRATION_ID_SIZE bytes
 * @text: receives 32 hex digits
 */
void migration_id_to_text(const uint8_t *id, char text[MIGRATION_ID_TEXT])
{
	size_t i;

	for (i = 0; i < MIGRATION_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

/**
 * migration_id_from_text() - an id from its 32 hex digits
 * @text: lower-case hex, nothing else
 * @id: receives it; unspecified on error
 *
 * Return: 0 or -EINVAL.
 */
int migration_id_from_text(const char *text, uint8_t id[MIGRATION_ID_SIZE])
{
	size_t i;

	if (strlen(text) != 2 * MIGRATION_ID_SIZE ||
	    strspn(text, "0123456789abcdef") != 2 * MIGRATION_ID_SIZE)
		return -EINVAL;
	for (i = 0; i < MIGRATION_ID_SIZE; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

		id[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return 0;
}
