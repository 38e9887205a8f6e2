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
struct json_object;

/* Who waits for workers. */
struct audience {
	/* Progress, or the result when @last. */
	void (*news)(const struct worker *worker, struct json_object *news, bool last);
	/* Another one took the worker's place: from here on it has the news. */
	void (*heir)(const struct worker *dead, struct worker *heir);
};

struct agent {
	const struct agent_options *options;
	struct security_choice choice;
	struct guest_host host;
	const struct guest_driver *const *drivers;
	sd_event *event;
	struct journal *journal;
	struct inject *inject;		/* faults; the options', or NULL */
	struct control *control;
	struct peers *peers;
	struct uplinks *uplinks;	/* NULL: links cannot be asked */
	struct worker *workers;		/* all that live; workers.c */
	const struct audience *audience;	/* hears of them; NULL: nobody yet */
	unsigned int worker_count;
	unsigned int begun;		/* migrations, of this agent */
	unsigned int unproven_count;	/* dest workers without a row yet */
	sd_event_source *later;		/* tries again what could not be ended; or NULL */
	struct due {
		char id[MIGRATION_ID_TEXT];
		enum side side;
		char why[FAIL_TEXT_MAX];	/* it could not be done; or "" */
		uint64_t at_us, wait_us;	/* when it is tried, and since how long before */
	} *due;				/* what that is; owned */
	size_t due_count, due_room;
	bool unread;			/* nor could all rows of the journal be read */
	int broker_fd;
	int broker_pidfd;		/* readable when the broker has ended; or -1 */
	int spare_fd;			/* arrival.c; -1: none is left */
	int state_lock, control_lock;	/* held as long as the agent lives */
};

int agent_main(const struct agent_options *options);

#endif
