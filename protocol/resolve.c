// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * resolve.c - an operator decides what no host can know by itself.
 *
 * Which decisions there are to choose from is the agent's to say; here they are
 * carried out. Each is journalled before it is true. Taking back is an epoch of
 * its own, newer than the one of GO: a copy at the dest that comes back hears
 * of it, and stops.
 */
#include <errno.h>
#include <string.h>

#include "protocol/dial.h"
#include "protocol/phase.h"
#include "sys.h"

static const char *const names[] = {
	[RESOLVE_TAKE_BACK] = "take-back",
	[RESOLVE_GIVE_UP] = "give-up",
	[RESOLVE_POISON] = "poison",
	[RESOLVE_RESCUE] = "rescue",
};

/**
 * resolution_name() - a decision in words
 * @resolution: not RESOLVE_NONE
 *
 * Return: "take-back", or "none".
 */
const char *resolution_name(enum resolution resolution)
{
	return resolution == RESOLVE_NONE ? "none" : names[resolution];
}

/**
 * resolution_named() - the decision of a name
 * @name: "take-back", or NULL
 *
 * Return: the decision; RESOLVE_NONE: no such name.
 */
enum resolution resolution_named(const char *name)
{
	size_t i;

	for (i = RESOLVE_TAKE_BACK; name && i <= RESOLVE_RESCUE; i++)
		if (!strcmp(names[i], name))
			return (enum resolution)i;
	return RESOLVE_NONE;
}

/* ---- source ------------------------------------------------------------ */

static bool has_guest(const struct migration *m)
{
	return m->guest && !m->guest_ended && m->driver->alive(m->guest);
}

/* The guest goes on here, as it was at the stop. */
static int guest_take(struct migration *m)
{
	struct fail ignored = { 0 };

	dial_cancel(m);
	source_destroy(m->source);
	m->source = NULL;
	fence_open(m);
	if (m->driver->hold)
		m->driver->hold(m->guest, false, &ignored);
	memory_detach(m);
	return m->paused_by_us ? m->driver->resume(m->guest, &m->fail) : 0;
}

/**
 * taken_back() - what an operator took back runs here
 * @m: in TAKING_BACK; with its guest
 *
 * Return: -ECANCELED with @m->fail: the migration is over; or another -errno:
 * the intent stands.
 */
int taken_back(struct migration *m)
{
	/* Whose host was started anew since has nothing to go on with. */
	int ret = has_guest(m) ? guest_take(m) : 0;

	if (!ret)
		ret = owner_move(m, STATE_TAKEN_BACK);
	if (ret)
		return ret;
	/* What still comes over this one may be of before: the herald asks anew. */
	channel_lost(m);
	memset(&m->fail, 0, sizeof(m->fail));
	return fail_set(&m->fail, -ECANCELED,
			"guest '%s' was taken back by an operator: it is here as of the stop",
			m->description.name);
}

static int take_back(struct migration *m)
{
	int ret;

	if (!has_guest(m)) {
		progress_decide(m, "guest '%s' cannot be taken back: its process is gone here",
				m->description.name);
		return 0;
	}
	ret = owner_move(m, STATE_TAKING_BACK);
	return ret ? ret : taken_back(m);
}

static bool runs_here(struct migration *m)
{
	struct guest_description now = { .running = false };
	struct fail ignored = { 0 };
	bool runs;

	if (m->driver->describe(m->guest, &now, &ignored))
		return false;
	runs = now.running;
	guest_description_fini(&now);
	return runs;
}

/*
 * Somebody resumed it. Where it was let go of it is his; behind a fence that was
 * never opened it waits, and its being taken back has it go on.
 */
static int is_resumed(struct migration *m, bool free)
{
	if (free)
		fence_open(m);
	else
		fence_broken(m);
	return fail_set(&m->fail, -EBUSY, free
			? "somebody resumed it, it runs here"
			: "somebody resumed it, it waits here to be taken back");
}

/*
 * Where nobody else has it, it was let go of: anybody may resume it, between a
 * look at it and its end, too. What decides is a look behind a fence.
 */
static int claim(struct migration *m)
{
	bool free = m->fence.uffd < 0;
	int ret;

	if (m->state != STATE_DIED_THERE || !has_guest(m))
		return 0;
	if (free && runs_here(m))
		return is_resumed(m, free);
	ret = fence_again(m);
	if (!ret && m->fenced && runs_here(m))
		ret = is_resumed(m, free);
	return ret;
}

static int give_up(struct migration *m)
{
	bool there = m->state != STATE_DIED_THERE;
	int ret = claim(m);

	if (ret) {
		progress_decide(m, "guest '%s' cannot be given up: %s",
				m->description.name,
				m->fail.err ? m->fail.text : strerror(-ret));
		memset(&m->fail, 0, sizeof(m->fail));
		return 0;
	}
	ret = tear_down(m);
	if (!ret && there)
		confirmed_tell(m);	/* to who has all of it, it is the end */
	return ret ? ret : fail_set(&m->fail, -ECANCELED,
			"the copy of guest '%s' here was given up by an operator",
			m->description.name);
}

/* Nothing was said to be there since the stop: only what is kept is left out. */
static int rescue_write(struct migration *m)
{
	uint64_t pages = 0;
	int ret = source_rescue(m->source, m->resolve_fd, m->id, &pages);

	if (ret)
		progress_decide(m, "nothing was rescued, the file is of no use: %s",
				strerror(-ret));
	else
		progress_decide(m, "rescued: %llu pages of guest '%s' are in the file",
				(unsigned long long)pages, m->description.name);
	return 0;
}

static int resolve_source(struct migration *m)
{
	switch (m->resolution) {
	case RESOLVE_TAKE_BACK:
		return take_back(m);
	case RESOLVE_GIVE_UP:
		return give_up(m);
	case RESOLVE_RESCUE:
		return rescue_write(m);
	default:
		return 0;
	}
}

/* ---- dest -------------------------------------------------------------- */

static int region_poison(struct migration *m, struct region *region)
{
	struct pages *pages = dest_pages(m->dest, region);
	uint64_t first = 0, end;
	int ret = 0;

	while (!ret) {
		first = pages_next(pages, first, pages->count, PAGE_STATE,
				   PAGE_MISSING, true);
		end = pages_next(pages, first, pages->count, PAGE_STATE,
				 PAGE_MISSING, false);
		if (first == end)
			break;
		ret = uffd_poison(m->attachment.uffd,
				  page_range(region, first, end - first),
				  page_size(region));
		first = end;
	}
	return ret;
}

/* Linux before 6.6 has no such thing, and nothing was changed. */
static int poison_refused(struct migration *m, int error)
{
	states_poisoning(&m->dest->states, false);
	progress_decide(m, "missing pages cannot be poisoned: %s (Linux 6.6 has it)",
			strerror(-error));
	return dest_lanes_end(m->dest);
}

/* POISONED is the end of a guest that runs: its row has to say that first. */
static int poison_later(struct migration *m, const char *why)
{
	progress_decide(m,
			"missing pages of guest '%s' cannot be poisoned now: %s",
			m->description.name, why);
	return 0;
}

/*
 * A page that is poisoned takes no bytes any more, and looks as if it were
 * there: who dies before POISONED is written must not have it counted so. The
 * file of page states says what was begun, and a successor ends it.
 */
static int poison(struct migration *m)
{
	struct fail fail = { 0 };
	unsigned int i;
	int ret = owner_record_again(m, &fail);

	if (ret)
		return poison_later(m, fail.text);
	if (m->state != STATE_RUNNING)
		return poison_later(m, "it has not answered its start, and is asked again");
	dest_lanes_destroy(m->dest);
	states_poisoning(&m->dest->states, true);
	for (i = 0; i < m->map.count && !ret; i++)
		ret = region_poison(m, &m->map.regions[i]);
	if (ret == -EINVAL || ret == -ENOTTY)
		return poison_refused(m, ret);
	if (ret == -ESRCH)
		ret = 0;	/* it touched one already, and ended of it */
	if (ret)
		return fail_set(&m->fail, ret,
				"missing pages of guest '%s' cannot all be poisoned: %s",
				m->description.name, strerror(-ret));
	ret = owner_move(m, STATE_POISONED);
	if (ret)
		return ret;
	memory_detach(m);
	return fail_set(&m->fail, -ECANCELED,
			"guest '%s' goes on without %llu pages that never came: an operator had them poisoned",
			m->description.name,
			(unsigned long long)m->progress.missing_pages);
}

static int rescue_read(struct migration *m)
{
	int ret = dest_rescue(m->dest, m->resolve_fd, m->id);

	if (ret == -EBADMSG || ret == -EPROTO)
		progress_decide(m,
				"the file is damaged, or no rescue file of this migration: what was sound of it is here");
	else if (ret == -EPIPE)
		progress_decide(m,
				"the file is cut short: what was sound of it is here");
	else if (ret)
		progress_decide(m, "the file could not be read to its end: %s",
				strerror(-ret));
	else
		progress_decide(m, "rescued: the file's pages are here");
	dest_signal(m->dest);
	return 0;
}

/* Only of a copy that was superseded: nothing that owns its guest is killed. */
static int copy_end(struct migration *m)
{
	int ret;

	if (m->state != STATE_SUPERSEDED)
		return 0;
	prepare_discard(m);
	fail_set(&m->fail, -ECANCELED,
		 "the copy of guest '%s' here, which was taken back at its source, was ended by an operator",
		 m->description.name);
	ret = owner_insist(m, STATE_DIED);
	return ret ? ret : -ECANCELED;
}

static int resolve_dest(struct migration *m)
{
	switch (m->resolution) {
	case RESOLVE_POISON:
		return poison(m);
	case RESOLVE_RESCUE:
		return rescue_read(m);
	case RESOLVE_GIVE_UP:
		return copy_end(m);
	default:
		return 0;
	}
}

/* ---- both -------------------------------------------------------------- */

/**
 * resolve() - carry out what an operator has decided
 * @m: past Perform; EVENT_RESOLVE
 *
 * Return: 0: the migration goes on; -ECANCELED with @m->fail: it is over; or
 * another -errno.
 */
int resolve(struct migration *m)
{
	int ret = m->side == SIDE_SOURCE ? resolve_source(m) : resolve_dest(m);

	m->resolution = RESOLVE_NONE;
	return ret;
}
