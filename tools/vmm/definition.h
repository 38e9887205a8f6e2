/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* definition.h - what a guest is made of, as fields and as JSON. */
#ifndef STRADDLE_VMM_DEFINITION_H
#define STRADDLE_VMM_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "protocol/guest.h"
#include "tools/vmm/guest/abi.h"

enum engine_kind {
	ENGINE_DEFAULT,		/* KVM where /dev/kvm opens, else threads */
	ENGINE_KVM,
	ENGINE_THREADS,
};

struct definition {
	char name[GUEST_NAME_MAX];
	char uuid[GUEST_UUID_SIZE];
	enum engine_kind engine;
	uint64_t memory;	/* bytes */
	uint64_t vcpus;
	uint64_t page_size;	/* 4096, or 2 MiB: huge pages */
	bool private_memory;
	enum guest_workload workload;
	uint64_t working_set;	/* bytes; 0: as the workload likes */
	uint64_t rate;		/* pages a second in all; 0: unlimited */

	/* Of this host, so that no text has it. NULL: no file but a memfd. */
	const char *memory_dir;
};

#define RATE_MAX	1000000000000ull

void definition_init(struct definition *definition);
int definition_set(struct definition *definition, const char *key,
		   const char *value, struct fail *fail);
int definition_parse(struct definition *definition, const char *text,
		     const char *where, struct fail *fail);
int definition_check(const struct definition *definition, struct fail *fail);
int definition_complete(struct definition *definition, struct fail *fail);
char *definition_text(const struct definition *definition);

#endif
