/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.h - what travels on a lane.
 *
 * A frame is a fixed header and, for DATA, the bytes of its pages; for PACKED
 * what they were packed to. Numbers are little-endian on the wire;
 * frame_decode() turns them and bounds every one of them against the region map
 * before anything is done with it.
 */
#ifndef STRADDLE_FRAME_H
#define STRADDLE_FRAME_H

#include <stdint.h>

#include "copy/digest.h"
#include "copy/region.h"

enum frame_type {
	FRAME_DATA = 1,		/* source: pages and their bytes */
	FRAME_ZERO = 2,		/* source: pages that hold zeroes only */
	FRAME_BARRIER = 3,	/* source: no older generation follows; in
				 * post-copy: everything was pushed */
	FRAME_WANT = 4,		/* dest: a guest waits for these pages */
	FRAME_DISCARD = 5,	/* dest: the guest freed these: not sent, but
				 * what are their digests? */
	FRAME_DIGEST = 6,	/* source: the answer; no bytes */
	FRAME_PACKED = 7,	/* source, push lanes that agreed on it: DATA,
				 * packed (pack.h) */
};

#define FRAME_HEADER_SIZE	48

struct frame {
	enum frame_type type;
	uint32_t generation;
	struct region *region;	/* NULL for a BARRIER */
	uint64_t first;		/* page */
	uint64_t count;		/* pages */
	struct digest digest;	/* DATA, PACKED, ZERO, DIGEST: sum over the
				 * pages, as they are in memory;
				 * BARRIER: over all of DATA, PACKED and
				 * ZERO since the last one, by lane_send() */
	uint32_t packed;	/* PACKED: bytes that follow; else 0 */
};

void frame_encode(const struct frame *frame, uint8_t *wire);
int frame_decode(struct region_map *map, const uint8_t *wire,
		 struct frame *frame);

/* Bytes of memory that a frame's pages are. */
static inline uint64_t frame_bytes(const struct frame *frame)
{
	return frame->count << frame->region->page_shift;
}

/* Bytes that follow the header. */
static inline uint64_t frame_payload(const struct frame *frame)
{
	return frame->type == FRAME_DATA ? frame_bytes(frame) : frame->packed;
}

uint64_t frame_payload_max(const struct region_map *map);

#endif
