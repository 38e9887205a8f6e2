// SPDX-License-Identifier: LGPL-2.1-or-later
/* steps.c - a migration step by step, as its protocol would go. */
#include "ends.h"
#include "harness.h"
#include "sys.h"

/* Wait for news; they are looked for again before the next wait. */
static void event_wait(int fd)
{
	uint64_t value;

	ASSERT_EQ(0, sys_wait_fd(fd, POLLIN, -1));
	ASSERT_EQ(8, sys_retry(read(fd, &value, sizeof(value))));
}

/**
 * source_wait_error() - wait until a source gives up
 * @source: that will
 *
 * Return: its error.
 */
int source_wait_error(struct source *source)
{
	while (!source_error(source))
		event_wait(source->event_fd);
	return source_error(source);
}

/**
 * dest_wait_error() - wait until a dest gives up
 * @dest: that will
 *
 * Return: its error.
 */
int dest_wait_error(struct dest *dest)
{
	while (!dest_error(dest))
		event_wait(dest->event_fd);
	return dest_error(dest);
}

static struct region *here_region(struct ends *ends)
{
	return &ends->here_map.regions[0];
}

/**
 * ends_track() - arm dirty tracking at the source
 * @ends: both open
 */
void ends_track(struct ends *ends)
{
	struct region *region = here_region(ends);

	ASSERT_EQ(0, uffd_tracker_open(&ends->tracker, ends->here.pid,
				       ends->here.uffd));
	ASSERT_EQ(0, uffd_track(&ends->tracker,
				page_range(region, 0, region->pages)));
}

/**
 * ends_round() - one pre-copy round, through its barrier
 * @ends: not switched
 */
void ends_round(struct ends *ends)
{
	struct round_result result;

	ends->source->sample.bytes = ends->leaves_out_from;
	ends->source->sample.ns = 0;
	source_round_start(ends->source, ends->generation, ends->leaves_out);
	while (!source_round_done(ends->source, &result)) {
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->source->event_fd);
	}
	while (dest_barrier_passed(ends->dest) < ends->generation) {
		ASSERT_EQ(0, dest_error(ends->dest));
		event_wait(ends->dest->event_fd);
	}
	ends->generation++;
}

static int zap_there(struct range range, void *arg)
{
	struct ends *ends = arg;

	return guest_zap(&ends->there, range);
}

/**
 * ends_switch() - hold the guest here: what is dirty is missing there
 * @ends: no round runs
 */
void ends_switch(struct ends *ends)
{
	struct bitmap *dirty = &ends->source->regions[0].dirty;
	struct region *region = &ends->there_map.regions[0];
	struct bitmap keep;

	source_hold(ends->source);
	ASSERT_EQ(0, bitmap_init(&keep, region->pages));
	bitmap_copy_inverted(&keep, dirty);
	ASSERT_EQ(0, dest_keep(ends->dest, region, 0, region->pages,
			       keep.words));
	bitmap_fini(&keep);
	ASSERT_EQ(0, dest_stale(ends->dest, ends->there.pagemap, zap_there,
				ends));
	dest_switch(ends->dest, ends->generation);
}

/**
 * ends_push() - start the push and the settling
 * @ends: switched
 */
void ends_push(struct ends *ends)
{
	ASSERT_EQ(0, dest_settle(ends->dest));
	ASSERT_EQ(0, source_push_start(ends->source, ends->generation));
}

/**
 * ends_finish() - wait until nothing is missing, compare the proofs
 * @ends: pushing
 */
void ends_finish(struct ends *ends)
{
	while (!dest_complete(ends->dest)) {
		ASSERT_EQ(0, dest_error(ends->dest));
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->dest->event_fd);
	}
	while (!source_proven(ends->source)) {
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->source->event_fd);
	}
	EXPECT_EQ(0, dest_error(ends->dest));
	EXPECT_EQ(ends->here.pages, ends->source->regions[0].proof.pages);
	EXPECT_EQ(ends->there.pages, states_proof(&ends->dest->states, 0).pages);
	EXPECT_TRUE(digest_equal(ends->source->regions[0].proof.sum,
				 states_proof(&ends->dest->states, 0).sum));
}

/**
 * ends_compare() - compare the guests page by page
 * @ends: finished
 */
void ends_compare(struct ends *ends)
{
	uint64_t page;

	ASSERT_EQ(0, guest_hash(&ends->here, 0, ends->here.pages));
	ASSERT_EQ(0, guest_hash(&ends->there, 0, ends->there.pages));
	for (page = 0; page < ends->here.pages; page++)
		ASSERT_EQ(ends->here.hashes[page], ends->there.hashes[page]) {
			TH_LOG("page %llu", (unsigned long long)page);
		}
}
