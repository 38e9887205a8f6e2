// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * threads.c - vCPUs without a CPU: threads that run the workload itself.
 *
 * Such a vCPU has no state but guest memory. It stops at its reports, so
 * one that waits for a missing page stops when the page is there.
 */
#include <errno.h>

#include "tools/vmm/engine.h"
#include "tools/vmm/pace.h"

static __thread struct vcpu *current;

/**
 * guest_report() - the hypercall of the workload, as a function
 * @ticks: visits so far
 * @bad: pages found wrong so far
 * @walk_done: number of the last finished walk
 * @walk_pages: pages seen by the current or last walk
 * @walk_bad: of these, wrong
 *
 * Return: the order, GUEST_STOP when the machine stops.
 */
struct guest_order guest_report(uint64_t ticks, uint64_t bad,
				uint64_t walk_done, uint64_t walk_pages,
				uint64_t walk_bad)
{
	struct report report = {
		.ticks = ticks,
		.bad = bad,
		.walk_done = walk_done,
		.walk_pages = walk_pages,
		.walk_bad = walk_bad,
	};
	struct guest_order order = pace_report(current, &report);

	if (!machine_runs(current->machine))
		order.batch = GUEST_STOP;
	return order;
}

/**
 * guest_putc() - the console hypercall, as a function
 * @character: a byte
 */
void guest_putc(uint64_t character)
{
	console_put(&current->machine->console, (char)character);
}

static int threads_create(struct machine *machine, struct fail *fail)
{
	(void)machine;
	(void)fail;
	return 0;
}

static void threads_destroy(struct machine *machine)
{
	(void)machine;
}

static void threads_thread_start(struct vcpu *vcpu)
{
	current = vcpu;
}

/*
 * Memory may have come from another host, and here it is not KVM that keeps
 * the guest within its bounds: what the workload takes for its own places
 * must be those that this machine would have chosen.
 */
static bool memory_sane(const struct vcpu *vcpu)
{
	const struct machine *machine = vcpu->machine;
	const struct layout *layout = &machine->layout;
	const uint8_t *base = machine->memory.base;
	const struct guest_config *config =
		(const struct guest_config *)(base + GUEST_CONFIG);
	const struct guest_vcpu *own =
		(const struct guest_vcpu *)(base + GUEST_VCPUS +
					    vcpu->index * GUEST_PAGE_SIZE);
	uint64_t pages = layout->memory / GUEST_PAGE_SIZE;

	return config->magic == GUEST_MAGIC &&
	       config->memory == layout->memory &&
	       config->table == layout->table &&
	       config->first_page == layout->first_page &&
	       config->workload < WORKLOAD_COUNT &&
	       config->fixed_start == GUEST_IMAGE &&
	       config->fixed_end == layout->table &&
	       own->first >= layout->first_page && own->first < pages &&
	       own->pages && own->pages <= pages - own->first &&
	       own->working_set && own->working_set <= own->pages &&
	       own->position < own->working_set &&
	       own->walk_pages <= own->pages;
}

static int threads_run(struct vcpu *vcpu, struct fail *fail)
{
	if (!memory_sane(vcpu))
		return fail_set(fail, -EPROTO,
				"the memory of guest %s is not that of this guest: vCPU %u has "
				"no valid state in it",
				vcpu->machine->definition.name, vcpu->index);
	workload_run((uint64_t)(uintptr_t)vcpu->machine->memory.base,
		     vcpu->index);
	return 0;
}

static void threads_kick(struct vcpu *vcpu)
{
	(void)vcpu;
}

static int threads_save(struct vcpu *vcpu, struct state_writer *writer,
			struct fail *fail)
{
	(void)vcpu;
	(void)writer;
	(void)fail;
	return 0;
}

static int threads_load(struct vcpu *vcpu, const struct state *state,
			struct fail *fail)
{
	(void)vcpu;
	(void)state;
	(void)fail;
	return 0;
}

const struct engine engine_threads = {
	.name = "threads",
	.kind = ENGINE_THREADS,
	.create = threads_create,
	.destroy = threads_destroy,
	.boot = threads_create,
	.thread_start = threads_thread_start,
	.run = threads_run,
	.kick = threads_kick,
	.save = threads_save,
	.check = threads_load,
	.load = threads_load,
};
