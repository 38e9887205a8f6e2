/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* layout.h - where things lie in guest memory (see guest/abi.h). */
#ifndef STRADDLE_VMM_LAYOUT_H
#define STRADDLE_VMM_LAYOUT_H

#include <stdint.h>

#include "fail.h"

struct definition;

/*
 * Physical addresses leave out what a PC leaves out: the last GiB below
 * 4 GiB, where the APIC lives. Virtual addresses are offsets.
 */
#define LAYOUT_LOW_MAX	(3ull << 30)
#define LAYOUT_HIGH	(4ull << 30)

struct layout {
	uint64_t memory;	/* bytes */
	uint64_t page_tables;	/* offset; KVM only */
	uint64_t page_tables_size;
	uint64_t table;		/* offset of the sequence table */
	uint64_t first_page;	/* first data page */
	uint64_t slice_pages;	/* data pages a vCPU; the last may have more */
};

int layout_compute(const struct definition *definition, struct layout *layout,
		   struct fail *fail);
void layout_boot(const struct definition *definition,
		 const struct layout *layout, uint8_t *memory);

static inline uint64_t layout_physical(uint64_t offset)
{
	return offset < LAYOUT_LOW_MAX ? offset :
	       offset - LAYOUT_LOW_MAX + LAYOUT_HIGH;
}

#endif
