/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.h - two libvirt hosts with an agent each, and one busy domain.
 *
 * What is written down from the start: by QEMU's own events, when the domain
 * ran on which host.
 */
#ifndef STRADDLE_DEMO_STAGE_H
#define STRADDLE_DEMO_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "selftests/lib/beat.h"
#include "selftests/lib/domain.h"
#include "selftests/lib/virt_host.h"

#define STAGE_GUEST	"busy"
#define STAGE_ADDRESS	SEGMENT_GUESTS "16"

struct stage_options {
	struct virt_options virt;
	struct net_rate link;		/* between the hosts */
	unsigned int memory_mib;	/* of the domain */
	unsigned int working_set_mib;	/* that the guest works on, all of it */
	unsigned int rate;		/* pages it writes a second; 0: as many as go */
	bool tls;			/* between the agents */
};

struct stage {
	struct two_hosts *hosts;
	struct virt_hosts *virts;
	struct virt_host *here, *there;	/* where the domain is, and is not */
	char cmdline[400];		/* of the guest's kernel */
};

int stage_up(struct stage *stage, const struct stage_options *options,
	     struct fail *fail);
int stage_boot(struct stage *stage, const struct stage_options *options,
	       struct fail *fail);
void stage_down(struct stage *stage);

int stage_beat(const struct stage *stage, uint64_t n, struct beat *beat,
	       struct fail *fail);
int stage_reboots(const struct stage *stage, const struct beat *before,
		  struct beat *beat, struct fail *fail);
int stage_ask(const struct stage *stage, const char *line, const char *words,
	      char *answer, size_t size, struct fail *fail);
bool stage_is_on(struct virt_host *virt);
int stage_leaves(struct virt_host *virt, struct fail *fail);

#define STAGE_EVENTS_MAX	512

/* An event of QEMU's, with its own time: CLOCK_REALTIME in microseconds. */
struct stage_event {
	int64_t at_us;
	bool there;	/* on the host that it names, "dest" */
	bool runs;	/* from then on */
};

int stage_events(const struct stage *stage, struct stage_event *events,
		 size_t max);
int stage_owners(const struct stage *stage);
int64_t stage_stood_still_us(const struct stage *stage, int64_t since_us);

#endif
