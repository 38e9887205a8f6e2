// SPDX-License-Identifier: LGPL-2.1-or-later
/* serve.c - answer wants: the thread that reads one sends the page. */
#include <errno.h>

#include "copy/kind.h"
#include "copy/source.h"
#include "copy/spin.h"
#include "sys.h"

/* Send some pages; @unsent: for the first time, so that they are counted. */
static int answer(struct source_lane *self, const struct frame *run, bool unsent)
{
	struct source *source = self->source;
	uint64_t before = self->lane->bytes_sent;
	int ret = run->region->kind->read(run->region, run->first, run->count,
					  self->buffer);

	if (!ret)
		ret = run_send(self, run, self->buffer,
			       unsent ? source_counts(source, run->region)
				      : NULL);
	stat_add(&source->stats.fault_bytes,
		 self->lane->bytes_sent - before);
	if (unsent && source_proven(source))
		source_signal(source);	/* this was the last page */
	return ret;
}

/*
 * A want is answered at once, even if push has the page on its way: a page
 * twice is cheaper than a stall. Only who sets the sent bit counts it.
 */
static int serve_page(struct source_lane *self, struct frame *want,
		      uint64_t page)
{
	struct source *source = self->source;
	struct frame run = {
		.generation = want->generation,
		.region = want->region,
		.first = page,
		.count = 1,
	};
	bool repeated = bitmap_set(&source->regions[want->region->id].sent,
				   page);

	if (repeated)
		stat_add(&source->stats.repeated_pages,
			 small_pages(want->region, 1));
	return answer(self, &run, !repeated);
}

/* After the answer, so that it does not wait for them. */
static int serve_ahead(struct source_lane *self, const struct frame *want)
{
	struct source *source = self->source;
	struct region *region = want->region;
	struct frame run = { .generation = want->generation, .region = region };
	uint64_t end, count;
	int ret = 0;

	count = ahead_window(&source->ahead, region,
			     &source->regions[region->id].sent, want->first,
			     &run.first);
	end = run.first + count;
	while (!ret && run.first < end) {
		run.count = order_take(source, region, run.first, end);
		if (run.count)
			ret = answer(self, &run, true);
		run.first += run.count ? run.count : 1;
	}
	return ret;
}

/*
 * The guest has freed these pages at the dest: what they held here is told for
 * the proof, and nobody has to send it any more.
 */
static int serve_discard(struct source_lane *self, struct frame *asked)
{
	struct source *source = self->source;
	struct region *region = asked->region;
	struct proof *proof = source_counts(source, region);
	struct bitmap *sent = &source->regions[region->id].sent;
	struct frame answer = *asked;
	int ret = region->kind->read(region, asked->first, asked->count,
				     self->buffer);
	uint64_t i;

	if (ret < 0)
		return ret;
	answer.type = FRAME_DIGEST;
	answer.digest = (struct digest){ 0, 0 };
	for (i = 0; i < asked->count; i++) {
		struct digest one = digest_page(region, asked->first + i,
				self->buffer + (i << region->page_shift));

		digest_add(&answer.digest, one);
		if (!bitmap_set(sent, asked->first + i) && proof)
			proof_add(proof, 1, one);
	}
	ret = lane_send(self->lane, &answer, NULL);
	if (source_proven(source))
		source_signal(source);	/* this was the last page */
	return ret;
}

static int serve_want(struct source_lane *self, struct frame *want)
{
	struct source *source = self->source;
	uint64_t page;

	if (!__atomic_load_n(&source->held, __ATOMIC_ACQUIRE))
		return -EPROTO;
	if (want->type == FRAME_DISCARD)
		return serve_discard(self, want);
	if (want->type != FRAME_WANT)
		return -EPROTO;
	stat_add(&source->stats.wants, 1);
	__atomic_store_n(&source->wanted_ns, now_ns(), __ATOMIC_RELAXED);
	order_note_fault(&source->order, want->region, want->first);
	for (page = want->first; page < want->first + want->count; page++) {
		int ret = serve_page(self, want, page);

		if (ret < 0)
			return ret;
	}
	return want->count == 1 ? serve_ahead(self, want) : 0;
}

/* A want that is looked for, and found or not. */
struct inbound {
	struct lane *lane;
	struct frame want;
};

static int look(void *arg)
{
	struct inbound *inbound = arg;
	const void *payload;

	return lane_receive_some(inbound->lane, &inbound->want, &payload);
}

/*
 * A guest that faults once will often do so again as soon as it has its page;
 * and the processors of its vCPUs have nothing to do here.
 */
static int want_receive(struct source_lane *self, struct spin *tries,
			struct frame *want)
{
	struct inbound inbound = { .lane = self->lane };
	const void *payload;
	int ret = spin(tries, look, &inbound);

	if (!ret)
		return lane_receive(self->lane, want, &payload);
	*want = inbound.want;
	return ret < 0 ? ret : 0;
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
	struct spin tries = { 0 };

	for (;;) {
		struct frame want;
		int ret = want_receive(self, &tries, &want);

		if (!ret)
			ret = serve_want(self, &want);
		if (ret < 0)
			return ret;
	}
}
