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

/* Is it to be tried once more? Else @ret is what came of it. */
static bool again(struct dest_lane *self, int *ret)
{
	if (*ret != -EAGAIN)
		return false;
	*ret = dest_layout_wait(self);
	return !*ret;
}

/* No vCPU runs and the pages may be sent again: no claim, no proof. */
static int store_early(struct dest_lane *self, const struct arrival *arrival)
{
	const struct frame *frame = arrival->frame;
	const struct memory_kind *kind = frame->region->kind;
	int ret;

	do {
		if (arrival->bytes)
			ret = kind->overwrite(frame->region, frame->first,
					      frame->count, arrival->bytes);
		else
			ret = kind->overwrite_zero(frame->region, frame->first,
						   frame->count);
	} while (again(self, &ret));
	if (!ret)
		pages_received(dest_pages(self->dest, frame->region),
			       frame->first, frame->count);
	return ret;
}

static bool inserts(const struct dest *dest, const struct region *region)
{
	return dest->inserts >> region->id & 1;
}

/* @done: how many of these pages hold what they should, also on an error. */
static int fill_claimed(struct dest *dest, const struct arrival *arrival,
			uint64_t first, uint64_t count, uint64_t *done)
{
	const struct frame *frame = arrival->frame;
	struct region *region = frame->region;
	const uint8_t *bytes = !arrival->bytes ? NULL : arrival->bytes +
		((first - frame->first) << region->page_shift);
	int ret = 0;

	if (bytes && inserts(dest, region))
		return region->kind->insert(region, first, count, bytes, done);
	if (bytes)
		ret = region->kind->fill(region, first, count, bytes);
	else if (dest->stale && !inserts(dest, region))
		ret = region->kind->clear(region, first, count);
	*done = ret < 0 ? 0 : count;
	return ret;
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

static void arrived(struct dest *dest, const struct region *region,
		    uint64_t count)
{
	if (!__atomic_sub_fetch(&dest->missing, small_pages(region, count),
				__ATOMIC_ACQ_REL))
		dest_signal(dest);
}

static int place(struct dest *dest, const struct arrival *arrival,
		 uint64_t first, uint64_t count, bool waiting)
{
	struct region *region = arrival->frame->region;
	struct pages *pages = dest_pages(dest, region);

	if (arrival->bytes && inserts(dest, region))
		return waiting ? uffd_wake(region->uffd, page_range(region, first, count)) : 0;
	if (arrival->bytes)
		return region->kind->place(region, first, count, waiting);
	return waiting ? place_waiting(pages, region, first, count) : 0;
}

/*
 * The order is the promise: filled, written down, then PRESENT, then visible.
 * After a kill anywhere in between, a page that says PRESENT is complete, and
 * its digest is in the ledger or about to be. A page that is private, or inserted,
 * is visible when it is filled; one that was, and is missing nevertheless, is left
 * as it is by whoever fills it again.
 *
 * @count: pages that are claimed; receives how many of them are PRESENT, unless none
 */
static int fill(struct dest_lane *self, const struct arrival *arrival,
		uint64_t first, uint64_t *count, bool *waiting)
{
	struct dest *dest = self->dest;
	struct region *region = arrival->frame->region;
	struct pages *pages = dest_pages(dest, region);
	uint64_t done;
	int ret = fill_claimed(dest, arrival, first, *count, &done);

	if (done < *count)
		pages_unclaim(pages, first + done, *count - done);
	if (!done)
		return ret;
	*count = done;
	ledger_write(self->ledger, region, first, done,
		     arrival_digest(arrival, first, done));
	*waiting = pages_present(pages, first, done);
	ledger_strike(self->ledger);
	return 0;
}

/*
 * The guest may free a private page that is being filled: so events are not
 * read meanwhile. What it frees of shared memory may be filled.
 */
static int claim_and_fill(struct dest_lane *self,
			  const struct arrival *arrival, uint64_t first,
			  uint64_t most, uint64_t *count, bool *waiting)
{
	const struct region *region = arrival->frame->region;
	struct dest *dest = self->dest;
	int ret = 0;

	if (!region->shared)
		pthread_rwlock_rdlock(&dest->removal);
	*count = pages_claim(dest_pages(dest, region), first, most);
	if (*count)
		ret = fill(self, arrival, first, count, waiting);
	if (!region->shared)
		pthread_rwlock_unlock(&dest->removal);
	return ret;
}

/* Up to @most pages from @first on. Return: how many are done, or -errno. */
static int64_t store_some(struct dest_lane *self,
			  const struct arrival *arrival, uint64_t first,
			  uint64_t most)
{
	struct dest *dest = self->dest;
	struct region *region = arrival->frame->region;
	bool waiting = false;
	uint64_t count;
	int ret = claim_and_fill(self, arrival, first, most, &count, &waiting);

	if (ret == -EAGAIN)
		return dest_layout_wait(self);	/* nothing is claimed */
	if (ret < 0 || !count)
		return ret;
	do {
		ret = place(dest, arrival, first, count, waiting);
	} while (again(self, &ret));
	arrived(dest, region, count);
	return ret < 0 ? ret : (int64_t)count;
}

/* What somebody else claimed or filled is dropped here. */
static void drop(struct dest_lane *self, const struct arrival *arrival,
		 uint64_t first, uint64_t count)
{
	const struct digest *digests = arrival->bytes
		? arrival->digests + (first - arrival->frame->first) : NULL;

	stat_add(&self->dest->stats.duplicate_pages, count);
	discard_arrived(self->dest, arrival->frame->region, first, count,
			digests);
}

/* In steps: whoever touches a page that is claimed waits for all of its step. */
static int store(struct dest_lane *self, const struct arrival *arrival)
{
	const struct frame *frame = arrival->frame;
	struct pages *pages = dest_pages(self->dest, frame->region);
	uint64_t first = frame->first, end = frame->first + frame->count;
	uint64_t step = arrival->bytes ? step_pages(frame->region) : frame->count;

	while (first < end) {
		uint64_t most = end - first < step ? end - first : step;
		int64_t done = store_some(self, arrival, first, most);

		if (done < 0)
			return (int)done;
		if (!done) {
			done = (int64_t)pages_unclaimable(pages, first,
							  end - first);
			drop(self, arrival, first, (uint64_t)done);
		}
		first += (uint64_t)done;
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
	return switched ? store(self, &arrival) : store_early(self, &arrival);
}

static int receive_digest(struct dest_lane *self, const struct frame *frame)
{
	struct dest *dest = self->dest;

	if (self->lane->role != LANE_FAULT ||
	    frame->generation != dest->generation)
		return -EPROTO;
	discard_answered(dest, frame);
	return 0;
}

/* Past the switch it says that all was pushed; older lanes' say nothing. */
static bool barrier_is_due(const struct dest_lane *self,
			   const struct frame *frame, bool switched)
{
	return frame->generation == (switched ? self->dest->generation
					      : self->lane->generation);
}

/* A run that came twice, or never, shows here: before its round counts. */
static int receive_barrier(struct dest_lane *self, const struct frame *frame)
{
	bool switched = __atomic_load_n(&self->dest->switched, __ATOMIC_ACQUIRE);
	struct lane *lane = self->lane;

	if (lane->role != LANE_PUSH || !barrier_is_due(self, frame, switched))
		return -EPROTO;
	if (!digest_equal(frame->digest, lane->got))
		return -EBADMSG;
	lane->got = (struct digest){ 0, 0 };
	if (!switched)
		lane->generation++;
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
		digest_add(&self->lane->got, frame->digest);
		return receive_pages(self, frame, payload);
	case FRAME_BARRIER:
		return receive_barrier(self, frame);
	case FRAME_DIGEST:
		return receive_digest(self, frame);
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
