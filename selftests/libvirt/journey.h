/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journey.h - a libvirt domain that migrates between two hosts with agents.
 *
 * Its guest works all the time: it writes memory and checks it, reads and
 * writes a disk past the page cache, leaves its trace on another one. What it
 * says of that on its serial line is what the checks here go by.
 */
#ifndef STRADDLE_TEST_JOURNEY_H
#define STRADDLE_TEST_JOURNEY_H

#include <stdbool.h>
#include <stdint.h>

#include "ground.h"
#include "selftests/lib/beat.h"
#include "selftests/lib/move.h"

#define JOURNEY_GUEST		"guest"
#define JOURNEY_MAC		"52:54:00:99:00:10"
#define JOURNEY_ADDRESS		SEGMENT_GUESTS "16"
#define JOURNEY_TIMEOUT_S	300
#define JOURNEY_BOOT_MS		150000

/* Options of a migration, as JSON, and what the guest does meanwhile. */
enum journey_how {
	JOURNEY_POSTCOPY,	/* from the start; busy */
	JOURNEY_ROUNDS,		/* rounds, then post-copy; busy */
	JOURNEY_PRECOPY,	/* to the end; next to idle */
};

struct journey {
	struct ground ground;
	struct virt_host *here, *there;	/* where the guest is, and is not */
	struct domain domain;
	struct move move;		/* the last */
	struct beat beat;		/* of the last check */
	pid_t agents[2];
};

void journey_up(struct journey *journey, const struct virt_options *options);
void journey_down(struct journey *journey);
pid_t journey_agent(struct virt_host *virt, const char *inject);

/* Start it with two disks of its own in front, and @words for its kernel. */
void journey_prepare(struct journey *journey, const struct domain *domain,
		     const char *words);
void journey_boot(struct journey *journey, const struct domain *domain,
		  const char *words);
void journey_ready(struct journey *journey);

int journey_ask(struct journey *journey, const char *line, const char *words);
void journey_move(struct journey *journey, const char *options);
void journey_there(struct journey *journey, enum journey_how how);
void journey_is_here(struct journey *journey, const char *state);
void journey_arrived(struct journey *journey, const char *state);
void journey_proves_itself(struct journey *journey);
void journey_explain(struct journey *journey);

/* virsh with any arguments, NULL at the end. */
__attribute__((sentinel))
int journey_virsh(struct virt_host *virt, char *text, size_t size, ...);

/* The short half of a matrix runs always, the rest where TEST_LONG=1. */
bool journey_is_long(void);

#endif
