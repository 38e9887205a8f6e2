/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.h - how far a migration is: one line that changes, or plain lines. */
#ifndef STRADDLE_LINE_H
#define STRADDLE_LINE_H

#include <stdbool.h>

#include "protocol/protocol.h"

struct line {
	bool verbose;
	bool terminal;		/* stdout is one: the line is written over */
	bool shown;		/* the line stands there */
	bool any;		/* @last is something */
	struct progress last;
};

void line_init(struct line *line, bool verbose);
void line_show(struct line *line, const struct progress *progress);
void line_last(struct line *line, const struct progress *summary);
void line_end(struct line *line);

#endif
