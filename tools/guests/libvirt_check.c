// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_check.c - the gate at the dest: what a domain would miss here.
 */
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/host_memory.h"
#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"
#include "tools/guests/libvirt_xml.h"
#include "tools/guests/qemu_tool.h"

#define MEMORY_SPARE	(64ull << 20)	/* for QEMU and ourselves */

struct check {
	virConnectPtr connection;
	const struct guest_incoming *incoming;
	const struct xml *xml;
	struct obstacles *all;
};

/* ---- the name ------------------------------------------------------------ */

static void check_domain(const struct check *check, virDomainPtr domain,
			 const char *uuid)
{
	char there[VIR_UUID_STRING_BUFLEN] = "";

	virDomainGetUUIDString(domain, there);
	if (strcmp(there, uuid))
		obstacle(check->all, -EEXIST,
			 "another domain has the name %s here (UUID %s): rename it (virsh domrename), or migrate with --dname",
			 check->incoming->name, there);
	else if (virDomainIsActive(domain) == 1)
		obstacle(check->all, -EEXIST,
			 "domain %s runs here already: which of the two is the right one?",
			 virDomainGetName(domain));
	else if (strcmp(virDomainGetName(domain), check->incoming->name))
		obstacle(check->all, -EEXIST,
			 "its UUID is that of domain %s here: undefine that one, or migrate with --dname %s",
			 virDomainGetName(domain), virDomainGetName(domain));
	else if (virDomainHasManagedSaveImage(domain, 0) == 1)
		obstacle(check->all, -EEXIST,
			 "domain %s has a managed save image here: remove it (virsh managedsave-remove)",
			 virDomainGetName(domain));
}

static void check_name(const struct check *check)
{
	__cleanup_free char *uuid = xml_get(check->xml, "/domain/uuid");
	virDomainPtr domain;

	if (!uuid) {
		obstacle(check->all, -EINVAL, "its definition has no UUID");
		return;
	}
	domain = virDomainLookupByName(check->connection, check->incoming->name);
	if (!domain)
		domain = virDomainLookupByUUIDString(check->connection, uuid);
	if (!domain)
		return;
	check_domain(check, domain, uuid);
	virDomainFree(domain);
}

/* ---- QEMU ---------------------------------------------------------------- */

/* "7.2.22 (Debian ...)": up to the space. */
static bool version_same(const char *one, const char *other)
{
	size_t length = strcspn(one, " ");

	return length == strcspn(other, " ") && !strncmp(one, other, length);
}

/* Return: false: it is no QEMU, and libvirt need not try it either. */
static bool check_version(const struct check *check, const char *emulator)
{
	const char *there = check->incoming->version;
	char here[64] = "";
	int ret = qemu_version(emulator, here, sizeof(here));

	if (ret == -ENOENT)
		obstacle(check->all, ret,
			 "there is no %s here: install it, or give --xml with another emulator",
			 emulator);
	else if (ret)
		obstacle(check->all, ret, "%s does not tell its version: %s",
			 emulator, strerror(-ret));
	else if (*there && !version_same(there, here) &&
		 !check->incoming->allow_version_skew)
		obstacle(check->all, -EOPNOTSUPP,
			 "its QEMU is %.*s and %s here is %.*s: install the same, or try --allow-version-skew",
			 (int)strcspn(there, " "), there, emulator,
			 (int)strcspn(here, " "), here);
	return !ret;
}

/* Can libvirt here start this machine with this emulator at all? */
static void check_machine(const struct check *check, const char *emulator)
{
	__cleanup_free char *arch = xml_get(check->xml, "/domain/os/type/@arch");
	__cleanup_free char *machine = xml_get(check->xml, "/domain/os/type/@machine");
	__cleanup_free char *type = xml_get(check->xml, "/domain/@type");
	__cleanup_free char *able = virConnectGetDomainCapabilities(
			check->connection, emulator, arch, machine, type, 0);
	struct fail fail = { 0 };

	if (!able)
		obstacle(check->all, libvirt_fail(&fail, "machine %s of %s cannot be started here",
						  machine ? machine : "?", emulator),
			 "%s", fail.text);
}

static void check_cpu(const struct check *check)
{
	__cleanup_free char *type = xml_get(check->xml, "/domain/@type");
	/* "none": the definition wants no comparison, and libvirt makes none. */
	__cleanup_free char *cpu = xml_node(check->xml,
					    "/domain/cpu[model][not(@check='none')]");
	__cleanup_free char *emulator = xml_get(check->xml, "/domain/devices/emulator");
	__cleanup_free char *machine = xml_get(check->xml, "/domain/os/type/@machine");

	if (!cpu || !type || strcmp(type, "kvm"))
		return;
	if (virConnectCompareHypervisorCPU(check->connection, emulator, NULL, machine,
					   type, cpu, 0) == VIR_CPU_COMPARE_INCOMPATIBLE)
		obstacle(check->all, -EOPNOTSUPP,
			 "the processor here lacks what its CPU model has: see virsh hypervisor-cpu-compare");
}

/* ---- what the definition names ------------------------------------------- */

static int interface_look(const struct xml *interface, void *arg)
{
	const struct check *check = arg;
	__cleanup_free char *network = xml_get(interface, "source/@network");
	__cleanup_free char *bridge = xml_get(interface, "source/@bridge");
	char path[128];

	if (network) {
		virNetworkPtr found = virNetworkLookupByName(check->connection, network);

		if (!found || virNetworkIsActive(found) != 1)
			obstacle(check->all, -ENOENT,
				 "network %s is not active here: start it (virsh net-start %s)",
				 network, network);
		if (found)
			virNetworkFree(found);
	} else if (bridge) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", bridge);
		if (sys_ret(access(path, F_OK)))
			obstacle(check->all, -ENOENT,
				 "there is no bridge %s here: make it, or give --xml",
				 bridge);
	}
	return 0;
}

static int pool_look(const struct xml *source, void *arg)
{
	const struct check *check = arg;
	__cleanup_free char *pool = xml_get(source, "@pool");
	virStoragePoolPtr found = virStoragePoolLookupByName(check->connection, pool);

	if (!found || virStoragePoolIsActive(found) != 1)
		obstacle(check->all, -ENOENT,
			 "storage pool %s is not active here: start it (virsh pool-start %s)",
			 pool, pool);
	if (found)
		virStoragePoolFree(found);
	return 0;
}

/* ---- memory -------------------------------------------------------------- */

static void check_memory(const struct check *check)
{
	__cleanup_free char *text = xml_get(check->xml, "/domain/memory");
	uint64_t wanted = text ? strtoull(text, NULL, 10) * 1024 : 0;
	uint64_t available = memory_available();

	if (xml_count(check->xml, "/domain/memoryBacking/hugepages"))
		return;		/* QEMU tells by itself, before anything moves */
	if (available < MEMORY_SPARE || available - MEMORY_SPARE < wanted)
		obstacle(check->all, -ENOMEM,
			 "it needs %llu MiB of memory and %llu MiB are available: free some, or choose another host",
			 (unsigned long long)(wanted >> 20),
			 (unsigned long long)(available >> 20));
}

/* They lie where the domain will look for them. */
static void check_disks(const struct check *check)
{
	struct fail fail = { 0 };
	struct xml *given;

	if (!check->incoming->given)
		libvirt_check_disks(check->incoming, check->xml, check->all);
	else if (xml_parse(check->incoming->given, &given, &fail))
		obstacle(check->all, -EINVAL, "%s", fail.text);
	else {
		libvirt_check_disks(check->incoming, given, check->all);
		xml_free(given);
	}
}

static void check_all(const struct check *check)
{
	__cleanup_free char *emulator = xml_get(check->xml, "/domain/devices/emulator");

	check_name(check);
	if (emulator && check_version(check, emulator))
		check_machine(check, emulator);
	check_cpu(check);
	xml_each(check->xml, "/domain/devices/interface", interface_look,
		 (void *)(uintptr_t)check);
	xml_each(check->xml, "/domain/devices/disk/source[@pool]", pool_look,
		 (void *)(uintptr_t)check);
	check_disks(check);
	check_memory(check);
}

/**
 * libvirt_check() - could a domain be made here?
 * @host: not looked at: libvirt knows its own places
 * @incoming: what is to come
 * @fail: names all that is in the way
 *
 * Return: 0, or the -errno of the first obstacle.
 */
int libvirt_check(const struct guest_host *host,
		  const struct guest_incoming *incoming, struct fail *fail)
{
	struct obstacles all = { .err = 0 };
	struct check check = { .incoming = incoming, .all = &all };
	struct xml *xml;
	int ret = libvirt_connect(&check.connection, fail);

	(void)host;
	if (ret)
		return ret;
	ret = xml_parse(incoming->live, &xml, fail);
	if (!ret) {
		check.xml = xml;
		check_all(&check);
		xml_free(xml);
	}
	virConnectClose(check.connection);
	if (ret || !all.err)
		return ret;
	return fail_set(fail, all.err, "guest '%.63s' cannot run here: %s",
			incoming->name, all.text);
}
