/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine.h - a guest: vCPU threads that run, stop and report. */
#ifndef STRADDLE_VMM_MACHINE_H
#define STRADDLE_VMM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "tools/vmm/balloon.h"
#include "tools/vmm/console.h"
#include "tools/vmm/definition.h"
#include "tools/vmm/layout.h"
#include "tools/vmm/memory.h"

struct engine;
struct machine;

/* What a vCPU last said of itself. */
struct report {
	uint64_t ticks;
	uint64_t bad;
	uint64_t walk_done;	/* number of the walk it finished last */
	uint64_t walk_pages;
	uint64_t walk_bad;
};

struct vcpu {
	struct machine *machine;
	unsigned int index;
	pthread_t thread;
	bool started;		/* there is a thread; main thread only */
	bool out;		/* not running the guest; machine->lock */

	int kick;		/* eventfd: stop waiting, look at the machine */
	int timer;		/* timerfd of the pace; its thread only */
	uint64_t batch;		/* visits between reports; its thread only */
	uint64_t ordered_ns;	/* when the last order went out; its thread */
	uint64_t ordered_rate;	/* the rate it went by; its thread */
	uint64_t due_ns;	/* when the pace allows more; its thread */
	uint64_t seen_ticks;	/* of the last report; its thread */
	uint64_t wrong_seen;	/* of the guest's records; its thread */

	/* Written by its thread, read by the control thread. */
	_Atomic uint64_t ticks, bad, walk_done, walk_pages, walk_bad;

	void *engine_data;	/* of the engine */
};

struct machine {
	struct definition definition;	/* live; the control thread's */
	struct memory memory;
	struct layout layout;
	struct console console;
	struct balloon balloon;
	int witness;		/* -1: none; set before the first resume */
	int changed;		/* eventfd: all out, a walk done, a failure */

	const struct engine *engine;
	void *engine_data;

	pthread_mutex_t lock;	/* out_count, vcpu.out, failure, wrong */
	pthread_cond_t resumed;	/* run or quit became true */
	unsigned int out_count;
	struct fail failure;	/* why the guest cannot go on */
	unsigned int wrong_count;
	struct guest_wrong wrong[GUEST_WRONG_MAX];	/* the first bad pages */

	atomic_bool run;	/* vCPUs should run; set under lock */
	atomic_bool quit;	/* threads should end; set under lock */
	_Atomic uint64_t rate;	/* pages a second in all, 0: unlimited */
	_Atomic uint64_t walk;	/* number of the walk wanted, 0: none yet */

	bool incoming;		/* made for a migration, never ran here */
	bool loaded;		/* incoming: device state is there */
	unsigned int vcpu_count;
	struct vcpu vcpus[GUEST_VCPUS_MAX];
};

int machine_create(const struct definition *definition, bool incoming,
		   struct machine **machine, struct fail *fail);
void machine_destroy(struct machine *machine);
int machine_resume(struct machine *machine, struct fail *fail);
void machine_stop(struct machine *machine);
bool machine_stopped(struct machine *machine);
int machine_failure(struct machine *machine, struct fail *fail);
void machine_fail(struct machine *machine, const struct fail *fail);
void machine_set_rate(struct machine *machine, uint64_t rate);
int machine_walk(struct machine *machine, struct fail *fail);
bool machine_walked(struct machine *machine);
void machine_report(struct machine *machine, struct report *total);

static inline bool machine_runs(struct machine *machine)
{
	return atomic_load(&machine->run);
}
const char *machine_state_name(struct machine *machine);

#endif
