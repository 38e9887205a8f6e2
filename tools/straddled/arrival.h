/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arrival.h - take connections also where descriptors have run out. */
#ifndef STRADDLE_ARRIVAL_H
#define STRADDLE_ARRIVAL_H

#include <stdbool.h>
#include <sys/socket.h>

#include "agent.h"

int arrival_take(struct agent *agent, int listen_fd, struct sockaddr *from, socklen_t *length,
		 bool *last);
void arrival_spare(struct agent *agent);

#endif
