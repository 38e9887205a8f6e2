// SPDX-License-Identifier: LGPL-2.1-or-later
/* push.c - the background stream: pre-copy rounds, and the rest after them. */
#include <string.h>

#include "copy/again.h"
#include "copy/kind.h"
#include "copy/source.h"
#include "sys.h"

#define HURRY_NS	UINT64_C(200000000)	/* after a want */

/* Length of the run of pages from @page on that are all zero, or all not. */
static uint64_t alike(const struct frame *run, const uint8_t *bytes,
		      uint64_t page, bool *zero)
{
	uint64_t size = page_size(run->region);
	uint64_t next;

	*zero = page_is_zero(bytes + page * size, size);
	for (next = page + 1; next < run->count; next++)
		if (page_is_zero(bytes + next * size, size) != *zero)
			break;
	return next - page;
}

static void count_part(struct source_lane *self, const struct frame *part)
{
	struct source *source = self->source;

	if (part->type == FRAME_ZERO) {
		/* In small pages, so that sizes can be added up. */
		stat_add(&source->stats.zero_pages,
			 part->count << (part->region->page_shift - 12));
		return;
	}
	stat_add(&source->stats.data_pages, part->count);
	stat_add(&source->stats.data_bytes, frame_bytes(part));
	self->data_bytes += frame_bytes(part);
}

/* Make a part PACKED, if that pays. Return: the bytes that follow it. */
static const void *part_pack(struct source_lane *self, struct frame *part,
			     const void *bytes)
{
	struct source_stats *stats = &self->source->stats;
	const void *packed;
	size_t size = packer_run(self->lane->packer, bytes, frame_bytes(part), &packed);

	if (!size)
		return bytes;
	part->type = FRAME_PACKED;
	part->packed = (uint32_t)size;
	stat_add(&stats->packed_bytes, frame_bytes(part));
	stat_add(&stats->packed_to_bytes, size);
	return packed;
}

/* Its digest is that of its pages, however they travel. */
static int part_send(struct source_lane *self, struct frame *part, const void *bytes)
{
	if (part->type == FRAME_DATA && self->packs)
		bytes = part_pack(self, part, bytes);
	return lane_send(self->lane, part, bytes);
}

/**
 * run_send() - send pages, the zero ones as headers only, others packed or not
 * @self: the sending lane
 * @run: region, first, count and generation
 * @bytes: of all its pages; nobody changes them meanwhile
 * @proof: where to add their digests, or NULL (not for good yet)
 *
 * Return: 0 or -errno.
 */
int run_send(struct source_lane *self, const struct frame *run,
	     const uint8_t *bytes, struct proof *proof)
{
	struct source_region *regions = self->source->regions;
	uint64_t done, size = page_size(run->region);

	for (done = 0; done < run->count;) {
		struct frame part = *run;
		bool zero;
		int ret;

		part.first = run->first + done;
		part.count = alike(run, bytes, done, &zero);
		part.type = zero ? FRAME_ZERO : FRAME_DATA;
		part.digest = digest_run(part.region, part.first, part.count,
					 zero ? NULL : bytes + done * size);
		/* Before it leaves: the dest may complete at once. */
		if (proof)
			proof_add(proof, part.count, part.digest);
		else if (!zero && part.region->kind->is_hole)
			bitmap_set_range(&regions[part.region->id].filled,
					 part.first, part.count);
		count_part(self, &part);
		ret = part_send(self, &part, bytes + done * size);
		if (ret < 0)
			return ret;
		done += part.count;
	}
	return 0;
}

/* A block of a round: the dirty pages that the guest has not written again. */
struct round_block {
	struct region *region;
	uint64_t page, end;		/* what is left of it */
	struct bitmap *dirty;		/* of the region */
	struct again again;
	uint64_t left_out;		/* pages */
};

static uint64_t next_dirty(struct round_block *block)
{
	uint64_t page = block->page;

	for (;; page++) {
		page = bitmap_next(block->dirty, page, block->end, true);
		if (page == block->end || !again_has(&block->again, page))
			return page;
		block->left_out++;
	}
}

/* Take the next run of neighbours. Return: false when there is none. */
static bool take_dirty(struct round_block *block, struct frame *run)
{
	uint64_t page = next_dirty(block), end = block->end;

	run->first = page;
	if (end - page > run_pages(block->region))
		end = page + run_pages(block->region);
	while (page < end && !again_has(&block->again, page) &&
	       bitmap_clear(block->dirty, page))
		page++;
	run->count = page - run->first;
	block->page = page;
	return run->count;
}

/* The guest waits for single pages: they are not to queue behind ours. */
static bool hurried(struct source *source)
{
	uint64_t wanted = __atomic_load_n(&source->wanted_ns, __ATOMIC_RELAXED);

	return wanted && now_ns() - wanted < HURRY_NS;
}

static struct worth_run so_far(const struct source_lane *self)
{
	return (struct worth_run){
		.bytes = self->data_bytes,
		.ns = now_ns(),
		.waited_ns = self->lane->waited_ns + self->limited_ns,
	};
}

/* What a run took decides whether later ones are packed. */
static void way_learn(struct source_lane *self, const struct worth_run *start)
{
	struct worth_run took;

	if (!self->lane->packer)
		return;
	took = so_far(self);
	took.bytes -= start->bytes;
	took.ns -= start->ns;
	took.waited_ns -= start->waited_ns;
	took.packs = self->packs;
	worth_note(&self->source->worth, &took);
}

static void limit_wait(struct source_lane *self, uint64_t bytes)
{
	uint64_t began = now_ns();

	limit_take(&self->source->limit, bytes);
	self->limited_ns += now_ns() - began;
}

/* Read a run and send it; the copy keeps a running guest's writes out. */
static int send_pages(struct source_lane *self, const struct frame *run,
		      struct proof *proof, uint64_t *counter)
{
	uint64_t before = self->lane->bytes_sent, sent, most = frame_bytes(run);
	struct worth_run start = so_far(self);
	int ret;

	lane_narrow(self->lane, hurried(self->source));
	limit_wait(self, most);
	self->packs = self->lane->packer && worth_packs(&self->source->worth);
	ret = run->region->kind->read(run->region, run->first, run->count,
				      self->buffer);
	if (!ret)
		ret = run_send(self, run, self->buffer, proof);
	sent = self->lane->bytes_sent - before;
	if (sent < most)
		limit_return(&self->source->limit, most - sent);
	stat_add(counter, sent);
	if (!ret)
		way_learn(self, &start);
	return ret;
}

static bool stopping(const struct source *source)
{
	return __atomic_load_n(&source->stopping, __ATOMIC_RELAXED);
}

static bool cut_short(const struct source *source)
{
	return __atomic_load_n(&source->cut_short, __ATOMIC_RELAXED);
}

/* By what a round has sent the next ones are judged: that must not be too little. */
static bool leaves_out(const struct source *source)
{
	uint64_t sent = stat_read(&source->stats.data_bytes) - source->round_data;

	return source->leaves_out && sent >= source->sample.bytes &&
	       now_ns() - source->round_began_ns >= source->sample.ns;
}

static int send_block(struct source_lane *self, uint32_t generation,
		      struct round_block *block)
{
	struct source *source = self->source;
	struct frame run = { .generation = generation, .region = block->region };
	int ret = 0;

	block->dirty = &source->regions[block->region->id].dirty;
	block->page = bitmap_next(block->dirty, block->page, block->end, true);
	if (block->page == block->end)
		return 0;
	block->left_out = 0;
	again_none(&block->again, block->region, block->page);
	if (leaves_out(source))
		again_look(&block->again, block->end);
	while (!ret && !stopping(source) && !cut_short(source) && take_dirty(block, &run))
		ret = send_pages(self, &run, NULL, &source->stats.round_bytes);
	stat_add(&source->stats.left_out_bytes,
		 block->left_out << block->region->page_shift);
	return ret;
}

/**
 * push_round() - one lane's part of a pre-copy round
 * @self: the lane
 * @generation: of the round
 *
 * A page's dirty bit is cleared before the page is read: what the guest
 * writes from then on is found by the next scan. What is left out stays dirty,
 * and so do the other pages of a round that is cut short.
 *
 * Return: 0 when its barrier is sent, or -errno.
 */
int push_round(struct source_lane *self, uint32_t generation)
{
	struct source *source = self->source;
	struct frame barrier = {
		.type = FRAME_BARRIER,
		.generation = generation,
	};
	struct round_block block;
	int ret = 0;

	while (!ret && !stopping(source) && !cut_short(source) &&
	       order_next_block(source->map, &source->order.block, &block.region,
				&block.page, &block.end))
		ret = send_block(self, generation, &block);
	return ret ? ret : lane_send(self->lane, &barrier, NULL);
}

/**
 * push_rest() - one lane's part of the post-copy push
 * @self: the lane
 * @generation: of post-copy frames
 *
 * Return: 0 when every page is sent or taken, and a barrier behind them; or
 * -errno.
 */
int push_rest(struct source_lane *self, uint32_t generation)
{
	struct source *source = self->source;
	struct frame run = { .generation = generation };
	struct frame barrier = {
		.type = FRAME_BARRIER, .generation = generation,
	};

	memset(&self->cursor, 0, sizeof(self->cursor));
	while (!stopping(source) &&
	       order_next(source, &self->cursor, &run.region, &run.first,
			  &run.count)) {
		int ret = send_pages(self, &run,
				     source_counts(source, run.region),
				     &source->stats.push_bytes);
		if (ret < 0)
			return ret;
	}
	return stopping(source) ? 0 : lane_send(self->lane, &barrier, NULL);
}
