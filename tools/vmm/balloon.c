// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * balloon.c - the guest gives memory back, and knows that it is zero then.
 *
 * As a balloon or free page reporting does it: the hypervisor frees pages of
 * the guest's memory. A thread of its own does it, since it touches guest
 * memory: pages of it may be elsewhere yet.
 */
#include "tools/vmm/balloon.h"

#include <errno.h>
#include <string.h>

#include "sys.h"
#include "tools/vmm/machine.h"

/* The second half of a vCPU's working set, whole pages of the mapping. */
static void half_of(const struct machine *machine,
		    const struct guest_vcpu *vcpu, uint64_t *first,
		    uint64_t *end)
{
	uint64_t unit = machine->memory.page_size / GUEST_PAGE_SIZE;

	*first = vcpu->first + vcpu->working_set / 2 + unit - 1;
	*first -= *first % unit;
	*end = vcpu->first + vcpu->working_set;
	*end -= *end % unit;
}

/* No vCPU runs: what the guest knows of its pages may be changed for it. */
static void forget(const struct machine *machine, struct guest_vcpu *vcpu,
		   uint64_t first, uint64_t end)
{
	uint32_t *table = (uint32_t *)(machine->memory.base +
				       machine->layout.table);

	for (; first < end; first++) {
		vcpu->sequence_sum -= table[first];
		table[first] = 0;
	}
}

/*
 * A hole in a file is exact only where a page has come already: the engine
 * cannot tell one that never came from one that was removed since.
 */
static int give_back(const struct machine *machine, uint64_t first,
		     uint64_t end)
{
	bool shared = machine->memory.fd >= 0;
	uint8_t *at = machine->memory.base + first * GUEST_PAGE_SIZE;
	uint64_t i, size = (end - first) * GUEST_PAGE_SIZE;

	for (i = 0; shared && i < size; i += machine->memory.page_size)
		(void)*(volatile uint8_t *)(at + i);
	return sys_ret(madvise(at, size, shared ? MADV_REMOVE
						: MADV_DONTNEED));
}

static int give_half(struct machine *machine, unsigned int index)
{
	struct guest_vcpu *vcpu = (struct guest_vcpu *)
		(machine->memory.base + GUEST_VCPUS + index * GUEST_PAGE_SIZE);
	uint64_t pages = machine->memory.size / GUEST_PAGE_SIZE;
	uint64_t first, end;

	half_of(machine, vcpu, &first, &end);
	if (first >= end)
		return 0;
	if (first < machine->layout.first_page || end > pages)
		return -EPROTO;		/* no valid state */
	forget(machine, vcpu, first, end);
	machine->balloon.pages += end - first;
	return give_back(machine, first, end);
}

static void *balloon_thread(void *arg)
{
	struct machine *machine = arg;
	uint64_t one = 1;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < machine->vcpu_count && !ret; i++)
		ret = give_half(machine, i);
	machine->balloon.error = ret;
	atomic_store(&machine->balloon.busy, false);
	sys_write_all(machine->changed, &one, sizeof(one));
	return NULL;
}

/**
 * balloon_start() - give back the second half of each vCPU's working set
 * @machine: stopped
 * @fail: says why not
 *
 * machine->changed becomes readable when it is done.
 *
 * Return: 0 or -errno.
 */
int balloon_start(struct machine *machine, struct fail *fail)
{
	struct balloon *balloon = &machine->balloon;
	int ret;

	if (balloon->started)
		return fail_set(fail, -EBUSY, "guest %s gives memory back already",
				machine->definition.name);
	balloon->pages = 0;
	atomic_store(&balloon->busy, true);
	ret = -pthread_create(&balloon->thread, NULL, balloon_thread, machine);
	if (ret) {
		atomic_store(&balloon->busy, false);
		return fail_set(fail, ret, "cannot start a thread: %s",
				strerror(-ret));
	}
	pthread_setname_np(balloon->thread, "balloon");
	balloon->started = true;
	return 0;
}

/**
 * balloon_done() - was all of it given back?
 * @machine: of balloon_start()
 *
 * Return: true: another one may be started, and machine->balloon.error says
 * what came of this one.
 */
bool balloon_done(struct machine *machine)
{
	if (atomic_load(&machine->balloon.busy))
		return false;
	if (machine->balloon.started)
		pthread_join(machine->balloon.thread, NULL);
	machine->balloon.started = false;
	return true;
}
