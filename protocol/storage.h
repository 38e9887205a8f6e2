/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * storage.h - disks that the hosts do not share are copied along.
 *
 * The source's QEMU mirrors each disk, by NBD, to a server at the dest. It
 * connects to a Unix socket of ours; the bytes go over a channel of their own
 * (ROLE_STORAGE) to the server, on a Unix socket again. The mirrors follow
 * what the guest writes, and end when it stands still for good.
 */
#ifndef STRADDLE_STORAGE_H
#define STRADDLE_STORAGE_H

#include "protocol/accept.h"
#include "protocol/guest.h"
#include "protocol/relay.h"

struct migration;

struct storage_disk {
	unsigned int index;		/* in PREPARE's list */
	char target[32];
	struct relay *relay;		/* NULL: its lane is not there */
	/* Source. */
	int listener;			/* -1: none */
	char socket[64];		/* where, "": nowhere */
	bool copying;			/* the guest's process does */
	bool ready, ending;
	uint64_t done, total;		/* bytes */
	/* Dest. */
	struct guest_image image;
	int client;			/* the lane's, not taken yet; or -1 */
	int flusher;			/* likewise */
};

/*
 * What a copy does to its host (storage_host.h), asked of whoever may. @number
 * is that of the disk among those that are copied.
 */
struct storage_port {
	/* Source: a socket for the guest's process alone. */
	int (*listen)(void *port, unsigned int number, char *path, size_t size,
		      int *listener);
	/* Dest: an image for the next one, which is @disk of @incoming. */
	int (*make)(void *port, const struct guest_incoming *incoming,
		    unsigned int disk, struct guest_image *image,
		    struct fail *fail);
	/* Dest: a server for it, and two connections to that. */
	int (*serve)(void *port, unsigned int number, int *flusher, int *client,
		     struct fail *fail);
	int (*end)(void *port, unsigned int number, int signal);
	/* Both: it is over; @keep: images stay, else what was made goes. */
	void (*over)(void *port, bool keep);
};

struct storage {
	int news;			/* eventfd: a relay is over */
	bool ended;			/* source: all mirrors are */
	bool told;			/* source: that they are outrun */
	uint64_t capacity;		/* source: bytes of all of them */
	unsigned int count;
	struct storage_disk disks[GUEST_DISKS_MAX];
};

/* storage.c: both sides */
int storage_create(struct storage **storage);
void storage_destroy(struct storage *storage);
int storage_error(struct migration *m);
void storage_note(const char *run_dir, const uint8_t *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void storage_forget(const char *run_dir, const uint8_t *id);
bool storage_left(const char *run_dir, const char *id);
void storage_image_remove(struct guest_image *image);
void storage_settle_left(const char *run_dir, const char *id,
			 const struct guest_driver *driver,
			 struct guest *guest);

/* storage_source.c */
int storage_agree(struct migration *m, size_t count, const uint32_t *indexes);
int storage_connect(struct migration *m);
int storage_copy(struct migration *m);
int storage_end(struct migration *m);
int storage_ended(struct migration *m);
void storage_cancel(struct migration *m);
void storage_limit(struct migration *m, uint64_t bandwidth);

/* storage_dest.c */
int storage_make(struct migration *m, const struct guest_incoming *incoming);
int storage_serve(struct migration *m);
int storage_take(struct migration *m, struct accepted *accepted);
bool storage_complete(const struct migration *m);
int storage_close(struct migration *m);
void storage_keep(struct migration *m);
void storage_discard(struct migration *m);

#endif
