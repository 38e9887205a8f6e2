/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.h - libvirt domains for tests: what is in them, and virsh's verbs.
 *
 * Fields left 0 or NULL take away the device, or mean the first of a kind.
 */
#ifndef STRADDLE_TEST_DOMAIN_H
#define STRADDLE_TEST_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "selftests/lib/virt_host.h"

#define DOMAIN_DISKS_MAX	4
#define DOMAIN_LOCKED_MAX	(UINT64_C(8) << 30)	/* bytes of a locked one */

enum domain_memory {
	DOMAIN_ANONYMOUS,
	DOMAIN_MEMFD_SHARED,
	DOMAIN_MEMFD_PRIVATE,
	DOMAIN_HUGE_SHARED,	/* 2 MiB pages: hugepages_add() first */
	DOMAIN_HUGE_PRIVATE,
	DOMAIN_FILE_SHARED,
	DOMAIN_FILE_PRIVATE,
};

enum domain_serial {
	DOMAIN_SERIAL_FILE,
	DOMAIN_SERIAL_UNIX,	/* for domain_ask() */
	DOMAIN_SERIAL_PTY,
};

/* With the domain's name; private to each host. */
#define DOMAIN_SERIAL_LOG	VIRT_PRIVATE "/%s.serial"
#define DOMAIN_SERIAL_SOCKET	VIRT_PRIVATE "/%s.sock"

struct domain_disk {
	const char *path;	/* in VIRT_SHARED or VIRT_PRIVATE */
	const char *format;	/* "raw" or "qcow2" */
	const char *bus;	/* "virtio" or "scsi" */
	const char *cache;	/* "none", "writeback", ...; NULL: QEMU's */
	bool shareable, readonly;
};

struct domain {
	const char *name;
	const char *uuid;	/* NULL: libvirt makes one */
	unsigned int memory_mib;
	unsigned int vcpus;	/* 0: 1 */
	const char *cpu;	/* a mode: "host-model"; not with nodes */
	const char *machine;	/* "pc", "q35", "pc-i440fx-7.2"; NULL: "pc" */
	const char *emulator;	/* NULL: the host's */
	bool kvm;		/* else TCG */
	enum domain_memory memory;
	bool prealloc;		/* QEMU touches all of it when it starts */
	bool locked;		/* mlocked, too */
	unsigned int cells;	/* NUMA nodes, all of one size; 0: no NUMA */
	unsigned int dimms_mib;	/* that can be plugged in; takes cells */
	bool ovmf;		/* and a NVRAM of its own; else SeaBIOS */
	const char *kernel, *initrd, *cmdline;
	struct domain_disk disks[DOMAIN_DISKS_MAX];
	const char *mac;	/* NULL: no network; else on SEGMENT_BRIDGE */
	enum domain_serial serial;	/* domain_serial() reads any of them */
	const char *video;	/* a model: "vga", "cirrus", "virtio" */
	bool rng, balloon, usb, channel;
};

int domain_xml(const struct virt_host *virt, const struct domain *domain,
	       char *xml, size_t size);
int domain_disk_create(struct virt_host *virt, const struct domain_disk *disk,
		       unsigned int mib, struct fail *fail);
int domain_guest(struct virt_host *virt, struct domain *domain);

/* One line each through virsh; a domain is persistent when it is defined. */
int domain_define(struct virt_host *virt, const struct domain *domain,
		  struct fail *fail);
int domain_create(struct virt_host *virt, const struct domain *domain,
		  struct fail *fail);
int domain_virsh(struct virt_host *virt, const char *verb, const char *name,
		 char *text, size_t size, struct fail *fail);
int domain_start(struct virt_host *virt, const char *name, struct fail *fail);
int domain_destroy(struct virt_host *virt, const char *name, struct fail *fail);
int domain_state(struct virt_host *virt, const char *name, char *text,
		 size_t size);
int domain_dumpxml(struct virt_host *virt, const char *name, char *xml,
		   size_t size, struct fail *fail);

pid_t domain_qemu(const struct virt_host *virt, const char *name);
int domain_serial(const struct virt_host *virt, const char *name, char *text,
		  size_t size);
int domain_says(const struct virt_host *virt, const char *name,
		const char *words, int timeout_ms);
int domain_ask(const struct virt_host *virt, const char *name,
	       const char *line, const char *words, char *answer, size_t size,
	       int timeout_ms);

#endif
