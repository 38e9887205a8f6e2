/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer.h - connections of other hosts, up to the worker that gets them. */
#ifndef STRADDLE_PEER_H
#define STRADDLE_PEER_H

#include "agent.h"

#define PEERS_MAX		64	/* that have not said what they want */
#define PEERS_PER_ADDRESS	16	/* of these, from one address */
#define PEER_SECONDS		5	/* to say it */

int peers_create(struct agent *agent, struct fail *fail);
void peers_destroy(struct agent *agent);

#endif
