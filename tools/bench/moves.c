// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * moves.c - the migrations as a table, and how they are run.
 *
 * One migration answers several rows, so that courses are run, not rows: ours
 * and each peer in turn, once a pair.
 */
#include "tools/bench/moves.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define QUICK		8

static const struct course idle = {
	"idle", LOAD_TOUCH, .memory_mib = 512, .push_mib = 1,
};
static const struct course busy = {
	"busy", LOAD_TOUCH, .memory_mib = 1024, .narrow = true,
};
static const struct course push = {
	"push", LOAD_NONE, .memory_mib = 2048,
};
static const struct course hot = {
	"hot", LOAD_WRITE, .memory_mib = 1024, .work_mib = 128, .narrow = true,
};
static const struct course rounds = {
	"rounds", LOAD_WRITE, .memory_mib = 1024, .work_mib = 128, .narrow = true,
	.precopy = true,
};

#define DIRTY(mib_) \
	{ "dirty-" #mib_, LOAD_SWEEP, .memory_mib = (mib_) + 256, .work_mib = (mib_), \
	  .precopy = true }

static const struct course dirty_16 = DIRTY(16);
static const struct course dirty_256 = DIRTY(256);
static const struct course dirty_1024 = DIRTY(1024);
static const struct course dirty_4096 = DIRTY(4096);

static const struct course *const courses[] = {
	&idle, &busy, &push, &hot, &rounds, &dirty_16, &dirty_256, &dirty_1024, &dirty_4096,
};

/* Ours is the first. */
static const struct mover *const movers[] = {
	&mover_straddle, &mover_qemu, &mover_qemu_preempt, &mover_qemu_multifd,
};

#define COURSES		(sizeof(courses) / sizeof(courses[0]))
#define MOVERS		(sizeof(movers) / sizeof(movers[0]))

#define QEMU		"QEMU 10, post-copy"
#define PREEMPT		"QEMU 10, post-copy with postcopy-preempt"
#define MULTIFD		"QEMU 10, pre-copy with multifd, 2 channels"
#define IDLE		"fault of a QEMU's guest, in the guest, idle link, "
#define BUSY		"the same while the push fills a link of 1 Gbit/s, "
#define BACK		"from resume until 90 % of the rate, 128 of 1024 MiB hot, 1 Gbit/s"
#define FAULTS		"pages asked for, per page of the hot 128 MiB of 1024, 1 Gbit/s"

#define ROW(id_, unit_, what_, peer_words_, sense_, goal_, course_, finding_, ...) \
	{ { .id = (id_), .unit = (unit_), .measures = (what_), .against = (peer_words_), \
	    .sense = (sense_), .goal = (goal_) }, &(course_), (finding_), __VA_ARGS__ }

const struct move_row move_rows[] = {
	ROW("vm-idle-p50", "us", IDLE "median", PREEMPT, AT_MOST, 0.5,
	    idle, FOUND_FAULT_P50, .peer = &mover_qemu_preempt),
	ROW("vm-idle-p99", "us", IDLE "p99", PREEMPT, NO_GOAL, 0,
	    idle, FOUND_FAULT_P99, .peer = &mover_qemu_preempt),
	/* Without preempt the limit of the push holds up what is asked for, too. */
	ROW("vm-idle-p50-plain", "us", IDLE "median", QEMU, NO_GOAL, 0,
	    idle, FOUND_FAULT_P50, .peer = &mover_qemu),
	ROW("vm-busy-p50", "us", BUSY "median", PREEMPT, NO_GOAL, 0,
	    busy, FOUND_FAULT_P50, .peer = &mover_qemu_preempt),
	ROW("vm-busy-p99", "us", BUSY "p99", PREEMPT, AT_MOST, 0.2,
	    busy, FOUND_FAULT_P99, .peer = &mover_qemu_preempt),
	ROW("vm-busy-p99-plain", "us", BUSY "p99", QEMU, AT_MOST, 0.2,
	    busy, FOUND_FAULT_P99, .peer = &mover_qemu),
	ROW("vm-push", "MiB/s", "2 GiB of a sleeping guest, from STOP to the end", QEMU,
	    AT_LEAST, 2, push, FOUND_PUSH, .peer = &mover_qemu),
	ROW("vm-total-multifd", "MiB/s", "the same, from the order to the end", MULTIFD,
	    NO_GOAL, 0, push, FOUND_TOTAL, .peer = &mover_qemu_multifd),
	ROW("vm-cpu", "ms/GiB", "CPU time of agents and workers, both ends, a GiB moved",
	    "both QEMUs' while one moves its guest", AT_MOST, 1,
	    push, FOUND_CPU, .peer = &mover_qemu),
	ROW("vm-faults", "1/page", FAULTS ", post-copy only", NULL, AT_MOST, 0.1,
	    hot, FOUND_FAULTS, .peer = NULL),
	ROW("vm-faults-qemu", "1/page", FAULTS ", post-copy only", QEMU, AT_MOST, 0.3,
	    hot, FOUND_FAULTS, .peer = &mover_qemu),
	ROW("vm-back", "ms", BACK ", post-copy only", QEMU, AT_MOST, 0.3,
	    hot, FOUND_BACK, .peer = &mover_qemu),
	ROW("vm-back-rounds", "ms", BACK ", after a round", QEMU, AT_MOST, 0.3,
	    rounds, FOUND_BACK, .peer = &mover_qemu),
	ROW("vm-faults-rounds", "1/page", FAULTS ", after a round", QEMU, AT_MOST, 0.3,
	    rounds, FOUND_FAULTS, .peer = &mover_qemu),
	ROW("vm-total-rounds", "MiB/s", "1 GiB, 128 MiB hot, a round, then post-copy; to the end",
	    QEMU, AT_LEAST, 1, rounds, FOUND_TOTAL, .peer = &mover_qemu),
	ROW("vm-rate", "1", "the guest's rate in the first round, of that before, 1 Gbit/s",
	    NULL, AT_LEAST, 0.9, rounds, FOUND_PRECOPY_RATE, .peer = NULL),
	ROW("vm-rate-qemu", "1", "the same", QEMU, AT_LEAST, 1,
	    rounds, FOUND_PRECOPY_RATE, .peer = &mover_qemu),
	ROW("vm-down-16", "ms", "from STOP to RESUME, 16 MiB dirty", QEMU, AT_MOST, 0.3,
	    dirty_16, FOUND_DOWNTIME, .peer = &mover_qemu),
	ROW("vm-down-256", "ms", "from STOP to RESUME, 256 MiB dirty", QEMU, AT_MOST, 0.3,
	    dirty_256, FOUND_DOWNTIME, .peer = &mover_qemu),
	ROW("vm-down-1024", "ms", "from STOP to RESUME, 1 GiB dirty", QEMU, AT_MOST, 0.3,
	    dirty_1024, FOUND_DOWNTIME, .peer = &mover_qemu),
	ROW("vm-down-4096", "ms", "from STOP to RESUME, 4 GiB dirty", QEMU, AT_MOST, 0.3,
	    dirty_4096, FOUND_DOWNTIME, .peer = &mover_qemu),
	ROW("vm-down-growth", "ms", "from STOP to RESUME, 4 GiB dirty", "ours, 16 MiB dirty",
	    AT_MOST, 1.5, dirty_4096, FOUND_DOWNTIME, .base = &dirty_16),
};

const unsigned int move_rows_count = sizeof(move_rows) / sizeof(move_rows[0]);

/* All that was found out, and whether. */
struct book {
	double found[PAIRS_MAX][COURSES][MOVERS][FINDINGS];
	bool there[COURSES];
};

static size_t course_index(const struct course *course)
{
	size_t i = 0;

	while (courses[i] != course)
		i++;
	return i;
}

static size_t mover_index(const struct mover *mover)
{
	size_t i = 0;

	while (movers[i] != mover)
		i++;
	return i;
}

static bool course_wanted(const struct course *course, const struct options *options)
{
	unsigned int i;

	for (i = 0; i < move_rows_count; i++)
		if (options_want(options, &move_rows[i].row) &&
		    (move_rows[i].course == course || move_rows[i].base == course))
			return true;
	return false;
}

static bool mover_wanted(const struct course *course, const struct mover *mover,
			 const struct options *options)
{
	unsigned int i;

	if (mover == movers[0])
		return true;
	for (i = 0; i < move_rows_count; i++)
		if (options_want(options, &move_rows[i].row) && move_rows[i].course == course &&
		    move_rows[i].peer == mover)
			return true;
	return false;
}

/* Does it work? That takes no gigabytes. */
static struct course course_scaled(const struct site *site, const struct course *course)
{
	struct course scaled = *course;

	if (site->quick) {
		scaled.memory_mib = course->memory_mib / QUICK + 16;
		scaled.work_mib = course->work_mib / QUICK;
	}
	return scaled;
}

static int pair_run(const struct site *site, const struct course *course,
		    const struct options *options, double (*found)[FINDINGS], struct fail *fail)
{
	struct course scaled = course_scaled(site, course);
	int ret = 0;
	size_t i;

	for (i = 0; !ret && i < MOVERS; i++)
		if (mover_wanted(course, movers[i], options))
			ret = move_run(site, &scaled, movers[i], found[i], fail);
	return ret;
}

static int course_run(const struct site *site, size_t index, const struct options *options,
		      struct book *book, struct fail *fail)
{
	unsigned int pair;
	int ret = 0;

	fprintf(stderr, "vm %s...\n", courses[index]->id);
	for (pair = 0; !ret && pair < options->pairs; pair++)
		ret = pair_run(site, courses[index], options, book->found[pair][index], fail);
	book->there[index] = !ret;
	return ret;
}

static void row_take(const struct move_row *row, const struct book *book, unsigned int pairs,
		     struct result *result)
{
	double ours[PAIRS_MAX], peer[PAIRS_MAX];
	size_t at = course_index(row->course), base = at, mover = 0;
	unsigned int i;

	if (row->peer)
		mover = mover_index(row->peer);
	if (row->base)
		base = course_index(row->base);
	if (!book->there[at] || !book->there[base])
		return;
	for (i = 0; i < pairs; i++) {
		ours[i] = book->found[i][at][0][row->finding];
		peer[i] = book->found[i][base][mover][row->finding];
	}
	result_make(&row->row, ours, peer, pairs, result);
}

/**
 * moves_run() - run the migrations that the rows take
 * @site: where
 * @options: which rows, and how often
 * @results: receives one a row of @move_rows
 * @fail: says what went wrong first; rows that did not need it are there
 *
 * Return: 0 or -errno.
 */
int moves_run(const struct site *site, const struct options *options, struct result *results,
	      struct fail *fail)
{
	struct book __cleanup_free *book = calloc(1, sizeof(*book));
	int ret = book ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; book && i < COURSES; i++)
		if (course_wanted(courses[i], options)) {
			int got = course_run(site, i, options, book, fail);

			ret = ret ?: got;
		}
	for (i = 0; book && i < move_rows_count; i++)
		if (options_want(options, &move_rows[i].row))
			row_take(&move_rows[i], book, options->pairs, &results[i]);
	return ret;
}
