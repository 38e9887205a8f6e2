// SPDX-License-Identifier: LGPL-2.1-or-later
/* mover_straddle.c - straddle moves the guest, from outside of its QEMU. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/move.h"

#define SOURCE_ADDRESS	"10.177.0.1"
#define TRIES		1000
#define TRY_MS		5
#define PATH_SIZE	108
#define ARGS_MAX	24

static void run_dir(int side, char *path, size_t size)
{
	snprintf(path, size, SITE_DIR "/move/run-%d", side);
}

static void control_path(int side, char *path, size_t size)
{
	char dir[PATH_SIZE - 20];

	run_dir(side, dir, sizeof(dir));
	snprintf(path, size, "%s/straddled.sock", dir);
}

static int agent_await(const char *path, struct fail *fail)
{
	int i, fd = -EAGAIN;

	for (i = 0; fd == -EAGAIN && i < TRIES; i++) {
		fd = socket_meet(path);
		if (fd == -EAGAIN)
			poll(NULL, 0, TRY_MS);
	}
	if (fd < 0)
		return fail_set(fail, fd, "no straddled listens at %s", path);
	close(fd);
	return 0;
}

static int agent_start(struct move *move, int side, struct fail *fail)
{
	char program[320], dir[PATH_SIZE], state[PATH_SIZE], control[PATH_SIZE], log[PATH_SIZE];
	const char *const argv[] = {
		program, "--listen", side ? DEST_ADDRESS : SOURCE_ADDRESS, "--tls", "off",
		"--run-dir", dir, "--state-dir", state, "--allow-qmp", NULL
	};
	int ret = program_beside("straddled", program, sizeof(program), fail);

	if (ret)
		return ret;
	run_dir(side, dir, sizeof(dir));
	control_path(side, control, sizeof(control));
	(void)unlink(control);
	snprintf(state, sizeof(state), SITE_DIR "/move/state-%d", side);
	snprintf(log, sizeof(log), SITE_DIR "/move/straddled-%d.log", side);
	move->agents[side] = program_start(&move->plans[side].host, argv, log, fail);
	if (move->agents[side] < 0)
		return move->agents[side];
	return agent_await(control, fail);
}

static int straddle_prepare(struct move *move, struct fail *fail)
{
	int ret = agent_start(move, 0, fail);

	/* Its QEMU has the sockets of the source's. */
	move->plans[1].name = move->plans[0].name;
	return ret ?: agent_start(move, 1, fail);
}

static pid_t command_start(struct move *move, const char *const more[], const char *output,
			   struct fail *fail)
{
	char program[320], control[PATH_SIZE];
	const char *argv[ARGS_MAX] = { program, "--agent", control, "--json" };
	int n = 4, ret = program_beside("straddle", program, sizeof(program), fail);

	if (ret)
		return ret;
	control_path(0, control, sizeof(control));
	while (*more && n < ARGS_MAX - 1)
		argv[n++] = *more++;
	return program_start(&move->plans[0].host, argv, output, fail);
}

static void guest_names(char *here, char *there, size_t size)
{
	snprintf(here, size, "qmp:" SITE_DIR "/move/source.qmp");
	snprintf(there, size, "qmp:" SITE_DIR "/move/dest.qmp");
}

static int straddle_start(struct move *move, struct fail *fail)
{
	char here[PATH_SIZE], there[PATH_SIZE], limit[24];
	const char *argv[ARGS_MAX] = {
		"migrate", here, DEST_ADDRESS, "--live", "--postcopy", "--dname", there,
	};
	int n = 7;

	guest_names(here, there, sizeof(here));
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)move->course->push_mib);
	if (move->course->precopy) {
		argv[n++] = "--postcopy-after-precopy";
	} else {
		argv[n++] = "--precopy-rounds";
		argv[n++] = "0";
	}
	if (move->course->push_mib) {
		argv[n++] = "--postcopy-bandwidth";
		argv[n++] = limit;
	}
	move->command = command_start(move, argv, SITE_DIR "/move/straddle.log", fail);
	return move->command < 0 ? move->command : 0;
}

/* The last line that the command printed, the caller's; NULL: it is no JSON. */
static struct json_object *last_line(char *line, size_t size)
{
	__cleanup_file FILE *file = fopen(SITE_DIR "/move/straddle.log", "re");
	struct json_object *object = NULL;

	*line = '\0';
	while (file && fgets(line, (int)size, file))
		;
	return json_parse(line, strlen(line), &object) ? NULL : object;
}

static int command_failed(struct fail *fail)
{
	char line[8192];
	struct json_object *object = last_line(line, sizeof(line));
	const char *error = object ? json_text(object, "error") : NULL;

	fail_set(fail, -EIO, "%.1500s", error ? error : line);
	json_object_put(object);
	return -EIO;
}

static int straddle_step(struct move *move, struct fail *fail)
{
	int status, ret = qemu_meet(&move->dest, &move->plans[1], move->source.met_at, fail);

	if (ret && ret != -EAGAIN)
		return ret;
	if (!move->command)
		return 1;
	ret = program_ended(move->command, &status);
	if (ret != 1)
		return ret;
	move->command = 0;
	return status ? command_failed(fail) : 1;
}

static int straddle_hurry(struct move *move, struct fail *fail)
{
	char here[PATH_SIZE], there[PATH_SIZE];
	const char *const argv[] = { "bandwidth", here, "0", NULL };
	int i, status, ret = 0;
	pid_t pid;

	guest_names(here, there, sizeof(here));
	pid = command_start(move, argv, SITE_DIR "/move/bandwidth.log", fail);
	if (pid < 0)
		return pid;
	for (i = 0; !ret && i < TRIES; i++) {
		ret = program_ended(pid, &status);
		if (!ret)
			poll(NULL, 0, TRY_MS);
	}
	if (ret == 1 && !status)
		return 0;
	return fail_set(fail, -EIO, "'straddle bandwidth' failed");
}

/* Agents with all that they started and that has ended. */
static uint64_t straddle_cpu_ns(const struct move *move)
{
	return program_cpu_ns(move->agents[0]) + program_cpu_ns(move->agents[1]);
}

static int straddle_faults(struct move *move, double *faults, struct fail *fail)
{
	struct json_object *summary, *number, *object;
	char line[8192];

	(void)move;
	object = last_line(line, sizeof(line));
	if (!object || !json_object_object_get_ex(object, "summary", &summary) ||
	    !json_object_object_get_ex(summary, "network_faults", &number)) {
		json_object_put(object);
		return fail_set(fail, -EPROTO, "straddle printed no summary: %.200s", line);
	}
	*faults = json_object_get_double(number);
	json_object_put(object);
	return 0;
}

const struct mover mover_straddle = {
	.name = "straddle", .postcopy = true,
	.prepare = straddle_prepare, .start = straddle_start, .step = straddle_step,
	.hurry = straddle_hurry, .cpu_ns = straddle_cpu_ns, .faults = straddle_faults,
};
