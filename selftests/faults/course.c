// SPDX-License-Identifier: LGPL-2.1-or-later
/* course.c - a migration with a fault, looked after until it is over. */
#include "course.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "operator.h"
#include "selftests/lib/inspect.h"
#include "selftests/lib/move.h"
#include "selftests/lib/process.h"
#include "sys.h"

#define LOOK_MS		25
#define NS_PER_S	UINT64_C(1000000000)
#define STUCK_NS	(75 * NS_PER_S)	/* a lost BARRIER is waited for 60 s */
#define COURSE_NS	(150 * NS_PER_S)
#define RESTARTS_MAX	8
#define OVER_TIMES	4

/**
 * course_host() - the host of a side
 * @course: whose
 * @side: which
 *
 * Return: the host.
 */
const struct host *course_host(const struct course *course, enum side side)
{
	bool first = (side == SIDE_SOURCE) != course->back;

	return first ? &course->pair->hosts->source : &course->pair->hosts->dest;
}

/**
 * course_agent() - the agent of a side
 * @course: whose
 * @side: which
 *
 * Return: where its pid is noted.
 */
pid_t *course_agent(const struct course *course, enum side side)
{
	bool first = (side == SIDE_SOURCE) != course->back;

	return first ? &course->pair->source_agent : &course->pair->dest_agent;
}

static void row_take(struct course_row *row, struct json_object *told)
{
	struct json_object *summary = NULL, *recoveries = NULL, *heard = NULL;
	const char *error = json_text(told, "error");

	snprintf(row->state, sizeof(row->state), "%s", json_text(told, "state"));
	snprintf(row->error, sizeof(row->error), "%s", error ? error : "");
	json_object_object_get_ex(told, "acknowledged", &heard);
	row->acknowledged = json_object_get_boolean(heard);
	row->recoveries = -1;
	if (json_object_object_get_ex(told, "summary", &summary) && summary &&
	    json_object_object_get_ex(summary, "recoveries", &recoveries))
		row->recoveries = json_object_get_int64(recoveries);
}

/* What the agent's journal says now; an agent that is away says nothing. */
static void row_read(const struct course *course, enum side side, struct course_row *row)
{
	const struct host *host = course_host(course, side);
	struct json_object *answer, *rows = NULL;
	struct fail fail = { 0 };
	size_t i;

	row->heard = !agent_ask(host, &answer, &fail, "{\"do\":\"history\",\"count\":10}");
	if (!row->heard)
		return;
	json_object_object_get_ex(answer, "migrations", &rows);
	for (i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *one = json_object_array_get_idx(rows, i), *began = NULL;

		json_object_object_get_ex(one, "began_ns", &began);
		if (!strcmp(json_text(one, "side"), side_name(side)) &&
		    json_object_get_uint64(began) >= course->since_ns) {
			row_take(row, one);
			break;		/* the newest is the first */
		}
	}
	json_object_put(answer);
}

static void rows_read(struct course *course)
{
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		struct course_row was = course->rows[side];

		row_read(course, side, &course->rows[side]);
		if (strcmp(was.state, course->rows[side].state))
			course->changed_ns = now_ns();
	}
}

static int agent_mend(struct course *course, enum side side)
{
	pid_t *agent = course_agent(course, side);
	struct fail fail = { 0 };
	pid_t made;

	if (*agent > 0 && process_wait(*agent, 0) == -ETIMEDOUT)
		return 0;
	course->changed_ns = now_ns();
	if (course->restarts++ >= RESTARTS_MAX)
		return -ELOOP;
	made = pair_start_agent(course->pair, course_host(course, side), &fail);
	*agent = made;
	return 0;	/* one that dies as it starts is started again */
}

/* The dest has to hear how it ended at the source, and the source that it has. */
static bool is_unheard(const struct course_row *row, enum owner_state state)
{
	return !row->acknowledged && (owner_is_heralded(state) || state == STATE_DONE ||
				      state == STATE_POISONED);
}

static bool row_is_over(const struct course_row *row)
{
	enum owner_state state = owner_state_named(row->state);
	const struct owner_rule *rule = owner_rule(state);

	return row->heard && !is_unheard(row, state) && (!rule || rule->ended);
}

/* Seen a few times: a process that has just begun has no name yet. */
static bool is_over(struct course *course)
{
	bool over = row_is_over(&course->rows[SIDE_SOURCE]) &&
		    row_is_over(&course->rows[SIDE_DEST]) &&
		    !host_workers(course_host(course, SIDE_SOURCE)) &&
		    !host_workers(course_host(course, SIDE_DEST));

	course->over = over ? course->over + 1 : 0;
	return course->over >= OVER_TIMES;
}

static int stuck(struct course *course, const char *why)
{
	snprintf(course->wrong, sizeof(course->wrong), "%s: source %s, dest %s", why,
		 *course->rows[SIDE_SOURCE].state ? course->rows[SIDE_SOURCE].state : "-",
		 *course->rows[SIDE_DEST].state ? course->rows[SIDE_DEST].state : "-");
	return -ETIME;
}

/**
 * course_run() - look after a migration until nothing of it is left to do
 * @course: with its hosts and scenario; the migration has begun, or could not
 *
 * Return: 0; or -ETIME with @course->wrong: it does not come to an end.
 */
int course_run(struct course *course)
{
	uint64_t began_ns = now_ns();

	course->changed_ns = began_ns;
	for (;;) {
		if (agent_mend(course, SIDE_SOURCE) || agent_mend(course, SIDE_DEST))
			return stuck(course, "an agent ends again and again");
		rows_read(course);
		operator_step(course);
		if (course->meanwhile)
			course->meanwhile(course, course->arg);
		if (is_over(course))
			return 0;
		if (now_ns() - course->changed_ns > STUCK_NS)
			return stuck(course, "nothing goes on");
		if (now_ns() - began_ns > COURSE_NS)
			return stuck(course, "it does not come to an end");
		poll(NULL, 0, LOOK_MS);
	}
}
