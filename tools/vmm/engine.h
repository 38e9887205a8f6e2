/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h - what runs vCPUs: KVM, or plain threads. */
#ifndef STRADDLE_VMM_ENGINE_H
#define STRADDLE_VMM_ENGINE_H

#include "fail.h"
#include "tools/vmm/machine.h"
#include "tools/vmm/state.h"

struct engine {
	const char *name;
	enum engine_kind kind;

	/* Make vCPUs; guest memory is there and must not be touched. */
	int (*create)(struct machine *machine, struct fail *fail);
	void (*destroy)(struct machine *machine);
	/* Put the vCPUs where a fresh guest begins. */
	int (*boot)(struct machine *machine, struct fail *fail);

	/* On the vCPU's thread: once, before its first run. */
	void (*thread_start)(struct vcpu *vcpu);
	/* Run the guest until machine->run is false; may be called again. */
	int (*run)(struct vcpu *vcpu, struct fail *fail);
	/* From another thread, after machine->run became false. */
	void (*kick)(struct vcpu *vcpu);

	/* Of a stopped vCPU, from the control thread. */
	int (*save)(struct vcpu *vcpu, struct state_writer *writer,
		    struct fail *fail);
	/* All of a vCPU's sections are checked before any is applied. */
	int (*check)(struct vcpu *vcpu, const struct state *state,
		     struct fail *fail);
	int (*load)(struct vcpu *vcpu, const struct state *state,
		    struct fail *fail);
};

extern const struct engine engine_kvm, engine_threads;

const struct engine *engine_of(enum engine_kind kind);

#endif
