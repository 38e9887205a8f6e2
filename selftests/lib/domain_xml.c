/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_xml.c - write a domain's XML. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "sys.h"

#define OVMF_CODE	"/usr/share/OVMF/OVMF_CODE_4M.fd"
#define OVMF_VARS	"/usr/share/OVMF/OVMF_VARS_4M.fd"

static const char *const memory_backings[] = {
	[DOMAIN_ANONYMOUS] = "",
	[DOMAIN_MEMFD_SHARED] = "<source type='memfd'/><access mode='shared'/>",
	[DOMAIN_MEMFD_PRIVATE] = "<source type='memfd'/><access mode='private'/>",
	[DOMAIN_HUGE_SHARED] = "<hugepages/><access mode='shared'/>",
	[DOMAIN_HUGE_PRIVATE] = "<hugepages/><access mode='private'/>",
	[DOMAIN_FILE_SHARED] = "<source type='file'/><access mode='shared'/>",
	[DOMAIN_FILE_PRIVATE] = "<source type='file'/><access mode='private'/>",
};

static void element(FILE *out, const char *name, const char *value)
{
	if (value)
		fprintf(out, "<%s>%s</%s>\n", name, value, name);
}

/* The vCPUs are the first node's. */
static void write_cells(FILE *out, const struct domain *domain)
{
	unsigned int i, vcpus = domain->vcpus ? domain->vcpus : 1;

	if (!domain->cells)
		return;
	fputs("<cpu><numa>\n", out);
	for (i = 0; i < domain->cells; i++) {
		fprintf(out, "<cell id='%u' memory='%u' unit='MiB'", i,
			domain->memory_mib / domain->cells);
		if (!i)
			fprintf(out, " cpus='0-%u'", vcpus - 1);
		fputs("/>\n", out);
	}
	fputs("</numa></cpu>\n", out);
}

static void write_backing(FILE *out, const struct domain *domain)
{
	const char *backing = memory_backings[domain->memory];

	if (*backing || domain->prealloc || domain->locked)
		fprintf(out, "<memoryBacking>%s%s%s</memoryBacking>\n",
			backing, domain->locked ? "<locked/>" : "",
			domain->prealloc ? "<allocation mode='immediate'/>" :
			"");
	if (domain->locked)
		fprintf(out, "<memtune><hard_limit unit='b'>%" PRIu64
			"</hard_limit></memtune>\n", DOMAIN_LOCKED_MAX);
}

static void write_head(FILE *out, const struct domain *domain)
{
	element(out, "name", domain->name);
	element(out, "uuid", domain->uuid);
	if (domain->dimms_mib)
		fprintf(out, "<maxMemory slots='4' unit='MiB'>%u</maxMemory>\n",
			domain->memory_mib + domain->dimms_mib);
	fprintf(out, "<memory unit='MiB'>%u</memory>\n", domain->memory_mib);
	write_backing(out, domain);
	if (domain->cpu)
		fprintf(out, "<cpu mode='%s'/>\n", domain->cpu);
	fprintf(out, "<vcpu>%u</vcpu>\n", domain->vcpus ? domain->vcpus : 1);
	fputs("<features><acpi/><apic/></features>\n", out);
	write_cells(out, domain);
}

static void write_os(FILE *out, const struct domain *domain)
{
	fprintf(out, "<os><type arch='x86_64' machine='%s'>hvm</type>\n",
		domain->machine ? domain->machine : "pc");
	if (domain->ovmf)
		fprintf(out, "<loader readonly='yes' type='pflash'>" OVMF_CODE
			"</loader>\n<nvram template='" OVMF_VARS "'>"
			VIRT_PRIVATE "/%s.nvram</nvram>\n", domain->name);
	element(out, "kernel", domain->kernel);
	element(out, "initrd", domain->initrd);
	element(out, "cmdline", domain->cmdline);
	fputs("</os>\n", out);
}

static bool is_scsi(const struct domain_disk *disk)
{
	return disk->bus && !strcmp(disk->bus, "scsi");
}

static void write_disk(FILE *out, const struct domain_disk *disk, int letter)
{
	const char *cache = disk->cache;

	fprintf(out, "<disk type='file' device='disk'>"
		"<driver name='qemu' type='%s'%s%s%s/><source file='%s'/>"
		"<target dev='%s%c' bus='%s'/>%s%s</disk>\n",
		disk->format ? disk->format : "raw", cache ? " cache='" : "",
		cache ? cache : "", cache ? "'" : "", disk->path,
		is_scsi(disk) ? "sd" : "vd", letter,
		is_scsi(disk) ? "scsi" : "virtio",
		disk->shareable ? "<shareable/>" : "",
		disk->readonly ? "<readonly/>" : "");
}

static void write_disks(FILE *out, const struct domain *domain)
{
	bool scsi = false;
	int i;

	for (i = 0; i < DOMAIN_DISKS_MAX && domain->disks[i].path; i++) {
		write_disk(out, &domain->disks[i], 'a' + i);
		scsi |= is_scsi(&domain->disks[i]);
	}
	if (scsi)
		fputs("<controller type='scsi' model='virtio-scsi'/>\n", out);
}

/* Whatever the line is, what the guest writes to it is in a file, too. */
static void write_serial(FILE *out, const struct domain *domain)
{
	const char *name = domain->name;

	switch (domain->serial) {
	case DOMAIN_SERIAL_FILE:
		fprintf(out, "<serial type='file'><source path='"
			DOMAIN_SERIAL_LOG "'/></serial>\n", name);
		return;
	case DOMAIN_SERIAL_UNIX:
		fprintf(out, "<serial type='unix'><source mode='bind' path='"
			DOMAIN_SERIAL_SOCKET "'/>", name);
		break;
	case DOMAIN_SERIAL_PTY:
		fputs("<serial type='pty'>", out);
		break;
	}
	fprintf(out, "<log file='" DOMAIN_SERIAL_LOG "'/></serial>\n", name);
}

/* What libvirt adds by itself has to be refused. */
static void write_devices(FILE *out, const struct domain *domain)
{
	if (domain->mac)
		fprintf(out, "<interface type='bridge'><mac address='%s'/>"
			"<source bridge='" SEGMENT_BRIDGE "'/>"
			"<model type='virtio'/></interface>\n", domain->mac);
	fprintf(out, "<video><model type='%s'/></video>\n",
		domain->video ? domain->video : "none");
	fprintf(out, "<memballoon model='%s'/>\n",
		domain->balloon ? "virtio" : "none");
	if (!domain->usb)
		fputs("<controller type='usb' model='none'/>\n", out);
	if (domain->rng)
		fputs("<rng model='virtio'><backend model='random'>/dev/urandom"
		      "</backend></rng>\n", out);
	if (domain->channel)
		fputs("<channel type='unix'><target type='virtio' "
		      "name='org.qemu.guest_agent.0'/></channel>\n", out);
}

/**
 * domain_xml() - a domain as libvirt reads it
 * @virt: the host, which has the emulator if the domain names none
 * @domain: the domain
 * @xml: receives it, a string
 * @size: of @xml
 *
 * Return: 0, or -ENOSPC when it does not fit.
 */
int domain_xml(const struct virt_host *virt, const struct domain *domain,
	       char *xml, size_t size)
{
	FILE *out = fmemopen(xml, size, "w");
	bool full;

	if (!out)
		return -ENOMEM;
	fprintf(out, "<domain type='%s'>\n", domain->kvm ? "kvm" : "qemu");
	write_head(out, domain);
	write_os(out, domain);
	fputs("<devices>\n", out);
	element(out, "emulator", domain->emulator ? domain->emulator :
						    virt->options.qemu);
	write_disks(out, domain);
	write_serial(out, domain);
	write_devices(out, domain);
	fputs("</devices></domain>\n", out);
	full = fflush(out) || ftell(out) >= (long)size;
	fclose(out);
	return full ? -ENOSPC : 0;
}
