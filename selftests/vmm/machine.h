/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine.h - guests of every engine and kind of memory. */
#ifndef STRADDLE_TEST_VMM_MACHINE_H
#define STRADDLE_TEST_VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/vmm.h"

#define MACHINE_MIB	16

/* One cell of engine x memory. */
struct machine_kind {
	const char *engine;
	bool private_memory;
	bool huge;
};

/* Why this host cannot have such a guest, or NULL; takes huge pages. */
const char *machine_missing(const struct machine_kind *kind, long guests);
void machine_give_back(const struct machine_kind *kind, long guests);
/* As vmm_spawn(), with one or two further options. */
int machine_spawn(struct test_vmm *vmm, const char *name,
		  const struct machine_kind *kind, const char *option,
		  const char *value);

/* Flip a bit of a checked place: of a visited page, or of one never seen. */
int machine_corrupt(struct test_vmm *vmm, bool visited);
/* The last visited page, as it is now, and as @page said it was then. */
struct machine_page {
	uint64_t number;
	uint8_t bytes[4096];
};

int machine_page_read(struct test_vmm *vmm, struct machine_page *page);
int machine_page_write(struct test_vmm *vmm, const struct machine_page *page);
/* A digest of all guest memory. */
uint64_t machine_digest(struct test_vmm *vmm);

#endif
