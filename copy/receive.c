// SPDX-License-Identifier: LGPL-2.1-or-later
/* receive.c - pages arrive: checked, claimed, filled, present, placed. */
#include <errno.h>

#include "copy/dest.h"
#include "copy/kind.h"

/* A frame's pages, each with its digest: checked as a sum, counted singly. */
struct arrival {
	const struct frame *frame;
	const uint8_t *bytes;		/* NULL: zeroes */
	struct digest digests[RUN_SIZE >> 12];
};

/* Return: whether the sum over the pages is what the frame says. */
static bool arrival_check(struct arrival *arrival)
{
	const struct frame *frame = arrival->frame;
	uint64_t size = page_size(frame->region);
	struct digest sum = { 0, 0 };
	uint64_t i;

	if (!arrival->bytes)
		return digest_equal(frame->digest,
				    digest_zero_run(frame->region,
						    frame->first,
						    frame->count));
	for (i = 0; i < frame->count; i++) {
		arrival->digests[i] = digest_page(frame->region,
						  frame->first + i,
						  arrival->bytes + i * size);
		digest_add(&sum, arrival->digests[i]);
	}
	return digest_equal(frame->digest, sum);
}

static struct digest arrival_digest(const struct arrival *arrival,
				    uint64_t first, uint64_t count)
{
	uint64_t i, at = first - arrival->frame->first;
	struct digest sum = { 0, 0 };

	if (!arrival->bytes)
		return digest_zero_run(arrival->frame->region, first, count);
	for (i = 0; i < count; i++)
		digest_add(&sum, arrival->digests[at + i]);
	return sum;
}

/* No vCPU runs and the pages may be sent again: no claim, no proof. */
static int store_early(struct dest *dest, const struct arrival *arrival)
{
	const struct frame *frame = arrival->frame;
	const struct memory_kind *kind = frame->region->kind;
	struct pages *pages = &dest->pages[frame->region->id];
	int ret;

	if (arrival->bytes)
		ret = kind->overwrite(frame->region, frame->first,
				      frame->count, arrival->bytes);
	else
		ret = kind->overwrite_zero(frame->region, frame->first,
					   frame->count);
	if (!ret)
		pages_received(pages, frame->first, frame->count);
	return ret;
}

static int fill_claimed(struct dest *dest, const struct arrival *arrival,
			uint64_t first, uint64_t count)
{
	const struct frame *frame = arrival->frame;
	struct region *region = frame->region;

	if (arrival->bytes)
		return region->kind->fill(region, first, count,
				arrival->bytes + ((first - frame->first)
						  << region->page_shift));
	if (dest->stale)
		return region->kind->clear(region, first, count);
	return 0;
}

/* Zero pages need no place but where somebody waits. */
static int place_waiting(struct pages *pages, struct region *region,
			 uint64_t first, uint64_t count)
{
	uint64_t page, end = first + count;

	for (page = first;; page++) {
		int ret;

		page = pages_next(pages, page, end, PAGE_WAITING, PAGE_WAITING,
				  true);
		if (page == end)
			return 0;
		ret = region->kind->place_zero(region, page);
		if (ret < 0)
			return ret;
	}
}

static void account(struct dest *dest, const struct arrival *arrival,
		    uint64_t first, uint64_t count)
{
	const struct region *region = arrival->frame->region;

	proof_add(&dest->proofs[region->id], count,
		  arrival_digest(arrival, first, count));
	if (!__atomic_sub_fetch(&dest->missing, small_pages(region, count),
				__ATOMIC_ACQ_REL))
		dest_signal(dest);
}

/*
 * The order is the promise: filled, then PRESENT, then visible. After a kill
 * anywhere in between, a page that says PRESENT is complete.
 */
static int store_claimed(struct dest *dest, const struct arrival *arrival,
			 uint64_t first, uint64_t count)
{
	struct region *region = arrival->frame->region;
	struct pages *pages = &dest->pages[region->id];
	bool waiting;
	int ret = fill_claimed(dest, arrival, first, count);

	if (ret < 0) {
		pages_unclaim(pages, first, count);
		return ret;
	}
	waiting = pages_present(pages, first, count);
	if (arrival->bytes)
		ret = region->kind->place(region, first, count, waiting);
	else if (waiting)
		ret = place_waiting(pages, region, first, count);
	account(dest, arrival, first, count);
	return ret;
}

/* What somebody else claimed or filled is dropped here. */
static int store(struct dest *dest, const struct arrival *arrival)
{
	const struct frame *frame = arrival->frame;
	struct pages *pages = &dest->pages[frame->region->id];
	uint64_t first = frame->first, end = frame->first + frame->count;

	while (first < end) {
		uint64_t count = pages_claim(pages, first, end - first);
		int ret;

		if (!count) {
			count = pages_unclaimable(pages, first, end - first);
			stat_add(&dest->stats.duplicate_pages, count);
			first += count;
			continue;
		}
		ret = store_claimed(dest, arrival, first, count);
		if (ret < 0)
			return ret;
		first += count;
	}
	return 0;
}

/* A run that is not what it says: ask again, cut the lane the third time. */
static int bad_run(struct dest_lane *self, const struct frame *frame,
		   bool switched)
{
	stat_add(&self->dest->stats.bad_runs, 1);
	if (!switched || ++self->bad_runs >= BAD_RUNS_MAX)
		return -EBADMSG;
	dest_rewant(self->dest, frame);
	return 0;
}

static int receive_pages(struct dest_lane *self, const struct frame *frame,
			 const void *payload)
{
	struct dest *dest = self->dest;
	bool switched = __atomic_load_n(&dest->switched, __ATOMIC_ACQUIRE);
	uint32_t due = switched ? dest->generation : self->lane->generation;
	struct arrival arrival = {
		.frame = frame,
		.bytes = frame->type == FRAME_DATA ? payload : NULL,
	};

	if (frame->generation > due)
		return -EPROTO;
	if (frame->generation < due) {
		stat_add(&dest->stats.stale_frames, 1);
		return 0;
	}
	if (!arrival_check(&arrival))
		return bad_run(self, frame, switched);
	self->bad_runs = 0;
	return switched ? store(dest, &arrival) : store_early(dest, &arrival);
}

static int receive_barrier(struct dest_lane *self, const struct frame *frame)
{
	if (self->lane->role != LANE_PUSH ||
	    frame->generation != self->lane->generation)
		return -EPROTO;
	self->lane->generation++;
	__atomic_store_n(&self->passed, frame->generation, __ATOMIC_RELEASE);
	dest_signal(self->dest);
	return 0;
}

/**
 * receive_frame() - take in one frame from the source
 * @self: the lane it came on
 * @frame: its header, checked against the region map
 * @payload: its bytes
 *
 * Return: 0, -EPROTO (not due), -EBADMSG (wrong digest: at once in pre-copy,
 * the third time in a row in post-copy), or -errno of the memory.
 */
int receive_frame(struct dest_lane *self, const struct frame *frame,
		  const void *payload)
{
	switch (frame->type) {
	case FRAME_DATA:
	case FRAME_ZERO:
		return receive_pages(self, frame, payload);
	case FRAME_BARRIER:
		return receive_barrier(self, frame);
	default:
		return -EPROTO;
	}
}

/**
 * receive_rounds() - take in what a push lane brings until it ends
 * @self: the lane; generations start at 1
 *
 * Return: -EPIPE when the source has closed it, or -errno.
 */
int receive_rounds(struct dest_lane *self)
{
	self->lane->generation = 1;
	for (;;) {
		struct frame frame;
		const void *payload;
		int ret = lane_receive(self->lane, &frame, &payload);

		if (!ret)
			ret = receive_frame(self, &frame, payload);
		if (!ret && dest_stopping(self->dest))
			ret = -ECANCELED;
		if (ret < 0)
			return ret;
	}
}
