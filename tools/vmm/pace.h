/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pace.h - what a vCPU may do next, and when. */
#ifndef STRADDLE_VMM_PACE_H
#define STRADDLE_VMM_PACE_H

#include "tools/vmm/guest/abi.h"
#include "tools/vmm/machine.h"

int pace_init(struct vcpu *vcpu);
void pace_fini(struct vcpu *vcpu);
void pace_kick(struct vcpu *vcpu);
struct guest_order pace_report(struct vcpu *vcpu, const struct report *report);

#endif
