// SPDX-License-Identifier: LGPL-2.1-or-later
/* frame.c - what travels on a lane. */
#include "copy/frame.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct frame_wire {		/* every field little-endian, no holes */
	uint32_t type;
	uint32_t generation;
	uint32_t region;
	uint32_t packed;	/* PACKED: bytes that follow; else 0 */
	uint64_t first;
	uint64_t count;
	uint64_t digest_low;
	uint64_t digest_high;
};
static_assert(sizeof(struct frame_wire) == FRAME_HEADER_SIZE,
	      "the wire format has no holes");

/**
 * frame_encode() - write a header as it travels
 * @frame: what to say
 * @wire: FRAME_HEADER_SIZE bytes
 */
void frame_encode(const struct frame *frame, uint8_t *wire)
{
	struct frame_wire header = {
		.type = htole32(frame->type),
		.generation = htole32(frame->generation),
		.region = htole32(frame->region ? frame->region->id : 0),
		.packed = htole32(frame->packed),
		.first = htole64(frame->first),
		.count = htole64(frame->count),
		.digest_low = htole64(frame->digest.low),
		.digest_high = htole64(frame->digest.high),
	};

	memcpy(wire, &header, sizeof(header));
}

/* How many pages a frame of a type may name; 0: no such type. */
static uint64_t count_limit(enum frame_type type, const struct region *region)
{
	switch (type) {
	case FRAME_DATA:
	case FRAME_PACKED:
	case FRAME_WANT:
	case FRAME_DISCARD:
	case FRAME_DIGEST:
		return run_pages(region);
	case FRAME_ZERO:
		return region->pages;
	default:
		return 0;
	}
}

/* What is packed is smaller, and never nothing. */
static bool is_packed_right(const struct frame *said)
{
	if (said->type != FRAME_PACKED)
		return !said->packed;
	return said->packed && said->packed < frame_bytes(said);
}

/**
 * frame_decode() - read and check a header
 * @map: what the peer may name
 * @wire: FRAME_HEADER_SIZE bytes from the peer
 * @frame: receives what it says, unchanged on error
 *
 * Return: 0, or -EPROTO for any number out of bounds.
 */
int frame_decode(struct region_map *map, const uint8_t *wire,
		 struct frame *frame)
{
	struct frame_wire header;
	struct region *region;
	struct frame said;

	memcpy(&header, wire, sizeof(header));
	said.type = le32toh(header.type);
	said.generation = le32toh(header.generation);
	said.first = le64toh(header.first);
	said.count = le64toh(header.count);
	said.packed = le32toh(header.packed);
	said.digest.low = le64toh(header.digest_low);
	said.digest.high = le64toh(header.digest_high);
	said.region = NULL;
	if (said.type == FRAME_BARRIER) {
		if (header.region || said.first || said.count || said.packed)
			return -EPROTO;
		*frame = said;
		return 0;
	}
	if (le32toh(header.region) >= map->count)
		return -EPROTO;
	region = &map->regions[le32toh(header.region)];
	if (!said.count || said.count > count_limit(said.type, region) ||
	    said.first >= region->pages ||
	    said.count > region->pages - said.first)
		return -EPROTO;
	said.region = region;
	if (!is_packed_right(&said))
		return -EPROTO;
	*frame = said;
	return 0;
}

/**
 * frame_payload_max() - the largest payload that a frame may have
 * @map: the regions of the migration
 *
 * Return: bytes.
 */
uint64_t frame_payload_max(const struct region_map *map)
{
	uint64_t most = 0;
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		const struct region *region = &map->regions[i];
		uint64_t size = run_pages(region) << region->page_shift;

		if (size > most)
			most = size;
	}
	return most;
}
