// SPDX-License-Identifier: LGPL-2.1-or-later
/* snapshot.c - all of a machine's devices into one state, and back. */
#include "tools/vmm/snapshot.h"

#include <endian.h>
#include <errno.h>

#include "tools/vmm/engine.h"
#include "tools/vmm/state.h"

static void save_counters(struct vcpu *vcpu, struct state_writer *writer)
{
	uint64_t counters[2] = {
		htole64(atomic_load(&vcpu->ticks)),
		htole64(atomic_load(&vcpu->bad)),
	};

	state_add(writer, STATE_COUNTERS, vcpu->index, counters,
		  sizeof(counters));
}

/**
 * snapshot_save() - device state of a stopped machine
 * @machine: stopped
 * @fd: receives a memfd
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int snapshot_save(struct machine *machine, int *fd, struct fail *fail)
{
	struct state_header header = {
		.engine = machine->engine->kind,
		.vcpus = machine->vcpu_count,
		.memory = machine->memory.size,
	};
	struct state_writer writer;
	char text[CONSOLE_SIZE];
	int ret = 0;

	state_begin(&writer, &header);
	state_add(&writer, STATE_CONSOLE, STATE_MACHINE, text,
		  console_read(&machine->console, text));
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		save_counters(&machine->vcpus[i], &writer);
		ret = machine->engine->save(&machine->vcpus[i], &writer, fail);
		if (ret && !writer.err)
			writer.err = ret;
	}
	return state_finish(&writer, fd, fail);
}

static int check_fits(const struct machine *machine,
		      const struct state *state, struct fail *fail)
{
	if (state->header.engine != machine->engine->kind)
		return fail_set(fail, -EINVAL,
				"device state is of another engine than %s; start the guest "
				"with the same --engine",
				machine->engine->name);
	if (state->header.vcpus != machine->vcpu_count)
		return fail_set(fail, -EINVAL,
				"device state is of %u vCPUs, this guest has %u",
				state->header.vcpus, machine->vcpu_count);
	if (state->header.memory != machine->memory.size)
		return fail_set(fail, -EINVAL,
				"device state is of %llu bytes of memory, this guest has %llu",
				(unsigned long long)state->header.memory,
				(unsigned long long)machine->memory.size);
	return 0;
}

static int check_all(struct machine *machine, const struct state *state,
		     struct fail *fail)
{
	int ret = check_fits(machine, state, fail);
	const void *payload;
	size_t length;

	if (!ret && state_find(state, STATE_CONSOLE, STATE_MACHINE, &payload,
			       &length))
		ret = fail_set(fail, -EPROTO, "device state has no console");
	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++) {
		if (state_find(state, STATE_COUNTERS, i, &payload, &length))
			return fail_set(fail, -EPROTO,
					"device state has no counters of vCPU %u",
					i);
		ret = machine->engine->check(&machine->vcpus[i], state, fail);
	}
	return ret;
}

static void load_common(struct machine *machine, const struct state *state)
{
	const uint64_t *counters;
	const void *payload;
	size_t length;

	if (!state_find(state, STATE_CONSOLE, STATE_MACHINE, &payload,
			&length))
		console_replace(&machine->console, payload, length);
	for (unsigned int i = 0; i < machine->vcpu_count; i++) {
		if (state_find(state, STATE_COUNTERS, i, &payload, &length))
			continue;
		counters = payload;
		atomic_store(&machine->vcpus[i].ticks, le64toh(counters[0]));
		atomic_store(&machine->vcpus[i].bad, le64toh(counters[1]));
	}
}

/**
 * snapshot_load() - make an incoming machine what another one was
 * @machine: incoming, never ran; guest memory is not touched
 * @fd: device state of anybody; stays open
 * @fail: says what is wrong with it
 *
 * The whole state is checked before any of it is applied.
 *
 * Return: 0 or -errno.
 */
int snapshot_load(struct machine *machine, int fd, struct fail *fail)
{
	struct state state;
	int ret = state_read(fd, &state, fail);

	if (ret)
		return ret;
	ret = check_all(machine, &state, fail);
	for (unsigned int i = 0; !ret && i < machine->vcpu_count; i++)
		ret = machine->engine->load(&machine->vcpus[i], &state, fail);
	if (!ret) {
		load_common(machine, &state);
		machine->loaded = true;
	}
	state_free(&state);
	return ret;
}
