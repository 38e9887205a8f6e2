/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds_vmm.c - what straddle-vmm and its clients say, recorded. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "seeds.h"
#include "sys.h"
#include "tools/vmm/machine.h"
#include "tools/vmm/snapshot.h"
#include "tools/vmm/verbs.h"
#include "tools/vmm/vmm.h"

static struct seed seed, talk;

static void definition_make(struct definition *definition)
{
	definition_init(definition);
	strcpy(definition->name, "db1");
	strcpy(definition->uuid, "c7a5fdbd-edaf-9455-926a-d65c16db1809");
	definition->engine = ENGINE_THREADS;
	definition->memory = 4 << 20;
	definition->private_memory = true;
	FUZZ_CHECK(!definition_complete(definition, NULL));
}

static void definition_seed(const struct definition *definition)
{
	__cleanup_free char *text = definition_text(definition);

	FUZZ_CHECK(text);
	seed_write("definition", "vmm", text, strlen(text));
}

static void state_seed(struct machine *machine)
{
	int fd = -1;
	ssize_t got;

	FUZZ_CHECK(!snapshot_save(machine, &fd, NULL));
	got = pread(fd, seed.bytes, sizeof(seed.bytes), 0);
	FUZZ_CHECK(got > 0);
	seed_write("vmm_state", "threads", seed.bytes, (size_t)got);
	close(fd);
	/* The same, with requests to a guest that comes in. */
	seed.size = (size_t)got;
}

/* Each request, and what a VMM answers it. */
static void verb_seed(struct vmm *vmm, const char *request)
{
	struct answer answer;
	const char *text;
	int fd = -1;

	verb_begin(vmm, request, strlen(request), &fd, &answer);
	text = answer_text(&answer);
	if (answer.fd >= 0)
		seed_add_byte(&talk, '!');
	seed_add(&talk, text, strlen(text));
	seed_add_byte(&talk, '\n');
	answer_fini(&answer);
}

static void client_seed(struct vmm *vmm)
{
	seed_start(&talk);
	verb_seed(vmm, "{\"verb\":\"describe\"}");
	verb_seed(vmm, "{\"verb\":\"describe\"}");
	verb_seed(vmm, "{\"verb\":\"pause\"}");
	verb_seed(vmm, "{\"verb\":\"save\"}");
	verb_seed(vmm, "{\"verb\":\"resume\"}");
	verb_seed(vmm, "{\"verb\":\"memory\"}");
	seed_write("vmm_client", "all", talk.bytes, talk.size);
}

static void control_seed(const char *name, unsigned int how, const struct seed *state,
			 const char *const *requests)
{
	seed_start(&talk);
	seed_add_byte(&talk, how);
	seed_add_byte(&talk, state ? state->size & 0xff : 0);
	seed_add_byte(&talk, state ? (unsigned int)(state->size >> 8) : 0);
	if (state)
		seed_add(&talk, state->bytes, state->size);
	for (; *requests; requests++) {
		seed_add(&talk, *requests, strlen(*requests));
		seed_add_byte(&talk, '\n');
	}
	seed_write("vmm_control", name, talk.bytes, talk.size);
}

/* As Documentation/vmm-control.rst has them. */
static void requests_seed(const struct seed *state)
{
	static const char *const reports[] = {
		"{\"verb\":\"describe\"}", "{\"verb\":\"stats\"}",
		"{\"verb\":\"console\"}", "{\"verb\":\"save\"}",
		"{\"verb\":\"memory\"}", "{\"verb\":\"userfaultfd-close\"}",
		"{\"verb\":\"discard\",\"ranges\":[[4096,4096],[0,0]]}", NULL
	};
	static const char *const defines[] = {
		"{\"verb\":\"set\",\"rate\":10,\"persistent\":true,\"live\":false}",
		"{\"verb\":\"define\",\"text\":\"{\\\"name\\\":\\\"db1\\\"}\"}",
		"{\"verb\":\"set\",\"rate\":10,\"persistent\":true}",
		"{\"verb\":\"describe\"}", "{\"verb\":\"undefine\"}", NULL
	};
	static const char *const runs[] = {
		"{\"verb\":\"resume\"}", "{\"verb\":\"stats\"}",
		"{\"verb\":\"pause\"}", "{\"verb\":\"resume\"}",
		"{\"verb\":\"wait\",\"ticks\":1,\"bad\":0}",
		"{\"verb\":\"walk\"}", "{\"verb\":\"stats\"}", NULL
	};
	static const char *const loads[] = {
		"{\"verb\":\"load\"}", "{\"verb\":\"stats\"}",
		"{\"verb\":\"pause\"}", "{\"verb\":\"describe\"}", NULL
	};

	control_seed("reports", 0, NULL, reports);
	control_seed("defines", 0, NULL, defines);
	control_seed("runs", 0, NULL, runs);
	control_seed("loads", 3, state, loads);
}

/**
 * seeds_vmm() - its definition, its device state, requests and answers
 */
void seeds_vmm(void)
{
	struct definition definition;
	struct vmm vmm = { .uffd = -1 };

	definition_make(&definition);
	definition_seed(&definition);
	FUZZ_CHECK(!machine_create(&definition, false, &vmm.machine, NULL));
	client_seed(&vmm);
	machine_stop(vmm.machine);
	while (!machine_stopped(vmm.machine))
		FUZZ_CHECK(!sys_wait_fd(vmm.machine->changed, POLLIN, 20000));
	state_seed(vmm.machine);
	requests_seed(&seed);
	machine_destroy(vmm.machine);
}
