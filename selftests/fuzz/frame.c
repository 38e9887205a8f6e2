/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame.c - fuzz what a peer sends on a lane: headers and pages, in pieces.
 *
 * An input says what the connection brings, and in which pieces: a byte below
 * 0x80 brings that many bytes and one more, as they follow; any other brings a
 * multiple of 64 times the byte that follows. So a page is two bytes.
 */
#include <errno.h>
#include <string.h>

#include "copy/lane.h"
#include "fuzz.h"

#define REPEAT_UNIT	64

struct feed {
	struct fuzz_input input;
	size_t piece;			/* bytes of it that are to come */
	int repeated;			/* the one byte that it is of; -1: none */
};

static void piece_next(struct feed *feed)
{
	uint8_t what = fuzz_byte(&feed->input);

	feed->repeated = what < 0x80 ? -1 : fuzz_byte(&feed->input);
	feed->piece = what < 0x80 ? what + 1u : (what - 0x7fu) * REPEAT_UNIT;
	if (what < 0x80 && feed->piece > feed->input.left)
		feed->piece = feed->input.left;
}

static ssize_t feed_receive(void *connection, void *buf, size_t size)
{
	struct feed *feed = connection;
	size_t take;

	FUZZ_CHECK(size);
	if (!feed->piece && feed->input.left)
		piece_next(feed);
	take = feed->piece < size ? feed->piece : size;
	if (feed->repeated >= 0) {
		memset(buf, feed->repeated, take);
	} else {
		memcpy(buf, feed->input.at, take);
		feed->input.at += take;
		feed->input.left -= take;
	}
	feed->piece -= take;
	return (ssize_t)take;
}

static void feed_ignore(void *connection)
{
	(void)connection;
}

static const struct lane_ops feed_ops = {
	.receive_some = feed_receive,
	.shutdown = feed_ignore,
	.close = feed_ignore,
};

/* What the code behind a lane relies on. */
static void frame_verify(struct lane *lane, const struct frame *frame,
			 const uint8_t *payload)
{
	const struct region *region = frame->region;
	uint8_t wire[FRAME_HEADER_SIZE];
	struct frame again;

	frame_encode(frame, wire);
	FUZZ_CHECK(!frame_decode(lane->map, wire, &again));
	FUZZ_CHECK(again.first == frame->first && again.count == frame->count &&
		   again.region == region && again.type == frame->type);
	FUZZ_CHECK(frame->type != FRAME_PACKED && !frame->packed);
	FUZZ_CHECK(lane->unpacker || (payload >= lane->input &&
		   payload + frame_payload(frame) <= lane->input + lane->end));
	if (frame->type == FRAME_BARRIER)
		return;
	FUZZ_CHECK(region >= lane->map->regions &&
		   region < lane->map->regions + lane->map->count);
	FUZZ_CHECK(frame->count && frame->count <= region->pages &&
		   frame->first <= region->pages - frame->count);
	FUZZ_CHECK(frame->type == FRAME_ZERO || frame->count <= run_pages(region));
	/* Wherever they are, all of them are there. */
	if (frame->type == FRAME_DATA)
		(void)digest_run(region, frame->first, frame->count, payload);
}

/**
 * LLVMFuzzerTestOneInput() - receive whatever a connection brings
 * @data: first bits: there is a region of huge pages, too; PACKED was agreed on
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { .input = { data, size } };
	static struct region_map map;
	struct frame frame = { .type = 0 };
	const void *payload = NULL;
	struct lane *lane;
	uint8_t what;
	int ret;

	map.count = 0;
	fuzz_region(&map, 12, 1000);
	what = fuzz_byte(&feed.input);
	if (what & 1)
		fuzz_region(&map, 21, 1ull << 22);
	FUZZ_CHECK(!lane_create(&feed_ops, &feed, -1, LANE_PUSH, 0, &map, &lane));
	if (what & 2)
		FUZZ_CHECK(!unpacker_create(frame_payload_max(&map), &lane->unpacker));
	/* 0: it would wait for more, which is there. */
	while ((ret = lane_receive_some(lane, &frame, &payload)) >= 0)
		if (ret)
			frame_verify(lane, &frame, payload);
	FUZZ_CHECK(ret == -EPROTO || ret == -EPIPE || (what & 2 && ret == -EBADMSG));
	lane_destroy(lane);
	return 0;
}

FUZZ_TARGET(frame)

TEST_HARNESS_MAIN
