/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.c - what the kernel tells through a userfaultfd. */
#include "uffd/uffd.h"
#include "uffd/sys.h"

#define BATCH	64	/* events read at once */

static void event_from_fault(struct uffd_event *event,
			     const struct uffd_msg *msg)
{
	uint64_t flags = msg->arg.pagefault.flags;

	if (flags & UFFD_PAGEFAULT_FLAG_WP)
		event->kind = UFFD_FAULT_WP;
	else if (flags & UFFD_PAGEFAULT_FLAG_MINOR)
		event->kind = UFFD_FAULT_MINOR;
	else
		event->kind = UFFD_FAULT_MISSING;
	event->start = msg->arg.pagefault.address;
	event->thread = msg->arg.pagefault.feat.ptid;
	event->write = flags & UFFD_PAGEFAULT_FLAG_WRITE;
}

static void event_from_message(struct uffd_event *event,
			       const struct uffd_msg *msg)
{
	*event = (struct uffd_event){ .kind = UFFD_OTHER };
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		event_from_fault(event, msg);
		break;
	case UFFD_EVENT_REMOVE:
		event->kind = UFFD_REMOVED;
		/* fall through */
	case UFFD_EVENT_UNMAP:
		event->start = msg->arg.remove.start;
		event->len = msg->arg.remove.end - msg->arg.remove.start;
		break;
	case UFFD_EVENT_REMAP:
		event->start = msg->arg.remap.from;
		event->len = msg->arg.remap.len;
		break;
	case UFFD_EVENT_FORK:
		/* The kernel opened it here, in the reader; nobody keeps it. */
		close((int)msg->arg.fork.ufd);
		break;
	}
}

/**
 * uffd_events() - read what waits
 * @uffd: an enabled descriptor, O_NONBLOCK
 * @events: receives the events, oldest first
 * @max: room in @events
 *
 * Reading a fault takes it out of the queue; the thread sleeps on until its
 * page is placed or uffd_wake().
 *
 * Return: how many events were read, 0: none wait now; -errno.
 */
int uffd_events(int uffd, struct uffd_event *events, size_t max)
{
	struct uffd_msg messages[BATCH];
	size_t room = max < BATCH ? max : BATCH;
	ssize_t got;
	int count;

	if (!room)
		return 0;
	got = sys_retry(read(uffd, messages, room * sizeof(messages[0])));
	if (got == -EAGAIN)
		return 0;
	if (got < 0)
		return (int)got;
	count = (int)((size_t)got / sizeof(messages[0]));
	for (int i = 0; i < count; i++)
		event_from_message(&events[i], &messages[i]);
	return count;
}
