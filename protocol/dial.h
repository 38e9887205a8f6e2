/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dial.h - source: connections that go out, made in a thread.
 *
 * To connect takes as long as the network pleases; whoever holds a guest
 * listens to its user meanwhile. What the thread needs is copied.
 */
#ifndef STRADDLE_DIAL_H
#define STRADDLE_DIAL_H

#include "protocol/protocol.h"

enum dial_for { DIAL_CONTROL, DIAL_LANES };

#define DIALLED_MAX	32	/* LANES_A_ROLE_MAX of each */

/* A connection that was made; the channel is the taker's. */
struct dialled {
	enum channel_role role;
	unsigned int index;
	struct channel *channel;
};

int dial_start(struct migration *m, enum dial_for what);
int dial_fd(const struct dial *dial);
enum dial_for dial_what(const struct dial *dial);
int dial_end(struct migration *m, struct dialled *made, unsigned int *count,
	     struct fail *fail);
void dial_cancel(struct migration *m);

#endif
