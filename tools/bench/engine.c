// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * engine.c - either end of a migration's memory, without phases or guests.
 *
 * The dest's process is the guest's as well: it maps the memory, and its own
 * userfaultfd is over it.
 */
#include "tools/bench/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "copy/kind.h"
#include "protocol/lanes.h"
#include "sys.h"

#define LANES_MAX	16
#define SOURCE_ADDRESS	0x100000000ull	/* nobody maps the source's memory */
#define WAIT_MS		60000

/* What its end of a push lane needs to pack. */
static int lane_packs(const struct engine *engine, struct lane *lane)
{
	uint64_t most = frame_payload_max(&engine->map);

	if (!engine->plan->packs || lane->role != LANE_PUSH)
		return 0;
	return engine->source ? packer_create(most, &lane->packer)
			      : unpacker_create(most, &lane->unpacker);
}

static int lane_add(struct engine *engine, struct channel *channel, enum channel_role role,
		    unsigned int index)
{
	struct lane *lane;
	int ret = lane_over_channel(channel, role == ROLE_PUSH ? LANE_PUSH : LANE_FAULT, index,
				    &engine->map, &lane);

	if (!ret)
		ret = lane_packs(engine, lane);
	if (ret)
		return ret;
	return engine->source ? source_add_lane(engine->source, lane)
			      : dest_add_lane(engine->dest, lane);
}

static int lanes_open(struct engine *engine)
{
	const struct plan *plan = engine->plan;
	unsigned int i, count = plan->push_lanes + plan->fault_lanes;
	struct channel *channels[LANES_MAX];
	enum channel_role roles[LANES_MAX] = { ROLE_PUSH };
	int ret;

	if (count > LANES_MAX)
		return -EINVAL;
	for (i = 0; i < count; i++)
		roles[i] = i < plan->push_lanes ? ROLE_PUSH : ROLE_FAULT;
	ret = channels_open(engine->party, engine->source, count, plan->tls, roles, channels);
	for (i = 0; i < count && !ret; i++)
		ret = lane_add(engine, channels[i], roles[i],
			       i < plan->push_lanes ? i : i - plan->push_lanes);
	return ret;
}

static struct region region_of(const struct plan *plan)
{
	return (struct region){
		.page_shift = plan_page_shift(plan),
		.pages = plan->size >> plan_page_shift(plan),
		.shared = true,
		.pid = getpid(),
		.pagemap = -1,
		.uffd = -1,
	};
}

/**
 * engine_open_source() - the end that has the pages, with its lanes
 * @engine: receives it
 * @party: the source's process
 * @plan: what is moved
 *
 * Return: 0 or -errno.
 */
int engine_open_source(struct engine *engine, struct party *party,
		       const struct plan *plan)
{
	struct region region = region_of(plan);
	int ret;

	*engine = (struct engine){ .party = party, .plan = plan, .memory = -1 };
	region.address = SOURCE_ADDRESS;
	region.fd = plan->memory;
	ret = region_add(&engine->map, &region);
	if (!ret)
		ret = source_create(&engine->map, 0, &engine->source);
	if (!ret)
		ret = lanes_open(engine);
	return ret ?: source_populated(engine->source);
}

static int guest_map(struct engine *engine, struct region *region)
{
	void *guest = NULL;
	int ret;

	engine->memory = engine->plan->huge ? memory_create_huge(engine->plan->size, 0)
					 : memory_create(engine->plan->size, 0);
	if (engine->memory < 0)
		return engine->memory;
	ret = sys_mmap(&guest, engine->plan->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       engine->memory, 0);
	if (ret)
		return ret;
	engine->guest = guest;
	region->address = (uintptr_t)guest;
	region->fd = engine->memory;
	region->pagemap = sys_ret(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	if (region->pagemap < 0)
		return region->pagemap;
	region->uffd = uffd_open();
	if (region->uffd < 0)
		return region->uffd;
	ret = uffd_enable(region->uffd, kind_of(region)->features);
	return ret ?: uffd_register(region->uffd, page_range(region, 0, region->pages),
				    kind_of(region)->modes);
}

/**
 * engine_open_dest() - the end that misses the pages, with its lanes
 * @engine: receives it
 * @party: the dest's process
 * @plan: what is moved
 *
 * Return: 0 or -errno.
 */
int engine_open_dest(struct engine *engine, struct party *party,
		     const struct plan *plan)
{
	struct region region = region_of(plan);
	static const char path[] = SITE_DIR "/pages";
	int ret;

	*engine = (struct engine){ .party = party, .plan = plan };
	ret = guest_map(engine, &region);
	if (!ret)
		ret = region_add(&engine->map, &region);
	if (!ret)
		ret = dest_create(&engine->map, path, region.uffd, &engine->dest);
	if (!ret)
		ret = sys_ret(unlink(path));
	return ret ?: lanes_open(engine);
}

/**
 * engine_switch() - dest: from here on a missing page is asked for
 * @engine: no round was made; what is not filled is kept: it is zero
 *
 * Return: 0 or -errno.
 */
int engine_switch(struct engine *engine)
{
	uint64_t filled = engine->plan->filled >> plan_page_shift(engine->plan);
	struct region *region = &engine->map.regions[0];
	struct bitmap keep;
	int ret = bitmap_init(&keep, region->pages);

	if (ret)
		return ret;
	bitmap_set_range(&keep, filled, region->pages - filled);
	ret = dest_keep(engine->dest, region, 0, region->pages, keep.words);
	bitmap_fini(&keep);
	if (!ret)
		dest_switch(engine->dest, GENERATION);
	return ret;
}

static int event_wait(int fd)
{
	int ret = sys_wait_fd(fd, POLLIN, WAIT_MS);
	uint64_t value;

	return ret ?: sys_read_all(fd, &value, sizeof(value));
}

/**
 * engine_wait_source() - wait for the source's threads
 * @engine: the source's
 * @done: whether they are where they shall be
 *
 * Return: 0 or -errno.
 */
int engine_wait_source(struct engine *engine, bool (*done)(struct source *))
{
	while (!done(engine->source)) {
		int ret = source_error(engine->source);

		if (!ret)
			ret = event_wait(engine->source->event_fd);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * engine_wait_dest() - wait for the dest's threads
 * @engine: the dest's
 * @done: whether they are where they shall be
 *
 * Return: 0 or -errno.
 */
int engine_wait_dest(struct engine *engine, bool (*done)(struct dest *))
{
	while (!done(engine->dest)) {
		int ret = dest_error(engine->dest);

		if (!ret)
			ret = event_wait(engine->dest->event_fd);
		if (ret)
			return ret;
	}
	return 0;
}

static bool proven(struct source *source)
{
	return source_proven(source);
}

static bool complete(struct dest *dest)
{
	return dest_complete(dest);
}

/**
 * engine_prove() - both ends: every page arrived as it left
 * @engine: the source proven, or the dest complete
 *
 * Return: 0; -EBADMSG: it did not; or -errno.
 */
int engine_prove(struct engine *engine)
{
	struct proof theirs, ours = engine->source
		? engine->source->regions[0].proof
		: states_proof(&engine->dest->states, 0);
	int ret = party_tell(engine->party, &ours, sizeof(ours));

	if (!ret)
		ret = party_hear(engine->party, &theirs, sizeof(theirs));
	if (!ret && (theirs.pages != ours.pages || !digest_equal(theirs.sum, ours.sum)))
		ret = -EBADMSG;
	return ret;
}

/**
 * engine_push_source() - the source's half of a post-copy that nobody disturbs
 * @engine: opened; the outcome's began_ns is the order to push
 *
 * Return: 0 or -errno.
 */
int engine_push_source(struct engine *engine)
{
	int ret;

	source_hold(engine->source);
	ret = party_meet(engine->party);
	party_begin(engine->party);
	if (!ret)
		ret = source_push_start(engine->source, GENERATION);
	if (!ret)
		ret = engine_wait_source(engine, proven);
	party_end(engine->party);
	return ret ?: engine_prove(engine);
}

/**
 * engine_push_dest() - the dest's half
 * @engine: opened; the outcome's ended_ns is the last page's
 *
 * Return: 0 or -errno.
 */
int engine_push_dest(struct engine *engine)
{
	int ret = engine_switch(engine);

	if (!ret)
		ret = party_meet(engine->party);
	party_begin(engine->party);
	if (!ret)
		ret = dest_settle(engine->dest);
	if (!ret)
		ret = engine_wait_dest(engine, complete);
	party_end(engine->party);
	return ret ?: engine_prove(engine);
}
