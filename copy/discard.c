// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * discard.c - the guest frees memory while its pages are still to come.
 *
 * Whoever frees memory (a balloon, free page reporting) sleeps in the kernel
 * until the event of it is read, and finds zeroes then. So an event is read
 * and what it means written down in one step, in which nobody fills or counts
 * a page that it may name: content that came before is taken away by the
 * kernel, content that comes after is not placed.
 *
 * A discarded page has no content here to be proven. It is not fetched, either:
 * the source is asked for its digest alone, so that the proof is over all pages
 * at both ends, however often lanes break and workers die. Where its bytes are
 * on their way already, they are counted and dropped.
 *
 * Before the switch events tell of what we zap ourselves, or the hypervisor in
 * memory that is still to be loaded: nothing is done but to let them go on.
 */
#include <errno.h>

#include "copy/dest.h"
#include "sys.h"

#define ASKS_MAX	8	/* runs that are asked for at a time */

static void counter_add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_ACQ_REL);
}

static void counter_sub(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_sub(counter, n, __ATOMIC_ACQ_REL);
}

static void removed(struct dest *dest, struct uffd_event *event)
{
	struct range range = { event->start, event->len };
	struct removal what = states_discard(&dest->states, dest->map, range);

	counter_add(&dest->discards, what.discarded);
	counter_sub(&dest->uncounted, what.kept);
	counter_sub(&dest->missing, what.missing);
	stat_add(&dest->stats.discarded_pages, what.discarded);
	if (!what.waited)
		event->len = 0;		/* nobody to wake */
}

static bool is_removal(const struct uffd_event *event)
{
	return event->kind == UFFD_REMOVED;
}

/* Pages that nobody fills any more are zero: whoever waits faults again. */
static int wake_removed(struct dest *dest, const struct uffd_event *events,
			int count)
{
	int i, ret = 0;

	for (i = 0; i < count && !ret; i++)
		if (is_removal(&events[i]) && events[i].len)
			ret = uffd_wake(dest->uffd, (struct range){
					events[i].start, events[i].len });
	return ret;
}

/**
 * discard_events() - read what the kernel tells, deal with freed memory
 * @self: the calling thread
 * @events: receives at most UFFD_INBOX; freed memory among them is dealt with
 *
 * Return: how many, or -errno.
 */
int discard_events(struct dest_lane *self, struct uffd_event *events)
{
	struct dest *dest = self->dest;
	bool owned, any = false;
	int i, ret, count;

	pthread_rwlock_wrlock(&dest->removal);
	owned = __atomic_load_n(&dest->owned, __ATOMIC_SEQ_CST);
	count = uffd_inbox_read(dest->uffd, &self->ledger->inbox, events);
	for (i = 0; i < count; i++) {
		if (!is_removal(&events[i]))
			continue;
		any = true;
		if (owned)
			removed(dest, &events[i]);
		else
			events[i].len = 0;
	}
	if (any)
		uffd_inbox_clear(&self->ledger->inbox);
	pthread_rwlock_unlock(&dest->removal);
	ret = any ? wake_removed(dest, events, count) : 0;
	if (any && dest_complete(dest))
		dest_signal(dest);
	return ret < 0 ? ret : count;
}

/* Count some discarded pages, whose lock is held. */
static void count_discarded(struct dest *dest, const struct region *region,
			    uint64_t first, uint64_t count, struct digest sum)
{
	struct ledger *ledger = &dest->states.ledgers[DEST_LANES_MAX];

	ledger_write(ledger, region, first, count, sum);
	pages_count(dest_pages(dest, region), first, count);
	ledger_strike(ledger);
	if (!__atomic_sub_fetch(&dest->discards, count, __ATOMIC_ACQ_REL))
		dest_signal(dest);
}

/* The next run of pages that are to be counted. Return: its end. */
static uint64_t uncounted_run(const struct pages *pages, uint64_t from,
			      uint64_t end, uint64_t *first)
{
	unsigned int mask = PAGE_STATE | PAGE_COUNTED;

	*first = pages_next(pages, from, end, mask, PAGE_DISCARDED, true);
	return pages_next(pages, *first, end, mask, PAGE_DISCARDED, false);
}

/**
 * discard_arrived() - count those of some pages that the guest has freed
 * @dest: switched
 * @region: of the pages
 * @first: the first of them
 * @count: how many; their bytes came, and were dropped
 * @digests: of each; NULL: they are zero
 */
void discard_arrived(struct dest *dest, struct region *region, uint64_t first,
		     uint64_t count, const struct digest *digests)
{
	struct pages *pages = dest_pages(dest, region);
	uint64_t at, stop, i, end = first + count;

	if (!__atomic_load_n(&dest->discards, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&dest->counting);
	for (at = first; at < end; at = stop) {
		struct digest sum = { 0, 0 };

		stop = uncounted_run(pages, at, end, &at);
		if (stop == at)
			break;
		for (i = at; digests && i < stop; i++)
			digest_add(&sum, digests[i - first]);
		if (!digests)
			sum = digest_zero_run(region, at, stop - at);
		count_discarded(dest, region, at, stop - at, sum);
	}
	pthread_mutex_unlock(&dest->counting);
}

/**
 * discard_answered() - the source tells the digest of pages that were asked for
 * @dest: switched
 * @frame: a DIGEST. Where a part of its pages is counted already the rest is
 *	asked for again
 */
void discard_answered(struct dest *dest, const struct frame *frame)
{
	uint64_t first, end = frame->first + frame->count;

	pthread_mutex_lock(&dest->counting);
	if (uncounted_run(dest_pages(dest, frame->region), frame->first, end,
			  &first) == end && first == frame->first)
		count_discarded(dest, frame->region, first, frame->count,
				frame->digest);
	pthread_mutex_unlock(&dest->counting);
	pthread_mutex_lock(&dest->lock);
	if (dest->asked)
		dest->asked--;
	pthread_mutex_unlock(&dest->lock);
}

/* From where the last one ended. Return: whether there is one. */
static bool look_on(struct dest *dest, struct frame *ask)
{
	for (; dest->ask_region < dest->map->count; dest->ask_region++) {
		struct region *region = &dest->map->regions[dest->ask_region];
		uint64_t first, end, most = step_pages(region);

		end = uncounted_run(dest_pages(dest, region), dest->ask_page,
				    region->pages, &first);
		if (end > first) {
			ask->region = region;
			ask->first = first;
			ask->count = end - first < most ? end - first : most;
			dest->ask_page = first + ask->count;
			return true;
		}
		dest->ask_page = 0;
	}
	return false;
}

/**
 * discard_next() - take pages whose digest the source is to be asked for
 * @dest: switched
 * @ask: receives region, first and count
 *
 * Few are under way at a time: faults wait behind them.
 *
 * Return: false when there are none now.
 */
bool discard_next(struct dest *dest, struct frame *ask)
{
	bool found = false;

	if (!__atomic_load_n(&dest->discards, __ATOMIC_ACQUIRE))
		return false;
	pthread_mutex_lock(&dest->lock);
	if (dest->asked < ASKS_MAX)
		found = look_on(dest, ask);
	if (!found && !dest->asked) {
		dest->ask_region = 0;
		dest->ask_page = 0;
		found = look_on(dest, ask);
	}
	dest->asked += found;
	pthread_mutex_unlock(&dest->lock);
	return found;
}

/**
 * dest_layout_wait() - pages cannot be placed until an event was dealt with
 * @self: the calling thread, which holds no lock
 *
 * The kernel says -EAGAIN from before an event is queued until whoever caused
 * it runs again, and nobody is told of that.
 *
 * Return: 0: try again; -ECANCELED: the dest ends; or -errno.
 */
int dest_layout_wait(struct dest_lane *self)
{
	int ret = self->faults ? fault_events(self->faults) : 0;

	if (!ret)
		ret = sys_wait_fd(self->dest->stop_fd, POLLIN, 1);
	if (!ret)
		return -ECANCELED;
	return ret == -ETIMEDOUT ? 0 : ret;
}

/* ---- before the switch -------------------------------------------------- */

/* Faults that are read here come again when they can be answered. */
static void *early_main(void *arg)
{
	struct dest *dest = arg;
	struct pollfd fds[] = {
		{ .fd = dest->uffd, .events = POLLIN },
		{ .fd = dest->early_fd, .events = POLLIN },
	};
	struct uffd_event events[UFFD_INBOX];

	while (sys_retry(poll(fds, 2, -1)) > 0 && !fds[1].revents)
		if (fds[0].revents & ~POLLIN ||
		    uffd_events(dest->uffd, events, UFFD_INBOX) < 0)
			fds[0].fd = -1;
	return NULL;
}

/**
 * early_start() - let those go on who free memory before the switch
 * @dest: new
 *
 * Return: 0 or -errno.
 */
int early_start(struct dest *dest)
{
	int ret = pthread_create(&dest->early, NULL, early_main, dest);

	if (ret)
		return -ret;
	pthread_setname_np(dest->early, "copy-early");
	dest->is_early = true;
	return 0;
}

/**
 * early_end() - others read events from here on
 * @dest: twice is once
 */
void early_end(struct dest *dest)
{
	uint64_t one = 1;

	if (!dest->is_early)
		return;
	(void)sys_retry(write(dest->early_fd, &one, sizeof(one)));
	pthread_join(dest->early, NULL);
	dest->is_early = false;
}
