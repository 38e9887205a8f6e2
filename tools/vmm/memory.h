/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - the guest's memory: one mapping, with a file unless private. */
#ifndef STRADDLE_VMM_MEMORY_H
#define STRADDLE_VMM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fail.h"

struct definition;

struct memory {
	uint8_t *base;		/* NULL: none */
	uint64_t size;		/* bytes */
	uint64_t page_size;
	int fd;			/* -1: private */
};

int memory_create(const struct definition *definition, struct memory *memory,
		  struct fail *fail);
void memory_destroy(struct memory *memory);
int memory_discard(const struct memory *memory, uint64_t address,
		   uint64_t length, struct fail *fail);

#endif
