/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page_set.c - fuzz the bitmaps of pages, compressed by the source.
 *
 * An input is a KEEP or STALE conversation, framed as on the wire. Regions are
 * large and no page of them is touched.
 */
#include <errno.h>
#include <string.h>

#include "copy/bitmap.h"
#include "fuzz.h"
#include "protocol/channel.h"
#include "protocol/phase.h"
#include "sys.h"

#define PATIENCE_MS	20000	/* nothing waits: all of it is there */

static uint64_t taken;		/* pages that were named and taken */
static volatile uint64_t seen;	/* so that every bit is read */

static int part_take(struct migration *m, struct region *region, uint64_t first,
		     uint64_t pages, const uint64_t *words)
{
	struct bitmap set = { (uint64_t *)words, pages };

	FUZZ_CHECK(region >= m->map.regions && region < m->map.regions + m->map.count);
	FUZZ_CHECK(pages && first < region->pages && pages <= region->pages - first);
	FUZZ_CHECK(first == m->named_to[region->id]);
	seen += bitmap_count(&set);
	taken += pages;
	return 0;
}

static int set_take(struct migration *m)
{
	struct message message = { .body = NULL };
	int ret = message_receive(m->channel, m->side, m->phase, PATIENCE_MS,
				  &message, &m->fail);

	if (ret)
		return ret;
	if (message.type == MSG_KEEP || message.type == MSG_STALE ||
	    message.type == MSG_PRESENT)
		ret = page_set_receive(m, message.type,
				       (Straddle__PageSet *)message.body,
				       part_take);
	else if (message.type == MSG_STATE)
		ret = state_receive(m, (Straddle__State *)message.body);
	if (!ret && page_set_complete(m, message.type))
		FUZZ_CHECK(taken == region_map_pages(&m->map));
	message_fini(&message);
	return ret;
}

/**
 * LLVMFuzzerTestOneInput() - take in what Perform sends last
 * @data: a byte: 1: it is the source that hears PRESENT; messages
 * @size: bytes of them
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	bool is_source = fuzz_byte(&input) & 1;
	static struct migration m;
	int other, ret;

	memset(&m, 0, sizeof(m));
	m.side = is_source ? SIDE_DEST : SIDE_SOURCE;	/* the peer's */
	m.phase = is_source ? PHASE_CONFIRM : PHASE_PERFORM;
	fuzz_region(&m.map, 12, 1000);
	fuzz_region(&m.map, 12, 1ull << 32);
	fuzz_region(&m.map, 12, 1000);
	taken = 0;
	FUZZ_CHECK(!channel_wrap(fuzz_peer(SOCK_STREAM, input.at, input.left, &other), &m.channel));
	while (!(ret = set_take(&m)))
		;
	FUZZ_CHECK(ret == -EPROTO || ret == -EPIPE);
	FUZZ_CHECK(m.fail.err == ret);
	FUZZ_CHECK(m.device_got <= GUEST_STATE_MAX && m.device_got <= m.device_size);
	free(m.device);
	channel_close(m.channel);
	close(other);
	return 0;
}

FUZZ_TARGET(page_set)

TEST_HARNESS_MAIN
