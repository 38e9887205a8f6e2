/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* route.h - which worker gets a connection. */
#ifndef STRADDLE_ROUTE_H
#define STRADDLE_ROUTE_H

#include "agent.h"

void route_connection(struct agent *agent, int fd, const char *from,
		      const struct preamble *preamble);

#endif
