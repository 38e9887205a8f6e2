/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fault.c - what the kernel tells through a userfaultfd. */
#include "uffd/uffd.h"
#include "uffd/sys.h"

#define BATCH		64	/* events read at once */
#define ENDS_MAX	100	/* looks at who is left, 10 ms apart */

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

static int messages_read(int uffd, struct uffd_msg *messages,
			 struct uffd_event *events, size_t max)
{
	ssize_t got = sys_retry(read(uffd, messages,
				     max * sizeof(messages[0])));
	int count;

	if (got == -EAGAIN)
		return 0;
	if (got < 0)
		return (int)got;
	count = (int)((size_t)got / sizeof(messages[0]));
	for (int i = 0; i < count; i++)
		event_from_message(&events[i], &messages[i]);
	return count;
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

	return room ? messages_read(uffd, messages, events, room) : 0;
}

/**
 * uffd_inbox_read() - read what waits, to where it can be found again
 * @uffd: an enabled descriptor, O_NONBLOCK
 * @inbox: of the calling thread, without a range that was not dealt with
 * @events: receives UFFD_INBOX events at the most
 *
 * A kill does not come between taking an event and writing it here: a read
 * that does not sleep is brought to its end by the kernel (fs/userfaultfd.c).
 *
 * Return: how many events were read, 0: none wait now; -errno.
 */
int uffd_inbox_read(int uffd, struct uffd_inbox *inbox,
		    struct uffd_event *events)
{
	return messages_read(uffd, inbox->messages, events, UFFD_INBOX);
}

/**
 * uffd_inbox_removed() - which discards nobody has said to have dealt with
 * @inbox: of a reader who is gone
 * @ranges: receives UFFD_INBOX at the most
 *
 * Return: how many.
 */
int uffd_inbox_removed(const struct uffd_inbox *inbox, struct range *ranges)
{
	int count = 0;

	for (int i = 0; i < UFFD_INBOX; i++) {
		const struct uffd_msg *message = &inbox->messages[i];

		if (message->event != UFFD_EVENT_REMOVE)
			continue;
		ranges[count++] = (struct range){
			message->arg.remove.start,
			message->arg.remove.end - message->arg.remove.start };
	}
	return count;
}

/**
 * uffd_inbox_clear() - all discards in it are dealt with
 * @inbox: of the calling thread
 */
void uffd_inbox_clear(struct uffd_inbox *inbox)
{
	for (int i = 0; i < UFFD_INBOX; i++)
		if (inbox->messages[i].event == UFFD_EVENT_REMOVE)
			__atomic_store_n(&inbox->messages[i].event, 0,
					 __ATOMIC_RELEASE);
}

/* -EAGAIN: somebody has to be read yet, or was, and did not get on since. */
static int layout_probe(int uffd)
{
	struct uffdio_zeropage arg = { .range = { 0, 4096 } };

	return sys_ioctl(uffd, UFFDIO_ZEROPAGE, &arg);
}

/**
 * uffd_events_end() - let go of all who wait for their event to be read
 * @uffd: enabled; nothing is registered with it any more
 *
 * They would wait until the last copy of the descriptor is closed, and the
 * guest's process is needed for that.
 *
 * Return: 0; -EAGAIN: somebody still does; or -errno.
 */
int uffd_events_end(int uffd)
{
	struct uffd_event events[BATCH];

	for (int i = 0; i < ENDS_MAX; i++) {
		int ret = uffd_events(uffd, events, BATCH);

		if (ret < 0)
			return ret;
		if (layout_probe(uffd) != -EAGAIN)
			return 0;
		ret = sys_wait_fd(uffd, POLLIN, 10);
		if (ret < 0 && ret != -ETIMEDOUT)
			return ret;
	}
	return -EAGAIN;
}
