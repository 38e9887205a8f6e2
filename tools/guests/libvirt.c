// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt.c - the guest driver of libvirt's QEMU domains. */
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "uffd/sys.h"

#define RESUME_TRIES	25
#define RESUME_MS	200

static int monitor_call(struct qemu_monitor *monitor, const char *command,
			int fd, char **reply, struct fail *fail)
{
	struct guest *guest = (struct guest *)((char *)monitor -
					offsetof(struct guest, qemu.monitor));
	unsigned int fds = fd >= 0;
	int ret;

	ret = fds ? virDomainQemuMonitorCommandWithFiles(guest->domain, command,
							 fds, &fd, NULL, NULL,
							 reply, 0)
		  : virDomainQemuMonitorCommand(guest->domain, command, reply, 0);
	return ret < 0 ? libvirt_fail(fail, "cannot ask QEMU of guest '%s'",
				      guest->qemu.name) : 0;
}

static const struct qemu_monitor_ops monitor_ops = { .call = monitor_call };

/**
 * libvirt_guest_new() - a connection, without a guest yet
 * @fail: says why not
 *
 * Return: it, to be freed by libvirt_guest_close(), or NULL.
 */
struct guest *libvirt_guest_new(struct fail *fail)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest) {
		fail_set(fail, -ENOMEM, "no memory");
		return NULL;
	}
	qemu_init(&guest->qemu, &monitor_ops);
	if (libvirt_connect(&guest->connection, fail) < 0) {
		free(guest);
		return NULL;
	}
	return guest;
}

/**
 * libvirt_guest_close() - let go of a guest, which stays as it is
 * @guest: NULL is fine. One that was coming in and is not loaded ends
 */
void libvirt_guest_close(struct guest *guest)
{
	if (!guest)
		return;
	libvirt_events_end(guest->events);
	libvirt_incoming_end(guest->incoming);
	/* Of one that was saved that is its resume's. */
	if (guest->qemu.devices >= 0 && qemu_alive(&guest->qemu)) {
		qemu_save_end(&guest->qemu);
		qemu_fd_remove(&guest->qemu.monitor, &guest->qemu.hold_set);
	}
	if (guest->domain)
		virDomainFree(guest->domain);
	virConnectClose(guest->connection);
	qemu_fini(&guest->qemu);
	free(guest);
}

static int process_find(struct guest *guest, struct fail *fail)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	pid_t pid;

	if (virDomainGetUUIDString(guest->domain, uuid) < 0)
		return libvirt_fail(fail, "guest '%s'", guest->qemu.name);
	pid = libvirt_pid(guest->qemu.name, uuid);
	if (pid < 0)
		return fail_set(fail, pid,
				"guest '%s' has no QEMU process on this host",
				guest->qemu.name);
	return qemu_watch(&guest->qemu, pid, fail);
}

/* To look for anything else as for one is no search but an error. */
static bool is_uuid(const char *name)
{
	return strlen(name) == VIR_UUID_STRING_BUFLEN - 1 &&
	       strspn(name, "0123456789abcdefABCDEF-") == strlen(name);
}

/**
 * libvirt_guest_find() - the running domain of a name
 * @guest: connected; receives the domain and its process
 * @name: of the domain, or its UUID
 * @fail: says why not
 *
 * Return: 0; -ENOENT: no such domain, or it does not run; or -errno.
 */
int libvirt_guest_find(struct guest *guest, const char *name,
		       struct fail *fail)
{
	virDomainPtr domain = virDomainLookupByName(guest->connection, name);
	int active;

	if (!domain && libvirt_errno() == -ENOENT && is_uuid(name))
		domain = virDomainLookupByUUIDString(guest->connection, name);
	if (!domain && libvirt_errno() != -ENOENT)
		return libvirt_fail(fail, "cannot look for domain '%s'", name);
	if (!domain)
		return fail_set(fail, -ENOENT,
				"libvirt knows no domain '%s' on this host",
				name);
	guest->domain = domain;
	snprintf(guest->qemu.name, sizeof(guest->qemu.name), "%s",
		 virDomainGetName(domain));
	active = virDomainIsActive(domain);
	if (active < 0)
		return libvirt_fail(fail, "cannot ask for guest '%s'",
				    guest->qemu.name);
	if (!active)
		return fail_set(fail, -ENOENT,
				"domain '%s' does not run: start it, or copy its definition with virsh dumpxml",
				guest->qemu.name);
	return process_find(guest, fail);
}

static int libvirt_open(const struct guest_host *host, const char *name,
			struct guest **guest, struct fail *fail)
{
	struct fail why = { 0 };
	struct guest *got = libvirt_guest_new(&why);
	int ret = got ? 0 : why.err;

	(void)host;
	if (!ret)
		ret = libvirt_guest_find(got, name, &why);
	if (ret) {
		libvirt_guest_close(got);
		/*
		 * A host without libvirt has no domains; but one that libvirt
		 * wrote down is not gone with its libvirtd.
		 */
		if (ret == -ECONNREFUSED && !libvirt_wrote_down(name))
			ret = -ENOENT;
		return fail_set(fail, ret, "%s", why.text);
	}
	*guest = got;
	return 0;
}

static int libvirt_list(const struct guest_host *host, guest_each_fn *each,
			void *arg, struct fail *fail)
{
	virConnectPtr connection;
	virDomainPtr *domains;
	int count, i, ret;

	(void)host;
	if (libvirt_connect(&connection, NULL) < 0)
		return 0;	/* without libvirt there are no domains */
	count = virConnectListAllDomains(connection, &domains,
					 VIR_CONNECT_LIST_DOMAINS_ACTIVE);
	ret = count < 0 ? libvirt_fail(fail, "cannot list domains") : 0;
	for (i = 0; i < count; i++) {
		if (!ret)
			ret = each(virDomainGetName(domains[i]), arg);
		virDomainFree(domains[i]);
	}
	if (count >= 0)
		free(domains);
	virConnectClose(connection);
	return ret;
}

static bool libvirt_alive(struct guest *guest)
{
	return qemu_alive(&guest->qemu);
}

static int libvirt_pidfd(struct guest *guest)
{
	return guest->qemu.pidfd;
}

/*
 * What can be migrated, with the very CPU that the guest has: a "host-model"
 * would be looked up anew there, and be another one on another processor.
 */
static int live_get(struct guest *guest, unsigned int flags, char **live,
		    struct fail *fail)
{
	__cleanup_free char *migratable = virDomainGetXMLDesc(guest->domain, flags);
	__cleanup_free char *runs = NULL;

	if (migratable && !strstr(migratable, "host-model")) {
		*live = take_ptr(migratable);
		return 0;
	}
	if (migratable)
		runs = virDomainGetXMLDesc(guest->domain, VIR_DOMAIN_XML_SECURE);
	if (!runs)
		return libvirt_fail(fail, "cannot read the definition of guest '%s'",
				    guest->qemu.name);
	*live = xml_with(migratable, "/domain/cpu", runs);
	return *live ? 0 : -ENOMEM;
}

static int definitions_get(struct guest *guest,
			   struct guest_description *to, struct fail *fail)
{
	unsigned int flags = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE;
	int ret = live_get(guest, flags, &to->live, fail);

	if (ret)
		return ret;
	return libvirt_persistent_get(guest->domain, flags, &to->persistent,
				      fail);
}

static int state_get(struct guest *guest, struct guest_description *to,
		     struct fail *fail)
{
	virDomainInfo info;
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (virDomainGetInfo(guest->domain, &info) < 0 ||
	    virDomainGetUUIDString(guest->domain, uuid) < 0)
		return libvirt_fail(fail, "cannot ask for guest '%s'",
				    guest->qemu.name);
	snprintf(to->name, sizeof(to->name), "%s", guest->qemu.name);
	snprintf(to->uuid, sizeof(to->uuid), "%s", uuid);
	to->pid = guest->qemu.pid;
	to->vcpus = info.nrVirtCpu;
	to->memory_bytes = (uint64_t)info.maxMem << 10;
	to->running = info.state == VIR_DOMAIN_RUNNING ||
		      info.state == VIR_DOMAIN_BLOCKED;
	to->incoming = guest->incoming;
	to->drain = true;	/* disks may be read past the page cache */
	return 0;
}

static int libvirt_describe(struct guest *guest,
			    struct guest_description *description,
			    struct fail *fail)
{
	struct guest_description got = { 0 };
	int ret;

	libvirt_reach(guest);
	ret = state_get(guest, &got, fail);
	if (!ret)
		ret = definitions_get(guest, &got, fail);
	if (ret) {
		guest_description_fini(&got);
		return ret;
	}
	*description = got;
	return 0;
}

static bool state_is(struct guest *guest, int expected)
{
	int state = 0;

	return !virDomainGetState(guest->domain, &state, NULL, 0) &&
	       state == expected;
}

static int libvirt_pause(struct guest *guest, struct fail *fail)
{
	libvirt_reach(guest);
	if (state_is(guest, VIR_DOMAIN_PAUSED))
		return 1;
	if (!virDomainSuspend(guest->domain))
		return 0;
	return libvirt_fail(fail, "cannot suspend guest '%s'", guest->qemu.name);
}

/* What it was saved into and held by is of no use any more. */
static void let_go(struct guest *guest)
{
	qemu_save_end(&guest->qemu);
	qemu_release(&guest->qemu);
}

static int libvirt_resume(struct guest *guest, struct fail *fail)
{
	struct fail why = { 0 };
	int tries;

	libvirt_reach(guest);
	/* Whoever had its disks may be about to end: their locks are tried for. */
	for (tries = 0; virDomainResume(guest->domain) < 0; tries++) {
		libvirt_fail(&why, "cannot resume guest '%s'", guest->qemu.name);
		if (state_is(guest, VIR_DOMAIN_RUNNING))
			break;		/* somebody was faster */
		if (tries == RESUME_TRIES || !state_is(guest, VIR_DOMAIN_PAUSED) ||
		    sys_wait_fd(guest->qemu.pidfd, POLLIN, RESUME_MS) != -ETIMEDOUT)
			return fail_set(fail, why.err, "%s", why.text);
	}
	/* Saved or not known to us; not between two rounds, nor arriving. */
	if (!guest->incoming && guest->qemu.devices < 0)
		let_go(guest);
	return 0;
}

static int libvirt_map(struct guest *guest,
		       struct guest_description *description,
		       struct fail *fail)
{
	int ret;

	libvirt_reach(guest);
	ret = qemu_map(&guest->qemu, description, fail);
	if (!ret && guest->incoming)
		ret = qemu_check_own(&guest->qemu, description, fail);
	return ret;
}

/* The file for its devices, too: libvirtd takes a millisecond for that. */
static int libvirt_save_ahead(struct guest *guest, int *state_fd,
			      struct fail *fail)
{
	int ret;

	libvirt_reach(guest);
	ret = qemu_save_begin(&guest->qemu, fail);
	if (!ret)
		ret = qemu_hold_begin(&guest->qemu, fail);
	return ret ? ret : qemu_save_ahead(&guest->qemu, state_fd, fail);
}

static int libvirt_hold(struct guest *guest, bool hold, struct fail *fail)
{
	libvirt_reach(guest);
	if (hold)
		return qemu_hold(&guest->qemu, fail);
	let_go(guest);
	return 0;
}

static int libvirt_save(struct guest *guest, int *state_fd, struct fail *fail)
{
	libvirt_reach(guest);
	return qemu_save(&guest->qemu, state_fd, fail);
}

static bool libvirt_loads(struct guest *guest, uint32_t thread)
{
	return qemu_loads(&guest->qemu, thread);
}

/* libvirt first, so that it is not surprised; what stays is killed. */
static int libvirt_destroy(struct guest *guest, struct fail *fail)
{
	if (guest->domain && !guest->incoming) {
		libvirt_reach(guest);
		return libvirt_destroy_moved(guest, fail);
	}
	if (guest->domain)
		virDomainDestroy(guest->domain);
	libvirt_incoming_end(take_ptr(guest->incoming));
	return qemu_kill(&guest->qemu, fail);
}

/* Somebody saved it while it was held: a start would be a second copy. */
static void libvirt_forget(struct guest *guest)
{
	libvirt_reach(guest);
	if (virDomainIsActive(guest->domain) == 0 &&
	    virDomainHasManagedSaveImage(guest->domain, 0) == 1)
		virDomainManagedSaveRemove(guest->domain, 0);
}

static int libvirt_userfaultfd(struct guest *guest, int *uffd,
			       struct fail *fail)
{
	(void)uffd;
	return fail_set(fail, -EOPNOTSUPP,
			"QEMU of guest '%s' hands over no userfaultfd: leave --handover out",
			guest->qemu.name);
}

static int libvirt_userfaultfd_close(struct guest *guest, struct fail *fail)
{
	(void)guest;
	(void)fail;
	return 0;
}

const struct guest_driver libvirt_driver = {
	.name = "libvirt",
	.described_elsewhere = true,
	.list = libvirt_list,
	.open = libvirt_open,
	.close = libvirt_guest_close,
	.alive = libvirt_alive,
	.pidfd = libvirt_pidfd,
	.describe = libvirt_describe,
	.map = libvirt_map,
	.pause = libvirt_pause,
	.resume = libvirt_resume,
	.watch = libvirt_watch,
	.runs = libvirt_runs,
	.same = libvirt_same,
	.save_ahead = libvirt_save_ahead,
	.load_ahead = libvirt_load_ahead,
	.save = libvirt_save,
	.load = libvirt_load,
	.hold = libvirt_hold,
	.loads = libvirt_loads,
	.check_leaving = libvirt_check_leaving,
	.check = libvirt_check,
	.create_incoming = libvirt_create_incoming,
	.destroy = libvirt_destroy,
	.forget = libvirt_forget,
	.define = libvirt_define,
	.define_end = libvirt_define_end,
	.userfaultfd = libvirt_userfaultfd,
	.userfaultfd_close = libvirt_userfaultfd_close,
	.storage = &libvirt_storage_ops,
};
