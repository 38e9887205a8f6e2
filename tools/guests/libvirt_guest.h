/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_guest.h - an open libvirt domain; between the files libvirt*.c. */
#ifndef STRADDLE_GUESTS_LIBVIRT_GUEST_H
#define STRADDLE_GUESTS_LIBVIRT_GUEST_H

#include <libvirt/libvirt.h>

#include "protocol/guest.h"
#include "tools/guests/qemu_blocks.h"
#include "tools/guests/qemu_monitor.h"

struct libvirt_incoming;

struct guest {
	virConnectPtr connection;	/* one of its own */
	virDomainPtr domain;		/* live */
	char name[GUEST_NAME_MAX];
	pid_t pid;			/* of its QEMU */
	int pidfd;
	struct qemu_monitor monitor;	/* libvirt's pass-through */
	char *machine;			/* owned; NULL: not asked yet */
	struct qemu_blocks *blocks;	/* owned; NULL: not asked yet */
	struct libvirt_incoming *incoming; /* owned; NULL: it runs here */
};

/* libvirt_connect.c */
int libvirt_connect(virConnectPtr *connection, struct fail *fail);
pid_t libvirt_pid(const char *name, const char *uuid);

/* libvirt.c */
int libvirt_guest_find(struct guest *guest, const char *name,
		       struct fail *fail);
struct guest *libvirt_guest_new(struct fail *fail);
void libvirt_guest_close(struct guest *guest);

/* libvirt_memory.c */
int libvirt_map(struct guest *guest, struct guest_description *description,
		struct fail *fail);
bool libvirt_loads(struct guest *guest, uint32_t thread);

/* libvirt_define.c */
int libvirt_define(const struct guest_host *host, const char *name,
		   const char *text, char **previous, struct fail *fail);
int libvirt_define_end(const struct guest_host *host, const char *name,
		       bool keep, struct fail *fail);

/* libvirt_incoming.c */
int libvirt_create_incoming(const struct guest_host *host,
			    const struct guest_incoming *incoming,
			    struct guest **guest, struct fail *fail);
int libvirt_load(struct guest *guest, int state_fd, struct fail *fail);
void libvirt_incoming_end(struct libvirt_incoming *incoming);
bool libvirt_incoming_regions(const struct guest *guest,
			      struct qemu_blocks *blocks);

#endif
