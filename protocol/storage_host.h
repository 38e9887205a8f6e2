/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage_host.h - what copying disks does to a host: images, servers, sockets.
 *
 * It takes rights over files and other users' processes, which the process that
 * runs the migration does not have: it asks by struct storage_port.
 */
#ifndef STRADDLE_STORAGE_HOST_H
#define STRADDLE_STORAGE_HOST_H

#include <stdint.h>

#include "protocol/guest.h"

struct storage_host_disk {
	struct guest_image image;	/* dest */
	struct guest_server server;	/* dest */
	char socket[64];		/* source: where, "": nowhere */
};

struct storage_host {
	const char *run_dir;		/* of the agent */
	uint8_t id[16];			/* of the migration */
	char dir[48];			/* source: of the sockets; "": none */
	unsigned int count;		/* dest: images */
	struct storage_host_disk disks[GUEST_DISKS_MAX];
};

void storage_host_init(struct storage_host *host, const char *run_dir,
		       const uint8_t *id);
void storage_host_fini(struct storage_host *host);

/* Source. */
int storage_host_listen(struct storage_host *host, pid_t pid,
			unsigned int number, char *path, size_t size,
			int *listener);
bool storage_host_owns(const struct storage_host *host, const char *socket);
void storage_host_copies(struct storage_host *host, const char *target);

/* Dest. */
int storage_host_make(struct storage_host *host,
		      const struct guest_driver *driver,
		      const struct guest_incoming *incoming, unsigned int disk,
		      struct guest_image *image, struct fail *fail);
int storage_host_serve(struct storage_host *host,
		       const struct guest_driver *driver, struct guest *guest,
		       unsigned int number, int *flusher, int *client,
		       struct fail *fail);
int storage_host_end(struct storage_host *host, unsigned int number,
		     int signal);

/* Both: nothing is left that a dead worker's agent would have to remove. */
void storage_host_over(struct storage_host *host, bool keep);

#endif
