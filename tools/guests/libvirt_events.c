// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_events.c - hear of what somebody has libvirt do with a domain.
 *
 * A thread runs libvirt's event loop, on a connection of its own: a libvirtd
 * that is restarted disturbs nobody else. It connects again, and has everybody
 * look, since what happened meanwhile nobody tells. What an event says may be
 * old when it is heard: it is only the reason to ask.
 */
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"

#define RETRY_MS	500	/* to connect again */
#define END_MS		5000	/* a libvirtd that hangs keeps the thread */

struct libvirt_events {
	char uuid[VIR_UUID_STRING_BUFLEN];
	int news;			/* eventfd, to whoever listens */
	int stop, stopped;		/* eventfds, to the thread and back */
	pthread_t thread;
	/* The thread's. */
	virConnectPtr connection;	/* NULL: libvirtd is not there */
	int callback;			/* -1: not registered */
	int retry;			/* timer */
	bool lost, stopping;
};

static void signal_fd(int fd)
{
	uint64_t one = 1;

	(void)sys_retry(write(fd, &one, sizeof(one)));
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain,
			int event, int detail, void *arg)
{
	struct libvirt_events *events = arg;

	(void)connection;
	(void)domain;
	(void)event;
	(void)detail;
	signal_fd(events->news);
	return 0;
}

static void on_close(virConnectPtr connection, int reason, void *arg)
{
	struct libvirt_events *events = arg;

	(void)connection;
	(void)reason;
	events->lost = true;
}

static void on_stop(int watch, int fd, int seen, void *arg)
{
	struct libvirt_events *events = arg;

	(void)watch;
	(void)fd;
	(void)seen;
	events->stopping = true;
}

/* It only ends a wait. */
static void on_retry(int timer, void *arg)
{
	(void)timer;
	(void)arg;
}

static void hang_up(struct libvirt_events *events)
{
	if (!events->connection)
		return;
	if (events->callback >= 0)
		virConnectDomainEventDeregisterAny(events->connection,
						   events->callback);
	virConnectUnregisterCloseCallback(events->connection, on_close);
	virConnectClose(events->connection);
	events->connection = NULL;
	events->callback = -1;
	events->lost = false;
}

static int listen_to(struct libvirt_events *events)
{
	virDomainPtr domain;
	int ret = libvirt_connect(&events->connection, NULL);

	if (ret)
		return ret;
	domain = virDomainLookupByUUIDString(events->connection, events->uuid);
	if (domain) {
		events->callback = virConnectDomainEventRegisterAny(
			events->connection, domain,
			VIR_DOMAIN_EVENT_ID_LIFECYCLE,
			VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), events, NULL);
		virDomainFree(domain);
	}
	if (virConnectRegisterCloseCallback(events->connection, on_close,
					    events, NULL) < 0)
		events->lost = true;
	if (events->callback < 0 || events->lost) {
		hang_up(events);
		return -ENOENT;
	}
	signal_fd(events->news);
	return 0;
}

static void *events_main(void *arg)
{
	struct libvirt_events *events = arg;
	int watch = virEventAddHandle(events->stop, VIR_EVENT_HANDLE_READABLE,
				      on_stop, events, NULL);

	events->retry = virEventAddTimeout(-1, on_retry, events, NULL);
	while (!events->stopping) {
		if (events->lost)
			hang_up(events);
		virEventUpdateTimeout(events->retry, events->connection ||
				      !listen_to(events) ? -1 : RETRY_MS);
		if (virEventRunDefaultImpl() < 0)
			(void)sys_wait_fd(events->stop, POLLIN, RETRY_MS);
	}
	hang_up(events);
	virEventRemoveTimeout(events->retry);
	virEventRemoveHandle(watch);
	signal_fd(events->stopped);
	return NULL;
}

static void events_free(struct libvirt_events *events)
{
	const int fds[] = { events->news, events->stop, events->stopped };
	size_t i;

	for (i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(events);
}

static struct libvirt_events *events_new(void)
{
	struct libvirt_events *events = calloc(1, sizeof(*events));

	if (!events)
		return NULL;
	events->callback = -1;
	events->news = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	events->stop = sys_ret(eventfd(0, EFD_CLOEXEC));
	events->stopped = sys_ret(eventfd(0, EFD_CLOEXEC));
	if (events->news >= 0 && events->stop >= 0 && events->stopped >= 0)
		return events;
	events_free(events);
	return NULL;
}

/**
 * libvirt_watch() - begin to listen to what happens to a domain
 * @guest: an open domain; nobody else runs libvirt's event loop in this process
 * @fd: receives a descriptor that is readable when there is news, the guest's
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int libvirt_watch(struct guest *guest, int *fd, struct fail *fail)
{
	struct libvirt_events *events = events_new();
	int ret = events ? 0 : -ENOMEM;

	libvirt_quiet();
	if (!ret && (virEventRegisterDefaultImpl() < 0 ||
		     virDomainGetUUIDString(guest->domain, events->uuid) < 0))
		ret = libvirt_fail(fail, "cannot hear of guest '%s'",
				   guest->qemu.name);
	if (!ret)
		ret = -pthread_create(&events->thread, NULL, events_main, events);
	if (ret) {
		if (events)
			events_free(events);
		return fail_set(fail, ret, "cannot hear of guest '%s': %s",
				guest->qemu.name, strerror(-ret));
	}
	pthread_setname_np(events->thread, "libvirt-events");
	guest->events = events;
	*fd = events->news;
	return 0;
}

/**
 * libvirt_events_end() - listen no more
 * @events: NULL is fine; freed
 */
void libvirt_events_end(struct libvirt_events *events)
{
	if (!events)
		return;
	signal_fd(events->stop);
	if (sys_wait_fd(events->stopped, POLLIN, END_MS))
		return;
	pthread_join(events->thread, NULL);
	events_free(events);
}

/**
 * libvirt_runs() - what is true of a domain now, as libvirt sees it
 * @guest: watched
 *
 * Return: that; GUEST_UNKNOWN: libvirtd is not there, or it is in between.
 */
enum guest_runs libvirt_runs(struct guest *guest)
{
	uint64_t heard;
	int state = VIR_DOMAIN_NOSTATE;

	if (guest->events)
		(void)sys_retry(read(guest->events->news, &heard, sizeof(heard)));
	libvirt_reach(guest);
	if (virDomainGetState(guest->domain, &state, NULL, 0) < 0)
		return libvirt_errno() == -ENOENT ? GUEST_GONE : GUEST_UNKNOWN;
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return GUEST_RUNS;
	case VIR_DOMAIN_PAUSED:
		return GUEST_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_CRASHED:
		return GUEST_GONE;
	default:
		return GUEST_UNKNOWN;
	}
}
