// SPDX-License-Identifier: LGPL-2.1-or-later
/* move.c - boot the bench guest, have it moved, look at all its memory. */
#include "tools/bench/move.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"

#define MOVE_DIR	SITE_DIR "/move"
#define SPARE_MIB	64		/* of memory that is not worked on */
#define TICK_MS		2
#define BEFORE_MS	1000		/* the guest's rate before all is of so long */
#define LIMIT_MS	180000		/* one that takes longer hangs */
#define QUIET_MS	120000		/* as long as the guest may fill or look */
#define BEATS_A_SECOND	100.0
#define TOUCH_S		5.0
#define SLOW_US		10.0		/* what takes less was there: see performance.rst */

/* ---- what is said meanwhile --------------------------------------------------- */

static int console_drain(struct move *move, struct console *console)
{
	char line[128];
	int ret = 0;

	while (!ret && console->fd >= 0) {
		ret = console_line(console, 0, line, sizeof(line));
		if (!ret)
			ret = found_line(move, line);
	}
	/* The source's QEMU ends when it is through. */
	if (ret == -EPIPE || ret == -ECONNRESET)
		console_close(console);
	return ret == -ENOMEM || ret == -EMSGSIZE ? ret : 0;
}

static int monitor_drain(struct monitor *monitor)
{
	int ret = monitor->fd >= 0 ? monitor_hear(monitor) : 0;

	if (ret == -EPIPE || ret == -ECONNRESET) {
		monitor_close(monitor);
		ret = 0;
	}
	return ret;
}

static int listen_once(struct move *move)
{
	int ret = monitor_drain(&move->source.monitor);

	if (!ret)
		ret = monitor_drain(&move->dest.monitor);
	if (!ret)
		ret = console_drain(move, &move->source.console);
	if (!ret)
		ret = console_drain(move, &move->dest.console);
	poll(NULL, 0, TICK_MS);
	return ret;
}

static int listen_for(struct move *move, unsigned int ms)
{
	uint64_t end = now_ns() + ms * 1000000ull;
	int ret = 0;

	while (!ret && now_ns() < end)
		ret = listen_once(move);
	return ret;
}

/* ---- the guest ------------------------------------------------------------------ */

static void plans_make(struct move *move)
{
	static const char *const names[2] = { "source", "dest" };
	const struct site *site = move->site;
	int i;

	for (i = 0; i < 2; i++)
		move->plans[i] = (struct qemu_plan){
			.program = site->qemu,
			.dir = MOVE_DIR,
			.name = names[i],
			.memory_mib = move->course->memory_mib + SPARE_MIB,
			.host = {
				.netns = i ? site->dest_netns : site->source_netns,
				.source = !i,
				.apart = move->course->load == LOAD_TOUCH,
			},
		};
}

static int guest_boot(struct move *move, struct fail *fail)
{
	unsigned long long pages = move->course->memory_mib * 256;
	struct console *console = &move->source.console;
	uint64_t filled;
	int ret = qemu_start(&move->source, &move->plans[0], fail);

	if (!ret)
		ret = console_order(console, "fill %llu", pages);
	return ret ?: console_expect(console, "filled", &filled, 1, QUIET_MS, fail);
}

/* What it does before it is moved, and after. */
static int work_begin(struct move *move)
{
	unsigned long long pages = move->course->work_mib * 256;
	double period = found_ticks_a_second() / BEATS_A_SECOND;
	enum load load = move->course->load;
	int ret;

	if (load != LOAD_WRITE && load != LOAD_SWEEP)
		return 0;
	ret = console_order(&move->source.console, "%s %llu %.0f",
			    load == LOAD_WRITE ? "write" : "sweep", pages, period);
	return ret ?: listen_for(move, BEFORE_MS);
}

static int touch_begin(struct move *move)
{
	double hz = found_ticks_a_second();

	return console_order(&move->dest.console, "touch %u %.0f %.0f", move->site->faults,
			     hz * SLOW_US / 1e6, hz * TOUCH_S);
}

static int work_end(struct move *move, struct fail *fail)
{
	enum load load = move->course->load;
	int i, ret = 0;

	if (load != LOAD_WRITE && load != LOAD_SWEEP)
		return 0;
	for (i = 0; !ret && !found_back(move) && i < LIMIT_MS / 100; i++)
		ret = listen_for(move, 100);
	if (!ret)
		ret = console_order(&move->dest.console, "%s", "");
	return ret ?: console_expect(&move->dest.console, "stopped", NULL, 0, QUIET_MS, fail);
}

static int guest_check(struct move *move, struct fail *fail)
{
	uint64_t numbers[2];
	int ret = console_order(&move->dest.console, "check");

	if (!ret)
		ret = console_expect(&move->dest.console, "checked", numbers, 2, QUIET_MS, fail);
	if (!ret && numbers[1])
		ret = fail_set(fail, -EBADMSG, "%llu of %llu pages arrived wrong",
			       (unsigned long long)numbers[1], (unsigned long long)numbers[0]);
	return ret;
}

/* ---- the migration -------------------------------------------------------------- */

/* From the order to move until all is there, and what was to be told was told. */
static int follow(struct move *move, struct fail *fail)
{
	bool touching = move->course->load == LOAD_TOUCH, begun = false;
	bool limited = move->course->push_mib;
	uint64_t limit = now_ns() + LIMIT_MS * 1000000ull;
	int ret = 0;

	while (!ret && !(move->done_us && (!touching || found_samples(move)))) {
		ret = listen_once(move);
		if (!ret && !move->done_us) {
			ret = move->mover->step(move, fail);
			if (ret == 1) {
				move->done_us = found_now_us();
				ret = 0;
			}
		}
		if (!ret && touching && !begun && move->dest.monitor.resumed_us &&
		    move->dest.console.fd >= 0) {
			begun = true;
			ret = touch_begin(move);
		}
		if (!ret && limited && found_samples(move)) {
			limited = false;
			ret = move->mover->hurry(move, fail);
		}
		if (!ret && now_ns() > limit)
			ret = fail_set(fail, -ETIMEDOUT, "it is not over after %u s",
				       LIMIT_MS / 1000);
	}
	return ret;
}

static int course_take(struct move *move, struct fail *fail)
{
	const struct mover *mover = move->mover;
	uint64_t cpu_ns;
	int ret = guest_boot(move, fail);

	if (!ret)
		ret = mover->prepare(move, fail);
	if (!ret)
		ret = work_begin(move);
	if (ret)
		return ret;
	cpu_ns = mover->cpu_ns(move);
	move->began_us = found_now_us();
	ret = mover->start(move, fail);
	if (!ret)
		ret = follow(move, fail);
	move->cpu_ns = mover->cpu_ns(move) - cpu_ns;
	if (!ret)
		ret = mover->faults(move, &move->found[FOUND_FAULTS], fail);
	if (!ret)
		ret = work_end(move, fail);
	return ret ?: guest_check(move, fail);
}

/* A plot of it is an extra: where it cannot be written, the plot's own words say so. */
static void trace_write(const struct move *move)
{
	__cleanup_file FILE *file = NULL;
	char path[256];

	if (!move->site->plots || !move->series.count)
		return;
	snprintf(path, sizeof(path), "%s/rate-%s-%s.dat", move->site->plots, move->course->id,
		 move->mover->name);
	file = fopen(path, "we");
	if (file)
		found_trace(move, file);
}

/* Over the cable that the course wants. */
static int course_run(struct move *move, struct fail *fail)
{
	int ret = move->course->narrow ? site_narrow(move->site, true, fail) : 0;

	if (!ret)
		ret = course_take(move, fail);
	if (move->course->narrow)
		ret = site_narrow(move->site, false, ret ? NULL : fail) ?: ret;
	return ret;
}

/* Whoever is left is a child of this process, or becomes one: main() sees to that. */
static void children_end(void)
{
	int round;

	for (round = 0; round < 1000; round++) {
		__cleanup_file FILE *file = fopen("/proc/thread-self/children", "re");
		int pid, found = 0;

		while (file && fscanf(file, "%d", &pid) == 1) {
			kill(pid, SIGKILL);
			found++;
		}
		if (!found)
			return;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		poll(NULL, 0, 1);
	}
}

static void move_end(struct move *move)
{
	qemu_end(&move->source);
	qemu_end(&move->dest);
	program_end(move->command);
	program_end(move->agents[0]);
	program_end(move->agents[1]);
	children_end();
	free(move->series.beats);
	free(move->samples.us);
}

/**
 * move_run() - have the guest moved once
 * @site: where
 * @course: what the guest does meanwhile
 * @mover: who moves it
 * @found: receives what was found out
 * @fail: says what went wrong
 *
 * Return: 0 or -errno.
 */
int move_run(const struct site *site, const struct course *course, const struct mover *mover,
	     double found[FINDINGS], struct fail *fail)
{
	struct move move = {
		.site = site, .course = course, .mover = mover,
		.source = { .monitor.fd = -1, .console.fd = -1 },
		.dest = { .monitor.fd = -1, .console.fd = -1 },
	};
	struct fail why = { 0 };
	int ret = sys_ret(mkdir(MOVE_DIR, 0700));

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (ret == -EEXIST)
		ret = 0;
	plans_make(&move);
	/* Both QEMUs have it in the end. */
	memory_warm(2 * course->memory_mib << 20);
	if (!ret)
		ret = course_run(&move, &why);
	if (!ret) {
		found_all(&move);
		trace_write(&move);
	}
	move_end(&move);
	memcpy(found, move.found, sizeof(move.found));
	return ret ? fail_set(fail, ret, "%s, moved by %s: %s", course->id, mover->name,
			      why.err ? why.text : strerror(-ret)) : 0;
}
