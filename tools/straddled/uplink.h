/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uplink.h - the link on which a migration's bytes leave this host. */
#ifndef STRADDLE_UPLINK_H
#define STRADDLE_UPLINK_H

#include <net/if.h>

#include "agent.h"

struct json_object;

struct uplink {
	struct agent *agent;
	int index;			/* 0: not known (yet) */
	char name[IFNAMSIZ];
	bool up;			/* with carrier */
	uint64_t speed_mbit;		/* 0: the link does not say */
	int answer;			/* of the lookup of the host, or -1 */
	sd_event_source *source;
};

void uplinks_create(struct agent *agent);
void uplinks_destroy(struct agent *agent);

void uplink_init(struct uplink *uplink);
void uplink_to_host(struct uplink *uplink, struct agent *agent, const char *host);
void uplink_to_peer(struct uplink *uplink, struct agent *agent, const char *from);
void uplink_fini(struct uplink *uplink);
struct json_object *uplink_to_json(const struct uplink *uplink);

#endif
