/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_guest.h - an open libvirt domain; between the files libvirt*.c. */
#ifndef STRADDLE_GUESTS_LIBVIRT_GUEST_H
#define STRADDLE_GUESTS_LIBVIRT_GUEST_H

#include <libvirt/libvirt.h>

#include "tools/guests/qemu.h"

/* Before a persistent definition; without either it stays as it is there. */
#define LIBVIRT_AUTOSTART	"autostart='yes'"
#define LIBVIRT_NO_AUTOSTART	"autostart='no'"

struct libvirt_events;
struct libvirt_incoming;
struct xml;

struct guest {
	virConnectPtr connection;	/* one of its own */
	virDomainPtr domain;		/* live */
	struct qemu qemu;		/* its line is libvirt's pass-through */
	struct libvirt_incoming *incoming; /* owned; NULL: it runs here */
	struct libvirt_events *events;	/* owned; NULL: not watched */
};

/* libvirt_connect.c */
int libvirt_connect(virConnectPtr *connection, struct fail *fail);
void libvirt_reach(struct guest *guest);
bool libvirt_wrote_down(const char *name);
pid_t libvirt_pid(const char *name, const char *uuid);

/* libvirt.c */
int libvirt_guest_find(struct guest *guest, const char *name,
		       struct fail *fail);
struct guest *libvirt_guest_new(struct fail *fail);
void libvirt_guest_close(struct guest *guest);

/* libvirt_events.c */
int libvirt_watch(struct guest *guest, int *fd, struct fail *fail);
enum guest_runs libvirt_runs(struct guest *guest);
void libvirt_events_end(struct libvirt_events *events);

/* libvirt_leave.c, libvirt_check.c: the gate, on either side */
void libvirt_check_devices(const struct xml *xml, struct obstacles *all);
void libvirt_check_leaving(struct guest *guest,
			   struct guest_description *description,
			   struct guest_leaving *leaving,
			   struct obstacles *all);
int libvirt_check(const struct guest_host *host,
		  const struct guest_incoming *incoming, struct fail *fail);

/* libvirt_destroy.c */
int libvirt_destroy_moved(struct guest *guest, struct fail *fail);

/* libvirt_persistent.c */
int libvirt_persistent_get(virDomainPtr domain, unsigned int flags,
			   char **text, struct fail *fail);
bool libvirt_same(const char *then, const char *now);
void libvirt_check_given(struct guest *guest,
			 const struct guest_description *description,
			 struct guest_leaving *leaving, struct obstacles *all);

/* libvirt_copy.c: disks that leave */
struct xml;
int libvirt_copy_start(struct guest *guest, const struct guest_copying *what,
		       struct fail *fail);
int libvirt_copy_look(struct guest *guest, const char *target,
		      struct guest_copy *copy, struct fail *fail);
int libvirt_copy_limit(struct guest *guest, const char *target,
		       uint64_t bandwidth, struct fail *fail);
int libvirt_copy_end(struct guest *guest, const char *target,
		     struct fail *fail);
void libvirt_disk_describe(struct guest *guest, const struct xml *live,
			   struct guest_disk *disk);

/* libvirt_disks.c, libvirt_images.c: disks that come; see libvirt_disks.h */
extern const struct guest_storage_ops libvirt_storage_ops;
void libvirt_disk_identity(dev_t device, char *text, size_t size);
void libvirt_check_disks(const struct guest_incoming *incoming,
			 const struct xml *xml, struct obstacles *all);
int libvirt_disks_flat(const struct guest_incoming *incoming, char **text);

/* libvirt_define.c */
int libvirt_define(const struct guest_host *host, const char *name,
		   const char *text, char **previous, struct fail *fail);
int libvirt_define_end(const struct guest_host *host, const char *name,
		       bool keep, struct fail *fail);

/* libvirt_incoming.c */
int libvirt_create_incoming(const struct guest_host *host,
			    const struct guest_incoming *incoming,
			    struct guest **guest, struct fail *fail);
int libvirt_load_ahead(struct guest *guest, int state_fd, struct fail *fail);
int libvirt_load(struct guest *guest, int state_fd, struct fail *fail);
void libvirt_incoming_end(struct libvirt_incoming *incoming);

#endif
