/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * course.h - a migration with a fault, looked after until it is over.
 *
 * Agents that died are started again, as systemd would. The scenario does its
 * steps; and where the journals say that only an operator can go on, that is
 * checked to be told, and the operator decides.
 */
#ifndef STRADDLE_TEST_COURSE_H
#define STRADDLE_TEST_COURSE_H

#include <stdbool.h>
#include <stdint.h>

#include "scenario.h"
#include "selftests/lib/pair.h"

#define COURSE_GUEST	"db"

/* A side's row, as its agent told it last. */
struct course_row {
	bool heard;			/* the agent answered just now */
	char state[16];			/* "": there is none */
	char error[FAIL_TEXT_MAX];
	bool acknowledged;		/* the other side has heard how it ended */
	int64_t recoveries;		/* of the summary; -1: there is none */
};

struct course {
	struct pair *pair;
	const struct scenario *scenario;
	/* Called again and again while it is under way; or NULL. */
	void (*meanwhile)(struct course *course, void *arg);
	void *arg;
	bool back;			/* from the pair's dest to its source */
	uint64_t since_ns;		/* CLOCK_REALTIME; older rows are others' */
	struct course_row rows[2];	/* by enum side */
	size_t step;			/* of the scenario, that is next */
	unsigned int tries;		/* of that step */
	unsigned int restarts;		/* of agents that died */
	unsigned int decisions;		/* of an operator, beyond the scenario */
	unsigned int over;		/* times in a row that it was seen so */
	uint64_t changed_ns;		/* when a row last changed */
	char wrong[512];		/* why it did not come to an end; or "" */
};

const struct host *course_host(const struct course *course, enum side side);
pid_t *course_agent(const struct course *course, enum side side);
/* Return: 0: it is over; -ETIME: it is not, see @course->wrong. */
int course_run(struct course *course);

#endif
