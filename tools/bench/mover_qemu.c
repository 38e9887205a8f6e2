// SPDX-License-Identifier: LGPL-2.1-or-later
/* mover_qemu.c - QEMU moves its guest itself. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "sys.h"
#include "tools/bench/move.h"

#define URI		"tcp:" DEST_ADDRESS ":49400"
#define NO_LIMIT	"1099511627776"		/* bytes a second */
#define CHANNELS	2

static int ask(struct monitor *monitor, struct fail *fail, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int ask(struct monitor *monitor, struct fail *fail, const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return monitor_ask(monitor, command, NULL, fail);
}

/* Both ends have to agree. */
static int capabilities_set(const struct move *move, struct monitor *monitor, struct fail *fail)
{
	const char *const *names = move->mover->capabilities;
	int i, ret = 0;

	for (i = 0; !ret && i < 2 && names[i]; i++)
		ret = ask(monitor, fail, "{\"execute\":\"migrate-set-capabilities\",\"arguments\":"
			  "{\"capabilities\":[{\"capability\":\"%s\",\"state\":true}]}}", names[i]);
	return ret;
}

static int limits_set(struct monitor *monitor, uint64_t push_mib, struct fail *fail)
{
	return ask(monitor, fail, "{\"execute\":\"migrate-set-parameters\",\"arguments\":"
		   "{\"max-bandwidth\":" NO_LIMIT ",\"max-postcopy-bandwidth\":%llu,"
		   "\"multifd-channels\":%d}}", (unsigned long long)push_mib << 20, CHANNELS);
}

static int end_prepare(struct move *move, struct monitor *monitor, struct fail *fail)
{
	int ret = capabilities_set(move, monitor, fail);

	return ret ?: limits_set(monitor, move->course->push_mib, fail);
}

static int qemu_prepare(struct move *move, struct fail *fail)
{
	int ret;

	move->plans[1].incoming = "defer";
	ret = qemu_start(&move->dest, &move->plans[1], fail);
	if (!ret)
		ret = end_prepare(move, &move->dest.monitor, fail);
	if (!ret)
		ret = end_prepare(move, &move->source.monitor, fail);
	return ret ?: ask(&move->dest.monitor, fail, "{\"execute\":\"migrate-incoming\","
			  "\"arguments\":{\"uri\":\"" URI "\"}}");
}

static int qemu_start_move(struct move *move, struct fail *fail)
{
	return ask(&move->source.monitor, fail, "{\"execute\":\"migrate\",\"arguments\":"
		   "{\"uri\":\"" URI "\"}}");
}

struct standing {
	char status[32];
	uint64_t syncs, requests;	/* of the dirty bitmap; of pages */
};

static uint64_t number(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ?
	       (uint64_t)json_object_get_int64(value) : 0;
}

static int standing_get(struct monitor *monitor, struct standing *standing, struct fail *fail)
{
	struct json_object *answer, *ram;
	const char *status;
	int ret = monitor_ask(monitor, "{\"execute\":\"query-migrate\"}", &answer, fail);

	if (ret)
		return ret;
	status = json_text(answer, "status");
	*standing = (struct standing){ 0 };
	snprintf(standing->status, sizeof(standing->status), "%s", status ? status : "none");
	if (json_object_object_get_ex(answer, "ram", &ram)) {
		standing->syncs = number(ram, "dirty-sync-count");
		standing->requests = number(ram, "postcopy-requests");
	}
	if (!strcmp(standing->status, "failed"))
		ret = fail_set(fail, -EIO, "QEMU's migration failed: %s",
			       json_object_to_json_string(answer));
	json_object_put(answer);
	return ret;
}

/* A round ends with a look at what was written meanwhile; the first look is before it. */
static bool switch_due(const struct move *move, const struct standing *standing)
{
	return move->mover->postcopy && !move->switched && !strcmp(standing->status, "active") &&
	       (!move->course->precopy || standing->syncs > 1);
}

/* As after ours: the guest is at the dest, and nothing of it at the source. */
static int source_quit(struct move *move, uint64_t asked, struct fail *fail)
{
	move->ended = true;
	move->asked = asked;
	move->source_cpu_ns = program_cpu_ns(move->source.pid);
	return ask(&move->source.monitor, fail, "{\"execute\":\"quit\"}");
}

static int source_gone(struct move *move)
{
	int status, ret = program_ended(move->source.pid, &status);

	if (ret == 1)
		move->source.pid = 0;
	return ret;
}

static int qemu_step(struct move *move, struct fail *fail)
{
	struct standing source, dest;
	int ret;

	if (move->ended)
		return source_gone(move);
	ret = standing_get(&move->source.monitor, &source, fail);
	if (!ret && switch_due(move, &source)) {
		move->switched = true;
		ret = ask(&move->source.monitor, fail, "{\"execute\":\"migrate-start-postcopy\"}");
	}
	if (ret || strcmp(source.status, "completed"))
		return ret;
	ret = standing_get(&move->dest.monitor, &dest, fail);
	if (ret || strcmp(dest.status, "completed"))
		return ret;
	return source_quit(move, source.requests, fail);
}

/* A guest that asks for all of its pages itself may have ended it already. */
static int qemu_hurry(struct move *move, struct fail *fail)
{
	return move->ended ? 0 : limits_set(&move->source.monitor, 0, fail);
}

/* The guest sleeps where this is looked at, so that the rest is the migration. */
static uint64_t qemu_cpu_ns(const struct move *move)
{
	uint64_t source_ns = move->ended ? move->source_cpu_ns : program_cpu_ns(move->source.pid);

	return source_ns + program_cpu_ns(move->dest.pid);
}

static int qemu_faults(struct move *move, double *faults, struct fail *fail)
{
	(void)fail;
	*faults = (double)move->asked;
	return 0;
}

#define QEMU_OPS .prepare = qemu_prepare, .start = qemu_start_move, .step = qemu_step, \
	.hurry = qemu_hurry, .cpu_ns = qemu_cpu_ns, .faults = qemu_faults

const struct mover mover_qemu = {
	.name = "qemu", .postcopy = true,
	.capabilities = { "postcopy-ram" }, QEMU_OPS
};

const struct mover mover_qemu_preempt = {
	.name = "qemu-preempt", .postcopy = true,
	.capabilities = { "postcopy-ram", "postcopy-preempt" }, QEMU_OPS
};

const struct mover mover_qemu_multifd = {
	.name = "qemu-multifd",
	.capabilities = { "multifd" }, QEMU_OPS
};
