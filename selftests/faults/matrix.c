// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * matrix.c - every message, frame and journal write x what can go wrong there.
 *
 * A cell is a test: a migration with one fault. Whatever comes of it, one host
 * owns the guest in the end, with all its memory, or an operator was told what
 * to decide; see aftermath.c. A run takes one part of MATRIX_PART=K/N, by
 * default one of 20, the next one each time; or all of it: MATRIX_PART=all.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aftermath.h"
#include "cell.h"
#include "harness.h"
#include "sample.h"
#include "selftests/lib/inspect.h"
#include "selftests/lib/move.h"
#include "selftests/migrate/crossing.h"
#include "strike.h"

#define CELL_TIMEOUT_S	220

FIXTURE(cell) {
	struct pair *pair;
	struct move move;
	struct course course;
	struct strike strike;
	struct fail fail;
	char inject[2][512];		/* by enum side */
	char options[320];		/* of the migration */
};

FIXTURE_VARIANT(cell) {
	const struct cell *cell;
};

static struct sample sample;

static void faults_say(char inject[2][512], const struct cell *cell)
{
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		const char *more = cell->scenario->inject[side];
		bool origin = side == cell->origin;

		snprintf(inject[side], sizeof(inject[side]), "%s%s%s",
			 origin ? cell->spec : "", origin && more ? "," : "",
			 more ? more : "");
	}
}

/* The faults of both hosts; or from the agents' restart on. */
static int hosts_create(FIXTURE_DATA(cell) *self, const struct cell *cell)
{
	const char *inject[2] = {
		*self->inject[SIDE_SOURCE] ? self->inject[SIDE_SOURCE] : NULL,
		*self->inject[SIDE_DEST] ? self->inject[SIDE_DEST] : NULL,
	};

	uint64_t seed = sample_seed_of(&sample, cell->name);
	enum pair_security security = seed & 1 ? PAIR_X509 : PAIR_PLAIN;

	if (!cell->scenario->restart)
		return pair_create_seeded(&self->pair, security, inject, seed, &self->fail);
	return STRADDLE_INJECT ? pair_create(&self->pair, security, NULL, &self->fail)
			       : -EOPNOTSUPP;
}

FIXTURE_SETUP(cell)
{
	const struct cell *cell = variant->cell;
	int ret;

	*self = (FIXTURE_DATA(cell)){ .move.fd = -1 };
	if (cell->never)
		SKIP(return, "%s", cell->never);
	faults_say(self->inject, cell);
	ret = hosts_create(self, cell);
	if (ret == -EOPNOTSUPP)
		SKIP(return, "fault injection is not built in: make INJECT=1");
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
	snprintf(self->options, sizeof(self->options), "%s%s", cell->scenario->options,
		 sample_seed_of(&sample, cell->name) & 2 ? ",\"compressed\":true" : "");
	self->course.pair = self->pair;
	self->course.scenario = cell->scenario;
}

FIXTURE_TEARDOWN(cell)
{
	strike_end(&self->strike);
	move_end(&self->move);
	pair_destroy(self->pair);
}

static void log_show(const struct host *host)
{
	char log[16384] = "", *line, *rest = log;

	host_log(host, "straddled.log", log, sizeof(log));
	while ((line = strsep(&rest, "\n")))
		if (*line)
			TH_LOG("%s: %s", host->name, line);
}

/* What no fault excuses: a call that a worker's filter forbids, a sanitizer's word. */
static const char *log_tells(const struct host *host)
{
	static const char *const bad[] = { "SIGSYS", "Sanitizer:", "runtime error:" };
	static char log[1 << 20];
	size_t i;

	host_log(host, "straddled.log", log, sizeof(log));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strstr(log, bad[i]))
			return bad[i];
	return NULL;
}

/* How often the fault struck, so that no cell passes without. */
static int64_t struck(FIXTURE_DATA(cell) *self, const struct cell *cell)
{
	return fault_struck(course_host(&self->course, cell->origin), cell->spec);
}

/* From here on with faults: what is to strike as an agent starts. */
static void agents_restart(FIXTURE_DATA(cell) *self)
{
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		kill(*course_agent(&self->course, side), SIGKILL);
		self->pair->inject[side] = *self->inject[side] ? self->inject[side] : NULL;
	}
}

static void migrate(FIXTURE_DATA(cell) *self, const struct cell *cell)
{
	static const char *const small[] = {
		"--memory", "16M", "--workload", "random", "--working-set", "14M", NULL
	};
	const struct two_hosts *hosts = self->pair->hosts;

	crossing_guest(self->pair, COURSE_GUEST, small);
	/* Most of it is written, and it goes on slowly: pages are missing for long. */
	ASSERT_EQ(0, guest_run_on(&hosts->source, COURSE_GUEST, 6000, &self->fail));
	ASSERT_EQ(0, guest_set_rate(&hosts->source, COURSE_GUEST,
				    cell->scenario->slow ? 10 : 2000, true, false, &self->fail));
	ASSERT_EQ(0, strike_start(&self->strike, cell, self->pair));
	if (cell->scenario->restart)
		agents_restart(self);
	/* An agent may die of it; then there is no answer, and perhaps nobody to ask. */
	signal(SIGPIPE, SIG_IGN);
	move_start(&self->move, &hosts->source, COURSE_GUEST, hosts->dest.address, self->options);
	move_end(&self->move);
	EXPECT_EQ(0, course_run(&self->course)) {
		TH_LOG("%s", self->course.wrong);
	}
	strike_end(&self->strike);
}

static void judge(FIXTURE_DATA(cell) *self, const struct cell *cell, struct aftermath *found)
{
	const struct course *course = &self->course;

	aftermath(course, cell->scenario->operated ? 2 : 1, found);
	EXPECT_STREQ("", course->wrong);
	EXPECT_STREQ("", found->text);
	EXPECT_LT(0, struck(self, cell));
	EXPECT_EQ(!!cell->struck, self->strike.done);
	EXPECT_NULL(log_tells(&self->pair->hosts->source));
	EXPECT_NULL(log_tells(&self->pair->hosts->dest));
	TH_LOG("source %s (%s), dest %s (%s), restarts %u, decisions %u",
	       course->rows[SIDE_SOURCE].state, course->rows[SIDE_SOURCE].error,
	       course->rows[SIDE_DEST].state, course->rows[SIDE_DEST].error,
	       course->restarts, course->decisions);
}

TEST_F_TIMEOUT(cell, holds, CELL_TIMEOUT_S)
{
	const struct cell *cell = variant->cell;
	struct aftermath found = { .outcome = OUTCOME_FAILED };

	migrate(self, cell);
	if (!test_has_failed())
		judge(self, cell, &found);
	if (test_has_failed()) {
		log_show(&self->pair->hosts->source);
		log_show(&self->pair->hosts->dest);
	} else if (self->strike.nobody) {
		SKIP(return, "there is no such process on the other host at that time");
	}
	sample_count(&sample, found.outcome);
}

__attribute__((constructor))
static void cells_register(void)
{
	const struct cell *cells;
	size_t count = cells_make(&cells), i;
	FIXTURE_VARIANT(cell) *variants = calloc(count, sizeof(*variants));
	struct test_variant *nodes = calloc(count, sizeof(*nodes));

	if (!variants || !nodes)
		abort();
	test_jobs(2);
	sample_choose(&sample, count);
	for (i = 0; i < count; i++) {
		if (!sample_has(&sample, i))
			continue;
		variants[i].cell = &cells[i];
		nodes[i].name = cells[i].name;
		nodes[i].data = &variants[i];
		test_register_variant(&fixture_variants_cell, &nodes[i]);
	}
}

TEST_HARNESS_MAIN
