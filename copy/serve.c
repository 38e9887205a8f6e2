// SPDX-License-Identifier: LGPL-2.1-or-later
/* serve.c - answer wants: the thread that reads one sends the page. */
#include <errno.h>

#include "copy/kind.h"
#include "copy/source.h"

/*
 * A want is answered at once, even if push has the page on its way: a page
 * twice is cheaper than a stall. Only who sets the sent bit counts it.
 */
static int serve_page(struct source_lane *self, struct frame *want,
		      uint64_t page)
{
	struct source *source = self->source;
	struct source_region *state = &source->regions[want->region->id];
	struct frame run = {
		.generation = want->generation,
		.region = want->region,
		.first = page,
		.count = 1,
	};
	bool repeated = bitmap_set(&state->sent, page);
	uint64_t before = self->lane->bytes_sent;
	int ret;

	if (repeated)
		stat_add(&source->stats.repeated_pages,
			 small_pages(want->region, 1));
	ret = run.region->kind->read(run.region, page, 1, self->buffer);
	if (!ret)
		ret = run_send(self, &run, self->buffer,
			       repeated ? NULL : &state->proof);
	stat_add(&source->stats.fault_bytes,
		 self->lane->bytes_sent - before);
	if (!repeated && source_proven(source))
		source_signal(source);	/* this was the last page */
	return ret;
}

static int serve_want(struct source_lane *self, struct frame *want)
{
	struct source *source = self->source;
	uint64_t page;

	if (want->type != FRAME_WANT ||
	    !__atomic_load_n(&source->held, __ATOMIC_ACQUIRE))
		return -EPROTO;
	stat_add(&source->stats.wants, 1);
	order_note_fault(&source->order, want->region, want->first);
	for (page = want->first; page < want->first + want->count; page++) {
		int ret = serve_page(self, want, page);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/**
 * serve_wants() - answer the wants of one fault lane until it ends
 * @self: the lane
 *
 * Return: -EPROTO for a want before the guest is held, -EPIPE when the dest
 * has closed the lane, or -errno.
 */
int serve_wants(struct source_lane *self)
{
	for (;;) {
		struct frame want;
		const void *payload;
		int ret = lane_receive(self->lane, &want, &payload);

		if (!ret)
			ret = serve_want(self, &want);
		if (ret < 0)
			return ret;
	}
}
