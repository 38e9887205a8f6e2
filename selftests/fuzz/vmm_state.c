/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_state.c - fuzz the device state that a source sends: its form, and what a
 * machine of the threads engine takes from it.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "sys.h"
#include "tools/vmm/machine.h"
#include "tools/vmm/snapshot.h"
#include "tools/vmm/state.h"

static struct machine *machine_make(void)
{
	static struct machine *machine;
	struct definition definition;

	if (machine)
		return machine;
	definition_init(&definition);
	strcpy(definition.name, "db1");
	definition.engine = ENGINE_THREADS;
	definition.private_memory = true;
	FUZZ_CHECK(!definition_complete(&definition, NULL));
	FUZZ_CHECK(!machine_create(&definition, true, &machine, NULL));
	return machine;
}

static volatile uint8_t seen;	/* so that every byte is read */

/* What is found lies within the state. */
static void sections_look(const struct state *state)
{
	const uint8_t *payload;
	unsigned int type, vcpu;
	size_t length;

	for (type = 1; type < STATE_TYPE_COUNT; type++) {
		for (vcpu = 0; vcpu <= state->header.vcpus; vcpu++) {
			uint32_t whose = vcpu == state->header.vcpus ?
					 STATE_MACHINE : vcpu;
			int ret = state_find(state, type, whose,
					     (const void **)&payload, &length);

			FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -ENODATA);
			if (ret)
				continue;
			FUZZ_CHECK(payload >= state->bytes &&
				   length <= state->size -
					     (size_t)(payload - state->bytes));
			if (length)
				seen ^= payload[0] ^ payload[length - 1];
		}
	}
}

static void state_look(const uint8_t *data, size_t size)
{
	struct machine *machine = machine_make();
	struct fail fail = { .err = 0 }, unloaded = { .err = 0 };
	int fd = fuzz_file(data, size), ret, loaded;
	struct state state;

	ret = state_read(fd, &state, &fail);
	FUZZ_CHECK(ret == fail.err);
	if (!ret) {
		sections_look(&state);
		state_free(&state);
	}
	loaded = snapshot_load(machine, fd, &unloaded);
	FUZZ_CHECK(loaded == unloaded.err && (!ret || loaded == ret));
	close(fd);
}

/**
 * LLVMFuzzerTestOneInput() - read a state, load it
 * @data: the state; once as it is, once with its length put right
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t length = htole64(size);
	uint8_t *right;

	state_look(data, size);
	if (size < sizeof(struct state_header))
		return 0;
	right = malloc(size);
	FUZZ_CHECK(right);
	memcpy(right, data, size);
	memcpy(right + offsetof(struct state_header, length), &length, sizeof(length));
	state_look(right, size);
	free(right);
	return 0;
}

FUZZ_TARGET(vmm_state)

TEST_HARNESS_MAIN
