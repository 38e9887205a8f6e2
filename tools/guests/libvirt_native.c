/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_native.c - start libvirt's own migration, and hear of it.
 *
 * One thread sits in the call that migrates, until it has ended. Whoever
 * started it runs libvirt's event loop in native_wait(): a tick, a round that
 * is over, the end, and a descriptor of its own.
 */
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "protocol/protocol.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_native.h"
#include "tools/guests/libvirt_native_job.h"
#include "tools/guests/libvirt_native_way.h"

#define TICK_MS		100
#define LATE_TICKS	20	/* for what libvirt says last of a job */
#define MIB		1048576u

struct native {
	virConnectPtr connection;
	virDomainPtr domain;
	/* A copy: asking for it would forget the error that names it. */
	char name[GUEST_NAME_MAX];
	int events[2];			/* callbacks of the connection, or -1 */
	int tick;			/* timer */
	int watch, ended_watch;		/* watches, or -1 */
	int ended;			/* eventfd */
	unsigned int seen;		/* bits for native_wait() */
	struct native_job last;		/* that libvirt told by an event */
	bool told;			/* @last is there */

	/* Of the thread, from native_start() until it is joined. */
	pthread_t thread;
	bool started;
	struct native_way way;
	int ret;
	struct fail fail;
};

static void on_tick(int timer, void *arg)
{
	struct native *native = arg;

	(void)timer;
	native->seen |= NATIVE_TICK;
}

static void on_readable(int watch, int fd, int events, void *arg)
{
	struct native *native = arg;

	(void)fd;
	(void)events;
	native->seen |= watch == native->watch ? NATIVE_WATCHED : NATIVE_ENDED;
}

static void on_round(virConnectPtr connection, virDomainPtr domain, int round,
		     void *arg)
{
	struct native *native = arg;

	(void)connection;
	(void)domain;
	(void)round;
	native->seen |= NATIVE_TICK;
}

/* The last numbers; a domain that is gone cannot be asked for them. */
static void on_completed(virConnectPtr connection, virDomainPtr domain,
			 virTypedParameterPtr params, int count, void *arg)
{
	struct native *native = arg;

	(void)connection;
	(void)domain;
	native_job_from(params, count, true, &native->last);
	native->told = true;
}

static int events_start(struct native *native, int watch_fd)
{
	native->events[0] = virConnectDomainEventRegisterAny(
		native->connection, native->domain,
		VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
		VIR_DOMAIN_EVENT_CALLBACK(on_round), native, NULL);
	native->events[1] = virConnectDomainEventRegisterAny(
		native->connection, native->domain,
		VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
		VIR_DOMAIN_EVENT_CALLBACK(on_completed), native, NULL);
	native->tick = virEventAddTimeout(TICK_MS, on_tick, native, NULL);
	native->watch = virEventAddHandle(watch_fd, VIR_EVENT_HANDLE_READABLE,
					  on_readable, native, NULL);
	native->ended_watch = virEventAddHandle(native->ended,
						VIR_EVENT_HANDLE_READABLE,
						on_readable, native, NULL);
	return native->events[0] < 0 || native->events[1] < 0 ||
	       native->tick < 0 || native->watch < 0 ||
	       native->ended_watch < 0 ? -ENOMEM : 0;
}

static struct native *native_new(void)
{
	struct native *native = calloc(1, sizeof(*native));

	if (!native)
		return NULL;
	native->events[0] = native->events[1] = -1;
	native->tick = native->watch = native->ended_watch = -1;
	native->ended = (int)sys_ret(eventfd(0, EFD_CLOEXEC));
	return native;
}

/**
 * native_open() - take hold of a domain that libvirt is to move
 * @uuid: of the domain
 * @watch_fd: that native_wait() is to look at, too; the caller's
 * @native: receives it; native_close() frees it
 * @fail: says why not
 *
 * One at a time in a process, and native_wait() by one thread: libvirt's event
 * loop is the process's.
 *
 * Return: 0 or -errno.
 */
int native_open(const char *uuid, int watch_fd, struct native **native,
		struct fail *fail)
{
	struct native *made = native_new();
	int ret = made ? made->ended < 0 ? made->ended : 0 : -ENOMEM;

	libvirt_quiet();
	/* Before the connection, so that its events come through the loop. */
	if (!ret && virEventRegisterDefaultImpl() < 0)
		ret = libvirt_fail(fail, "no event loop");
	if (!ret)
		ret = libvirt_connect(&made->connection, fail);
	if (!ret) {
		made->domain = virDomainLookupByUUIDString(made->connection, uuid);
		if (!made->domain)
			ret = libvirt_fail(fail, "cannot find domain %s", uuid);
		else
			snprintf(made->name, sizeof(made->name), "%s",
				 virDomainGetName(made->domain));
	}
	if (!ret && events_start(made, watch_fd))
		ret = libvirt_fail(fail, "cannot hear of domain %s", uuid);
	if (ret) {
		native_close(made);
		return ret;
	}
	*native = made;
	return 0;
}

static void *migrate_main(void *arg)
{
	struct native *native = arg;
	uint64_t one = 1;

	if (virDomainMigrateToURI3(native->domain, native->way.uri,
				   native->way.params,
				   (unsigned int)native->way.param_count,
				   native->way.flags) < 0)
		native->ret = libvirt_fail(&native->fail,
			"libvirt does not migrate guest '%s' to %s%s",
			native->name, native->way.uri, native->way.is_ours ?
			" (--desturi names another way)" : "");
	(void)sys_retry(write(native->ended, &one, sizeof(one)));
	return NULL;
}

/**
 * native_start() - have libvirt move it; this returns at once
 * @native: not started
 * @options: how
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int native_start(struct native *native, const struct migration_options *options,
		 struct fail *fail)
{
	int ret = native_way_make(&native->way, options, fail);

	if (!ret)
		ret = -pthread_create(&native->thread, NULL, migrate_main, native);
	if (ret)
		return ret;
	native->started = true;
	pthread_setname_np(native->thread, "native");
	return 0;
}

/**
 * native_wait() - wait until there is something to do
 * @native: of this process
 *
 * Return: bits of what there is, never 0.
 */
unsigned int native_wait(struct native *native)
{
	unsigned int seen;

	while (!native->seen)
		if (virEventRunDefaultImpl() < 0)
			native->seen |= NATIVE_TICK;
	seen = native->seen;
	native->seen = 0;
	return seen;
}

/**
 * native_unwatch() - look at the watched descriptor no more
 * @native: of this process
 */
void native_unwatch(struct native *native)
{
	if (native->watch >= 0)
		virEventRemoveHandle(native->watch);
	native->watch = -1;
}

/**
 * native_result() - how it ended
 * @native: that has (NATIVE_ENDED)
 * @job: receives the last numbers, where libvirt told any
 * @fail: receives libvirt's words
 *
 * Return: 0: libvirt moved it; or -errno.
 */
int native_result(struct native *native, struct native_job *job,
		  struct fail *fail)
{
	int i;

	pthread_join(native->thread, NULL);
	native->started = false;
	virEventRemoveHandle(native->ended_watch);
	native->ended_watch = -1;
	if (native->ret)
		return fail_set(fail, native->ret, "%s", native->fail.text);
	/* They may come behind the answer. */
	for (i = 0; i < LATE_TICKS && !native->told; i++)
		native_wait(native);
	if (native->told)
		*job = native->last;
	return 0;
}

static void events_stop(struct native *native)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (native->events[i] >= 0)
			virConnectDomainEventDeregisterAny(native->connection,
							   native->events[i]);
	if (native->tick >= 0)
		virEventRemoveTimeout(native->tick);
	if (native->ended_watch >= 0)
		virEventRemoveHandle(native->ended_watch);
	native_unwatch(native);
}

/**
 * native_close() - let go of a domain; libvirt goes on with what it does
 * @native: NULL is fine; not started, or its result was taken
 */
void native_close(struct native *native)
{
	if (!native)
		return;
	events_stop(native);
	if (native->domain)
		virDomainFree(native->domain);
	if (native->connection)
		virConnectClose(native->connection);
	if (native->ended >= 0)
		close(native->ended);
	native_way_fini(&native->way);
	free(native);
}

/**
 * native_job() - how far it is
 * @native: started
 * @job: receives it
 *
 * Return: 0; -ENODATA: it has not begun, or is over; or -errno.
 */
int native_job(struct native *native, struct native_job *job)
{
	return native_job_of(native->domain, job);
}

/**
 * native_switch() - start the guest at the dest now
 * @native: started with options that allow post-copy
 * @fail: receives libvirt's words
 *
 * Return: 0 or -errno.
 */
int native_switch(struct native *native, struct fail *fail)
{
	if (virDomainMigrateStartPostCopy(native->domain, 0) < 0)
		return libvirt_fail(fail, "cannot switch guest '%s' to post-copy",
				    native->name);
	return 0;
}

/**
 * native_suspend() - stop the guest, so that what is left can be copied
 * @native: started; libvirt lets the guest run at the dest
 * @fail: receives libvirt's words
 *
 * Return: 0 or -errno.
 */
int native_suspend(struct native *native, struct fail *fail)
{
	if (virDomainSuspend(native->domain) < 0)
		return libvirt_fail(fail, "cannot stop guest '%s'",
				    native->name);
	return 0;
}

/**
 * native_abort() - have libvirt give up
 * @native: started
 * @fail: receives libvirt's words
 *
 * Return: 0 or -errno: too late, or so early that there is no job yet.
 */
int native_abort(struct native *native, struct fail *fail)
{
	if (virDomainAbortJob(native->domain) < 0)
		return libvirt_fail(fail, "cannot abort the migration of guest '%s'",
				    native->name);
	return 0;
}

/**
 * native_set_bandwidth() - limit what QEMU sends
 * @native: started
 * @bytes: a second, rounded up to MiB; 0: no limit
 * @postcopy: the limit is that of post-copy
 * @fail: receives libvirt's words
 *
 * Return: 0 or -errno.
 */
int native_set_bandwidth(struct native *native, uint64_t bytes, bool postcopy,
			 struct fail *fail)
{
	/* libvirt's word for none in pre-copy; in post-copy that is 0. */
	uint64_t none = postcopy ? 0 : INT64_MAX / MIB;

	if (virDomainMigrateSetMaxSpeed(native->domain,
					bytes ? native_mib(bytes) : none,
					postcopy ? VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY
						 : 0) < 0)
		return libvirt_fail(fail, "cannot limit the migration of guest '%s'",
				    native->name);
	return 0;
}

/**
 * native_set_downtime() - how long QEMU may stop the guest for the rest
 * @native: started
 * @ns: rounded to milliseconds
 * @fail: receives libvirt's words
 *
 * Return: 0 or -errno.
 */
int native_set_downtime(struct native *native, uint64_t ns, struct fail *fail)
{
	if (virDomainMigrateSetMaxDowntime(native->domain, ns / 1000000, 0) < 0)
		return libvirt_fail(fail, "cannot set the downtime of guest '%s'",
				    native->name);
	return 0;
}
