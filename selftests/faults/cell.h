/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cell.h - the cells of the matrix: one fault each, at one point of one side.
 *
 * They come from the program's own tables of points and actions, so that a new
 * message, state or action has its cells.
 */
#ifndef STRADDLE_TEST_CELL_H
#define STRADDLE_TEST_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/inject.h"
#include "scenario.h"

#define SIDE_BIT(side)	(1u << (side))

struct cell {
	char name[96];			/* "finish.answer:drop@dest" */
	char spec[INJECT_TEXT_MAX];	/* what the agent of @origin injects */
	enum side origin;		/* who comes to the point */
	enum inject_kind kind;
	unsigned int struck;		/* SIDE_BIT()s that are killed while @origin
					 * stands still there; 0: it does it itself */
	const struct scenario *scenario;
	const char *never;		/* why there can be no such fault; or NULL */
};

/* All of them, in an order that stays; *cells is never freed. */
size_t cells_make(const struct cell **cells);

#endif
