/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker_port.h - a worker's end of what port.h describes. */
#ifndef STRADDLE_WORKER_PORT_H
#define STRADDLE_WORKER_PORT_H

#include "protocol/protocol.h"

struct json_object;

/* What a migration is handed as its port. */
struct worker_port {
	char id[MIGRATION_ID_TEXT];
	enum side side;
	bool confined;
	bool proven;		/* the peer has, who it is: welcome or not */
	bool injects;		/* faults, by --inject */
};

/* Give up all rights, for good. Twice is once. */
int worker_confine(struct worker_port *port, struct fail *fail);

extern const struct port_ops worker_port_ops;

/* WORKER_LIST: one of the guests; freed. */
int worker_port_listed(struct json_object *guest, struct fail *fail);

/* The next command packet, waiting for it; *passed: a descriptor or -1. */
int worker_packet(int timeout_ms, struct json_object **object, int *passed);

#endif
