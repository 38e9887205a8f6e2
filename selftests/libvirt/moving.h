/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* moving.h - libvirt hosts with agents, and a guest that libvirt may move. */
#ifndef STRADDLE_TEST_MOVING_H
#define STRADDLE_TEST_MOVING_H

#include "ground.h"
#include "selftests/lib/move.h"

#define GUEST		"guest"
#define TIMEOUT_S	240

struct moving {
	struct ground ground;
	struct virt_host *source, *dest;
	pid_t agent;			/* of the source */
	char uri[256];			/* of the dest's libvirt */
	char way[512];			/* options, as JSON: engine and uri */
	struct fail *fail;
};

/* A link that is too slow for a guest that writes 20000 pages a second. */
extern const struct net_rate moving_slow;

void moving_up(struct moving *moving, bool production);
void moving_down(struct moving *moving);
pid_t moving_agent(struct moving *moving, struct virt_host *virt, const char *inject);
void moving_by(struct moving *moving, const char *engine);
void moving_guest(struct moving *moving, unsigned int rate);
void moving_start(struct moving *moving, struct move *move,
		  const char *options);
void moving_row(struct moving *moving, const struct move *move,
		const char *expected);
void moving_is_at(struct virt_host *here, struct virt_host *there);
void moving_arrived(struct moving *moving);

#endif
