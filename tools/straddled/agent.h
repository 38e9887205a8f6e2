/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.h - one host's agent: its loop, its journal and what hangs on them.
 *
 * One thread; every member is that thread's. Nothing here parses what another
 * host sends but the preamble: the rest is for a worker.
 */
#ifndef STRADDLE_AGENT_H
#define STRADDLE_AGENT_H

#include <systemd/sd-event.h>

#include "options.h"
#include "protocol/guest.h"
#include "protocol/journal.h"
#include "security.h"

struct control;
struct peers;
struct uplinks;
struct worker;

struct agent {
	const struct agent_options *options;
	struct security_choice choice;
	struct guest_host host;
	const struct guest_driver *const *drivers;
	sd_event *event;
	struct journal *journal;
	struct control *control;
	struct peers *peers;
	struct uplinks *uplinks;	/* NULL: links cannot be asked */
	struct worker *workers;		/* all that live; workers.c */
	unsigned int worker_count;
	unsigned int unproven_count;	/* dest workers without a row yet */
	sd_event_source *later;		/* tries again what could not be ended; or NULL */
	int broker_fd;
	int state_lock, control_lock;	/* held as long as the agent lives */
};

int agent_main(const struct agent_options *options);

#endif
