// SPDX-License-Identifier: LGPL-2.1-or-later
/* kvm_state.c - everything KVM knows of a vCPU, out and in. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "tools/vmm/kvm.h"

/*
 * In the order in which they are loaded: the registers that decide what the
 * others mean come first, the MSRs after the local APIC (its base is one).
 */
static const struct part {
	enum state_type type;
	unsigned long get, set;
	size_t size;		/* 0: depends on the host, see below */
	bool required;		/* every KVM has it */
} parts[] = {
	{ STATE_SREGS, KVM_GET_SREGS, KVM_SET_SREGS,
	  sizeof(struct kvm_sregs), true },
	{ STATE_REGS, KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs),
	  true },
	{ STATE_FPU, KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu), false },
	{ STATE_XCRS, KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs),
	  false },
	{ STATE_XSAVE, KVM_GET_XSAVE, KVM_SET_XSAVE, 0, false },
	{ STATE_LAPIC, KVM_GET_LAPIC, KVM_SET_LAPIC,
	  sizeof(struct kvm_lapic_state), false },
	{ STATE_DEBUGREGS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
	  sizeof(struct kvm_debugregs), false },
	{ STATE_MP_STATE, KVM_GET_MP_STATE, KVM_SET_MP_STATE,
	  sizeof(struct kvm_mp_state), false },
	{ STATE_EVENTS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	  sizeof(struct kvm_vcpu_events), false },
};

#define PART_COUNT	(sizeof(parts) / sizeof(parts[0]))

static size_t part_size(const struct vcpu *vcpu, const struct part *part)
{
	return part->type == STATE_XSAVE ? kvm_of(vcpu->machine)->xsave_size :
					   part->size;
}

/* The larger save area has a call of its own (Linux 5.17). */
static unsigned long part_get(const struct part *part, size_t size)
{
	if (part->type == STATE_XSAVE && size > sizeof(struct kvm_xsave))
		return KVM_GET_XSAVE2;
	return part->get;
}

static int save_part(struct vcpu *vcpu, const struct part *part,
		     struct state_writer *writer, struct fail *fail)
{
	size_t size = part_size(vcpu, part);
	__cleanup_free void *payload = calloc(1, size ? size : 1);
	int ret;

	if (!payload)
		return fail_set(fail, -ENOMEM, "no memory for device state");
	ret = size ? kvm_ioctl(kvm_vcpu_of(vcpu)->fd, part_get(part, size),
			       payload) : -EOPNOTSUPP;
	if (!ret)
		state_add(writer, part->type, vcpu->index, payload, size);
	else if (!part->required)
		state_add_absent(writer, part->type, vcpu->index);
	else
		return fail_set(fail, ret, "KVM: cannot read %s of vCPU %u: %s",
				state_type_name(part->type), vcpu->index,
				strerror(-ret));
	return 0;
}

struct one_msr {		/* struct kvm_msrs with room for one entry */
	uint32_t count, pad;
	struct kvm_msr_entry entry;
};

static int get_msr(int fd, uint32_t index, uint64_t *value)
{
	struct one_msr msr = { .count = 1, .entry.index = index };

	if (ioctl(fd, KVM_GET_MSRS, &msr) != 1)
		return -ENOENT;
	*value = msr.entry.data;
	return 0;
}

static int set_msr(int fd, uint32_t index, uint64_t value)
{
	struct one_msr msr = {
		.count = 1,
		.entry = { .index = index, .data = value },
	};

	return ioctl(fd, KVM_SET_MSRS, &msr) == 1 ? 0 : -EINVAL;
}

/* Those that KVM lists but does not give are left out. */
static int save_msrs(struct vcpu *vcpu, struct state_writer *writer,
		     struct fail *fail)
{
	const struct kvm_msr_list *list = kvm_of(vcpu->machine)->msrs;
	__cleanup_free struct kvm_msr_entry *entries = NULL;
	uint32_t count = 0;

	entries = calloc(list->nmsrs + 1, sizeof(*entries));
	if (!entries)
		return fail_set(fail, -ENOMEM, "no memory for device state");
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		uint64_t value;

		if (get_msr(kvm_vcpu_of(vcpu)->fd, list->indices[i], &value))
			continue;
		entries[count].index = list->indices[i];
		entries[count++].data = value;
	}
	state_add(writer, STATE_MSRS, vcpu->index, entries,
		  count * sizeof(*entries));
	return 0;
}

/**
 * kvm_save() - append the sections of one vCPU
 * @vcpu: stopped
 * @writer: of the machine's state
 * @fail: says what KVM refused
 *
 * Return: 0 or -errno.
 */
int kvm_save(struct vcpu *vcpu, struct state_writer *writer,
	     struct fail *fail)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < PART_COUNT; i++)
		ret = save_part(vcpu, &parts[i], writer, fail);
	return ret ? ret : save_msrs(vcpu, writer, fail);
}

static int check_part(struct vcpu *vcpu, const struct part *part,
		      const struct state *state, struct fail *fail)
{
	const void *payload;
	size_t length;
	int ret = state_find(state, part->type, vcpu->index, &payload,
			     &length);

	if (ret == -ENOENT || (ret && part->required))
		return fail_set(fail, -EPROTO,
				"device state has no %s of vCPU %u",
				state_type_name(part->type), vcpu->index);
	if (!ret && length > part_size(vcpu, part))
		return fail_set(fail, -EINVAL,
				"%s of vCPU %u has %zu bytes, KVM here takes %zu; migrate to a "
				"host with the same CPU features",
				state_type_name(part->type), vcpu->index,
				length, part_size(vcpu, part));
	if (!ret && part->type == STATE_LAPIC &&
	    !kvm_of(vcpu->machine)->lapic)
		return fail_set(fail, -EINVAL,
				"device state has a local APIC, KVM here has none");
	return 0;
}

/**
 * kvm_check() - are all sections of one vCPU there, and do they fit?
 * @vcpu: of an incoming machine
 * @state: checked for form already
 * @fail: says what is wrong
 *
 * Return: 0, -EPROTO or -EINVAL.
 */
int kvm_check(struct vcpu *vcpu, const struct state *state,
	      struct fail *fail)
{
	const void *payload;
	size_t length;
	int ret = 0;

	for (size_t i = 0; !ret && i < PART_COUNT; i++)
		ret = check_part(vcpu, &parts[i], state, fail);
	if (!ret && state_find(state, STATE_MSRS, vcpu->index, &payload,
			       &length))
		ret = fail_set(fail, -EPROTO,
			       "device state has no msrs of vCPU %u",
			       vcpu->index);
	return ret;
}

static int load_part(struct vcpu *vcpu, const struct part *part,
		     const struct state *state, struct fail *fail)
{
	size_t size = part_size(vcpu, part), length;
	__cleanup_free void *copy = NULL;
	const void *payload;
	int ret;

	if (state_find(state, part->type, vcpu->index, &payload, &length))
		return 0;
	copy = calloc(1, size);
	if (!copy)
		return fail_set(fail, -ENOMEM, "no memory for device state");
	memcpy(copy, payload, length);
	ret = kvm_ioctl(kvm_vcpu_of(vcpu)->fd, part->set, copy);
	return ret ? fail_set(fail, ret, "KVM refuses %s of vCPU %u: %s",
			      state_type_name(part->type), vcpu->index,
			      strerror(-ret)) : 0;
}

/* One that cannot be set is no loss where it has that value already. */
static int load_msrs(struct vcpu *vcpu, const struct state *state,
		     struct fail *fail)
{
	int fd = kvm_vcpu_of(vcpu)->fd;
	const struct kvm_msr_entry *entries;
	const void *payload;
	size_t length;

	if (state_find(state, STATE_MSRS, vcpu->index, &payload, &length))
		return 0;
	entries = payload;
	for (size_t i = 0; i < length / sizeof(*entries); i++) {
		uint64_t now;

		if (!set_msr(fd, entries[i].index, entries[i].data) ||
		    (!get_msr(fd, entries[i].index, &now) &&
		     now == entries[i].data))
			continue;
		return fail_set(fail, -EINVAL,
				"KVM refuses MSR %#x of vCPU %u: migrate to a host with the "
				"same CPU features",
				entries[i].index, vcpu->index);
	}
	return 0;
}

/**
 * kvm_load() - give one vCPU the state that was checked
 * @vcpu: of an incoming machine
 * @state: passed kvm_check()
 * @fail: says what KVM refused
 *
 * Return: 0 or -errno.
 */
int kvm_load(struct vcpu *vcpu, const struct state *state, struct fail *fail)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < PART_COUNT; i++)
		ret = load_part(vcpu, &parts[i], state, fail);
	return ret ? ret : load_msrs(vcpu, state, fail);
}
