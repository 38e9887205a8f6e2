// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * cell.c - points x actions x sides.
 *
 * A message or frame is struck where it is sent. A journal write kills the
 * agent that writes, a state that a worker asks for kills that worker; and
 * while it stands still there (stall), the other host's is killed, or both.
 */
#include "cell.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX	4096
#define BOTH		(SIDE_BIT(SIDE_SOURCE) | SIDE_BIT(SIDE_DEST))
#define SENT		(INJECT_KIND_BIT(INJECT_MESSAGE) | INJECT_KIND_BIT(INJECT_FRAME))

/* Actions that need an argument, and those that are no single failure. */
static const struct {
	const char *action;
	const char *argument;		/* NULL: no cell */
} arguments[] = {
	{ "delay", "=2500ms" },		/* more than the 2 s of a cut */
	{ "slow", NULL },		/* a bad link, of no one message */
	{ "stall", NULL },		/* nobody has it go on; used for @both */
	{ "stall-after", NULL },
	{ "fail", NULL },		/* a full disk: selftests/migrate/inject.c */
};

struct cells {
	struct cell *list;
	size_t count;
};

/* Return: "" for none, NULL: there is no cell of it. */
static const char *argument_of(const char *action)
{
	size_t i;

	for (i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		if (!strcmp(arguments[i].action, action))
			return arguments[i].argument;
	return "";
}

static struct cell *cell_new(struct cells *cells, const struct inject_point *point,
			     enum side origin, const char *where)
{
	struct cell *cell = &cells->list[cells->count++];

	assert(cells->count < CELLS_MAX);
	cell->origin = origin;
	cell->kind = point->kind;
	scenario_find(where, origin, &cell->scenario, &cell->never);
	return cell;
}

static void sent_add(struct cells *cells, const struct inject_point *point, const char *where,
		     enum side origin, const char *action)
{
	struct cell *cell = cell_new(cells, point, origin, where);

	snprintf(cell->spec, sizeof(cell->spec), "%s:%s%s", where, action, argument_of(action));
	snprintf(cell->name, sizeof(cell->name), "%s:%s@%s", where, action, side_name(origin));
}

static void written_add(struct cells *cells, const struct inject_point *point,
			enum side origin, const char *action, unsigned int struck)
{
	struct cell *cell = cell_new(cells, point, origin, point->name);
	bool after = !strcmp(action, "kill-after");
	bool itself = struck == SIDE_BIT(origin);

	cell->struck = itself ? 0 : struck;
	snprintf(cell->spec, sizeof(cell->spec), "%s:%s", point->name,
		 itself ? action : after ? "stall-after" : "stall");
	/* Where either side comes to the point, the name says which does. */
	snprintf(cell->name, sizeof(cell->name), "%s%s%s:%s@%s",
		 point->sides == BOTH ? side_name(origin) : "",
		 point->sides == BOTH ? "." : "", point->name, action,
		 struck == BOTH ? "both" :
		 side_name(struck == SIDE_BIT(SIDE_SOURCE) ? SIDE_SOURCE : SIDE_DEST));
}

/* A message has its phase in its name; a frame has a cell for each. */
static void sent_phases_add(struct cells *cells, const struct inject_point *point,
			    enum side origin, const char *action)
{
	char where[96], *at;
	enum phase phase;

	if (point->kind == INJECT_MESSAGE)
		sent_add(cells, point, point->name, origin, action);
	for (phase = 0; phase < PHASE_COUNT; phase++) {
		if (!(point->phases & PHASE_BIT(phase)))
			continue;
		snprintf(where, sizeof(where), "%s.%s", phase_name(phase), point->name);
		for (at = where; *at != '.'; at++)
			*at = (char)tolower((unsigned char)*at);
		sent_add(cells, point, where, origin, action);
	}
}

static void action_add(struct cells *cells, const struct inject_point *point, enum side origin,
		       const char *action, unsigned int kinds)
{
	unsigned int struck;

	if (!(kinds & INJECT_KIND_BIT(point->kind)))
		return;
	if (SENT & INJECT_KIND_BIT(point->kind)) {
		sent_phases_add(cells, point, origin, action);
		return;
	}
	if (strncmp(action, "kill", 4))
		return;		/* a write that is late is no failure */
	for (struck = 1; struck <= BOTH; struck++)
		written_add(cells, point, origin, action, struck);
}

static void point_add(struct cells *cells, const struct inject_point *point)
{
	unsigned int kinds;
	const char *action;
	enum side origin;
	size_t i;

	for (origin = SIDE_SOURCE; origin <= SIDE_DEST; origin++) {
		if (!(point->sides & SIDE_BIT(origin)))
			continue;
		for (i = 0; (action = inject_action_get(i, &kinds)); i++)
			if (argument_of(action))
				action_add(cells, point, origin, action, kinds);
	}
}

/**
 * cells_make() - all cells of the matrix
 * @cells: receives them
 *
 * Return: how many; the same list in each run of this build.
 */
size_t cells_make(const struct cell **cells)
{
	struct cells made = { .list = calloc(CELLS_MAX, sizeof(*made.list)) };
	struct inject_point point;
	size_t i;

	assert(made.list);
	for (i = 0; inject_point_get(i, &point); i++)
		point_add(&made, &point);
	*cells = made.list;
	return made.count;
}
