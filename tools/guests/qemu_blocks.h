/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_blocks.h - the pieces of RAM that a QEMU has, and where they lie.
 *
 * Main memory is one or several of them; firmware, video memory and the ROMs
 * of devices are others. All of them belong to the guest and have to arrive.
 */
#ifndef STRADDLE_GUESTS_QEMU_BLOCKS_H
#define STRADDLE_GUESTS_QEMU_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "protocol/guest.h"
#include "tools/guests/maps.h"
#include "tools/guests/qemu_monitor.h"

#define QEMU_BLOCKS_MAX		256
#define QEMU_BLOCK_NAME_MAX	128	/* NUL included */

struct qemu_block {
	char name[QEMU_BLOCK_NAME_MAX];
	uint64_t serial;	/* grows in the order in which they were made */
	uint64_t used;		/* bytes that hold something now */
	uint64_t total;		/* bytes it may grow to */
	uint64_t address;	/* in QEMU's process; 0: not known */
	uint64_t physical;	/* of its first page, or GUEST_NOWHERE */
	bool guessed;		/* the address is one of several that fit */
	bool region;		/* moves page by page; else within the
				 * device state */
};

struct qemu_blocks {
	unsigned int count;
	struct qemu_block table[QEMU_BLOCKS_MAX];	/* by serial */
};

int qemu_blocks_read(struct qemu_monitor *monitor, struct qemu_blocks *blocks,
		     struct fail *fail);
int qemu_blocks_ask(struct qemu_monitor *monitor, struct qemu_blocks *blocks,
		    struct fail *fail);
void qemu_blocks_search(struct qemu_blocks *blocks, const struct maps *maps);

#endif
