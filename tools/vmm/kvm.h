/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm.h - what kvm.c and kvm_state.c share. */
#ifndef STRADDLE_VMM_KVM_H
#define STRADDLE_VMM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "sys.h"
#include "tools/vmm/engine.h"

struct kvm_machine {
	int kvm;		/* /dev/kvm */
	int vm;
	size_t run_size;	/* bytes of struct kvm_run and what follows */
	size_t xsave_size;	/* bytes; 0: no xsave */
	bool lapic;		/* there is a local APIC in the kernel */
	struct kvm_msr_list *msrs;	/* those there are to save */
};

struct kvm_vcpu {
	int fd;			/* -1: not made */
	struct kvm_run *run;
};

static inline int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	return sys_ret(ioctl(fd, request, arg));
}

static inline struct kvm_machine *kvm_of(const struct machine *machine)
{
	return machine->engine_data;
}

static inline struct kvm_vcpu *kvm_vcpu_of(const struct vcpu *vcpu)
{
	return vcpu->engine_data;
}

int kvm_save(struct vcpu *vcpu, struct state_writer *writer,
	     struct fail *fail);
int kvm_check(struct vcpu *vcpu, const struct state *state,
	      struct fail *fail);
int kvm_load(struct vcpu *vcpu, const struct state *state, struct fail *fail);

#endif
