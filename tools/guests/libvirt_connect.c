// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_connect.c - libvirtd of this host, and the processes of its QEMUs. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "uffd/sys.h"

#define URI		"qemu:///system"
#define REACH_NS	UINT64_C(20000000000)	/* less than a peer's patience */
#define TRY_MS		100
#define STATE_DIR	"/run/libvirt/qemu"	/* of the system's libvirtd */

/**
 * libvirt_connect() - connect to libvirtd of this host
 * @connection: receives it; virConnectClose() is the caller's
 * @fail: says why not
 *
 * Return: 0, -ECONNREFUSED (there is none) or -errno.
 */
int libvirt_connect(virConnectPtr *connection, struct fail *fail)
{
	virConnectPtr got;

	libvirt_quiet();
	got = virConnectOpen(URI);
	if (!got)
		return libvirt_fail(fail, "cannot connect to %s", URI);
	*connection = got;
	return 0;
}

static int domain_again(struct guest *guest, struct fail *fail)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	virConnectPtr connection = NULL;
	virDomainPtr domain;
	int ret = libvirt_connect(&connection, fail);

	if (ret)
		return ret;
	virDomainGetUUIDString(guest->domain, uuid);
	domain = virDomainLookupByUUIDString(connection, uuid);
	if (!domain) {
		ret = libvirt_fail(fail, "cannot find guest '%s' again",
				   guest->qemu.name);
		virConnectClose(connection);
		return ret;
	}
	virDomainFree(guest->domain);
	virConnectClose(guest->connection);
	guest->domain = domain;
	guest->connection = connection;
	return 0;
}

/**
 * libvirt_reach() - connect again if libvirtd was restarted; its domains stay
 * @guest: an open domain
 *
 * A libvirtd that is just starting is waited for, as long as the guest lives.
 * Whether that helped says the next call to it.
 */
void libvirt_reach(struct guest *guest)
{
	uint64_t end_ns = now_ns() + REACH_NS;

	/* A connection that broke shows only when it is used. */
	if (virDomainIsActive(guest->domain) >= 0 ||
	    virConnectIsAlive(guest->connection) == 1)
		return;
	while (domain_again(guest, NULL) && now_ns() < end_ns)
		if (sys_wait_fd(guest->qemu.pidfd, POLLIN, TRY_MS) != -ETIMEDOUT)
			return;
}

/* The pid that libvirt wrote down is checked: files outlive processes. */
static bool runs_guest(pid_t pid, const char *uuid)
{
	__cleanup_file FILE *file = NULL;
	char path[64], text[16384], *at;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[size] = '\0';
	for (at = text; at < text + size; at += strlen(at) + 1)
		if (!strcmp(at, "-uuid"))
			return !strcmp(at + strlen(at) + 1, uuid);
	return false;
}

/**
 * libvirt_wrote_down() - did libvirt start a domain of that name here?
 * @name: of the domain
 *
 * Return: true where it keeps a process's number; the process may be gone.
 */
bool libvirt_wrote_down(const char *name)
{
	char path[256];

	return !strchr(name, '/') &&
	       snprintf(path, sizeof(path), STATE_DIR "/%s.pid", name) <
			(int)sizeof(path) &&
	       !sys_ret(access(path, F_OK));
}

/**
 * libvirt_pid() - the process of a domain that runs here
 * @name: of the domain
 * @uuid: of the domain
 *
 * libvirt has no call for it; it keeps the number in a file.
 *
 * Return: the pid, or -ESRCH.
 */
pid_t libvirt_pid(const char *name, const char *uuid)
{
	__cleanup_file FILE *file = NULL;
	char path[256];
	int pid = 0;

	snprintf(path, sizeof(path), STATE_DIR "/%s.pid", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%d", &pid) != 1 || pid <= 1 ||
	    !runs_guest(pid, uuid))
		return -ESRCH;
	return pid;
}
