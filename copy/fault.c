// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fault.c - the guest touches a page: the shortest way to it.
 *
 * One thread waits for the guest's faults and for the answers to its own
 * wants, so that no page is handed from thread to thread. Several of them
 * share a userfaultfd; the kernel gives each fault to one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "copy/dest.h"
#include "copy/kind.h"
#include "copy/spin.h"
#include "copy/wants.h"
#include "sys.h"

#define ASK_AGAIN_NS	UINT64_C(3000000000)	/* without an answer */
#define LOOK_MS		1000	/* which are these? */
#define READY_MAX	4	/* descriptors that are waited for */
#define LOOK_NS		(LOOK_MS * UINT64_C(1000000))

struct fault_thread {
	struct dest_lane *lane;
	struct dest *dest;
	bool alone;			/* its lane broke, or it has none */
	int epoll;
	uint8_t *buffer;		/* one page */
	struct spin spin;		/* for an answer */
	struct wants wants;
};

static int epoll_forget(int epoll, int fd)
{
	return sys_ret(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL));
}

/*
 * What is present is served on, what is missing is noted: new lanes will ask
 * for it. Errors of the memory come here, too: what cannot be stored now may
 * be sent again later.
 */
static void lane_lost(struct fault_thread *self, int error)
{
	if (!self->alone) {
		(void)epoll_forget(self->epoll, self->lane->lane->fd);
		(void)epoll_forget(self->epoll, self->dest->rewant_fd);
	}
	self->alone = true;
	dest_lane_broke(self->lane, error);
}

static void want_send(struct fault_thread *self, struct region *region,
		      uint64_t first, uint64_t count)
{
	struct frame want = {
		.type = FRAME_WANT,
		.generation = self->dest->generation,
		.region = region,
		.first = first,
		.count = count,
	};
	int ret = self->alone ? 0 : lane_send(self->lane->lane, &want, NULL);

	if (ret < 0)
		lane_lost(self, ret);
}

/*
 * The page is complete: kept and not shown yet, or placed a moment ago. A
 * MISSING fault on it says that the file has no page there, or that the guest
 * has freed it: it is zero.
 */
static int place_present(struct region *region, uint64_t page,
			 enum uffd_event_kind kind)
{
	int ret;

	if (kind == UFFD_FAULT_WP)
		return region->kind->release(region, page, 1);
	if (kind == UFFD_FAULT_MISSING)
		return region->kind->place_zero(region, page);
	ret = region->kind->place(region, page, 1, true);
	return ret == -ENOENT ? region->kind->place_zero(region, page) : ret;
}

/* While the guest frees memory nothing is placed: the fault comes again. */
static int fault_present(struct fault_thread *self, struct region *region,
			 uint64_t page, enum uffd_event_kind kind)
{
	int ret = settle_page(self->dest, region, page, self->buffer);

	if (!ret)
		ret = place_present(region, page, kind);
	if (ret == -EAGAIN)
		ret = uffd_wake(region->uffd, page_range(region, page, 1));
	return ret;
}

/* Before the guest is owned here, vCPUs have nothing to do in its memory. */
static bool fault_withheld(struct dest *dest, const struct uffd_event *event)
{
	return !__atomic_load_n(&dest->owned, __ATOMIC_SEQ_CST) &&
	       !dest->loads(dest->loads_arg, event->thread);
}

static int fault_one(struct fault_thread *self, const struct uffd_event *event)
{
	struct dest *dest = self->dest;
	uint64_t page, began_ns = now_ns();
	struct region *region = region_at(dest->map, event->start, &page);
	unsigned int before;
	int ret;

	if (!region)
		return -EFAULT;
	if (fault_withheld(dest, event))
		return 0;	/* comes again at the switch */
	stat_add(&dest->stats.faults, 1);
	before = page_want(dest_pages(dest, region), page);
	switch (before & PAGE_STATE) {
	case PAGE_PRESENT:
	case PAGE_DISCARDED:
		ret = fault_present(self, region, page, event->kind);
		histogram_add(&dest->stats.fault_ns, now_ns() - began_ns);
		return ret;
	case PAGE_CLAIMED:
		return 0;	/* whoever fills it will wake us */
	default:
		if (before & PAGE_WAITING)
			return 0;	/* asked for already */
		stat_add(&dest->stats.network_faults, 1);
		wants_note(&self->wants, region, page, began_ns);
		want_send(self, region, page, 1);
		return 0;
	}
}

static void digests_ask(struct fault_thread *self)
{
	struct frame ask = {
		.type = FRAME_DISCARD,
		.generation = self->dest->generation,
	};
	int ret;

	while (!self->alone && discard_next(self->dest, &ask)) {
		ret = lane_send(self->lane->lane, &ask, NULL);
		if (ret < 0)
			lane_lost(self, ret);
	}
}

/* Faults that were read together: their wants leave together. */
static void faults_take(struct fault_thread *self, const struct uffd_event *events, int count)
{
	struct lane *lane = self->lane->lane;
	int i, ret = 0;

	if (!self->alone && count > 1)
		lane_gather(lane);
	for (i = 0; i < count; i++) {
		if (events[i].kind > UFFD_FAULT_WP)
			continue;
		ret = fault_one(self, &events[i]);
		if (ret < 0)
			lane_lost(self, ret);
	}
	ret = self->alone || count <= 1 ? 0 : lane_flush(lane);
	if (ret < 0)
		lane_lost(self, ret);
}

/**
 * fault_events() - read what the kernel tells, and deal with it
 * @self: the calling thread
 *
 * Return: 0, or -errno of the userfaultfd.
 */
int fault_events(struct fault_thread *self)
{
	struct uffd_event events[UFFD_INBOX];
	int count = discard_events(self->lane, events);

	if (count < 0)
		return count;
	digests_ask(self);
	faults_take(self, events, count);
	return 0;
}

static int answers_read(struct fault_thread *self)
{
	for (;;) {
		struct frame frame;
		const void *payload;
		int ret = lane_receive_some(self->lane->lane, &frame,
					    &payload);

		if (ret <= 0)
			return ret;
		ret = receive_frame(self->lane, &frame, payload);
		if (!ret && dest_stopping(self->dest))
			ret = -ECANCELED;
		if (ret < 0)
			return ret;
		wants_answered(&self->wants, &frame,
			       &self->dest->stats.fault_ns);
		digests_ask(self);
	}
}

static int rewants_send(struct fault_thread *self)
{
	struct frame want;

	while (!self->alone && dest_rewant_next(self->dest, &want))
		want_send(self, want.region, want.first, want.count);
	return 0;
}

/*
 * No connection loses one without breaking; what is at its ends might. However
 * busy the thread is, they are gone through by the clock.
 */
static void wants_again(struct fault_thread *self)
{
	uint64_t now = now_ns();
	unsigned int i;

	if (now - self->wants.looked_ns < LOOK_NS)
		return;
	self->wants.looked_ns = now;
	for (i = 0; i < WANTS_TIMED && !self->alone; i++) {
		struct timed_want *want = &self->wants.list[i];

		if (!want->region || now - want->asked_ns < ASK_AGAIN_NS)
			continue;
		want->asked_ns = now;
		if (page_state(dest_pages(self->dest, want->region), want->page) &
		    PAGE_PRESENT) {
			/* It came by another lane. */
			wants_forget(&self->wants, want);
		} else {
			want_send(self, want->region, want->page, 1);
		}
	}
}

static int epoll_watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return sys_ret(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

/* One thread is woken for one fault: EPOLLEXCLUSIVE. */
static int watch_all(struct fault_thread *self)
{
	struct dest *dest = self->dest;
	int ret = epoll_watch(self->epoll, dest->uffd,
			      EPOLLIN | EPOLLEXCLUSIVE);

	if (!ret)
		ret = epoll_watch(self->epoll, dest->stop_fd, EPOLLIN);
	if (!ret && !self->alone)
		ret = epoll_watch(self->epoll, self->lane->lane->fd, EPOLLIN);
	if (!ret && !self->alone)
		ret = epoll_watch(self->epoll, dest->rewant_fd,
				  EPOLLIN | EPOLLEXCLUSIVE);
	return ret;
}

static int serve_ready(struct fault_thread *self, int fd)
{
	int ret;

	if (fd == self->dest->stop_fd)
		return -ECANCELED;
	if (fd == self->dest->uffd)
		return fault_events(self);
	if (fd == self->dest->rewant_fd)
		return rewants_send(self);
	ret = self->alone ? 0 : answers_read(self);
	if (ret < 0 && ret != -ECANCELED)
		lane_lost(self, ret);
	return ret == -ECANCELED ? ret : 0;
}

/* What a wait ended with. */
struct woken {
	int epoll;
	struct epoll_event ready[READY_MAX];
};

static int wait_for(struct woken *woken, int timeout_ms)
{
	return sys_retry(epoll_wait(woken->epoll, woken->ready, READY_MAX,
				    timeout_ms));
}

static int look(void *woken)
{
	return wait_for(woken, 0);
}

/* While an answer is due, a vCPU waits for it, and leaves its processor to us. */
static int event_wait(struct fault_thread *self, struct woken *woken)
{
	int count = self->wants.timed ? spin(&self->spin, look, woken) : 0;

	return count ? count : wait_for(woken, self->wants.timed ? LOOK_MS : -1);
}

static int serve_loop(struct fault_thread *self)
{
	struct woken woken = { .epoll = self->epoll };

	for (;;) {
		int i, count = event_wait(self, &woken);

		for (i = 0; i < count; i++) {
			int ret = serve_ready(self, woken.ready[i].data.fd);

			if (ret < 0)
				return ret;
		}
		if (count < 0)
			return count;
		if (self->wants.timed)
			wants_again(self);
	}
}

/**
 * fault_serve() - answer the guest's faults until the dest ends
 * @lane: the fault lane of this thread, or one without: then, and when it
 *	breaks, missing pages are only noted
 *
 * Return: -ECANCELED (stopped), or -errno of the userfaultfd.
 */
int fault_serve(struct dest_lane *lane)
{
	struct fault_thread *self = calloc(1, sizeof(*self));
	int ret;

	if (!self)
		return -ENOMEM;
	self->lane = lane;
	self->dest = lane->dest;
	self->alone = !lane->lane;
	self->buffer = aligned_alloc(4096, frame_payload_max(lane->dest->map));
	self->epoll = sys_ret(epoll_create1(EPOLL_CLOEXEC));
	ret = self->epoll;
	if (!self->buffer)
		ret = -ENOMEM;
	if (ret >= 0)
		ret = watch_all(self);
	if (!ret) {
		lane->faults = self;
		digests_ask(self);
		ret = serve_loop(self);
		lane->faults = NULL;
	}
	if (self->epoll >= 0)
		close(self->epoll);
	free(self->buffer);
	free(self);
	return ret;
}
