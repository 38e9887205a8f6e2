/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_native.h - libvirt's own migration of a domain, under our command.
 *
 * libvirtd moves the domain (peer to peer) and decides who runs it; here it is
 * started, watched, switched and aborted. It goes on when we end.
 */
#ifndef STRADDLE_GUESTS_LIBVIRT_NATIVE_H
#define STRADDLE_GUESTS_LIBVIRT_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"

struct migration_options;
struct native;			/* a domain that libvirt is to move */

/* What native_wait() saw, a bit each. */
enum {
	NATIVE_TICK = 1,	/* time has passed, or a round */
	NATIVE_WATCHED = 2,	/* the watched descriptor is readable */
	NATIVE_ENDED = 4,	/* native_result() says how */
};

/* As libvirt and QEMU count. */
struct native_job {
	uint32_t looks;		/* of QEMU at what was written; 1: at its start */
	uint64_t memory_bytes;	/* of the guest */
	uint64_t left_bytes;	/* of them to be sent, as of the last look */
	uint64_t wire_bytes;	/* sent so far */
	uint64_t data_bytes;	/* guest pages sent with their bytes */
	uint64_t zero_pages;	/* 4 KiB each */
	uint64_t requests;	/* of the dest, for pages it waits for */
	uint64_t downtime_ns;	/* of a job that has ended; 0: not known */
};

/* Where a domain is, as far as libvirt of this host knows. */
enum native_place {
	NATIVE_HERE,		/* here, or it ended here; nothing moves it */
	NATIVE_MOVING,		/* libvirt has not ended its migration */
	NATIVE_MOVED,		/* libvirt says that it was migrated */
	NATIVE_GONE,		/* it is not here, and libvirt knows no more */
};

int native_open(const char *uuid, int watch_fd, struct native **native,
		struct fail *fail);
int native_start(struct native *native, const struct migration_options *options,
		 struct fail *fail);
unsigned int native_wait(struct native *native);
void native_unwatch(struct native *native);
int native_result(struct native *native, struct native_job *job,
		  struct fail *fail);
void native_close(struct native *native);

/* While it runs. */
int native_job(struct native *native, struct native_job *job);
int native_switch(struct native *native, struct fail *fail);
int native_suspend(struct native *native, struct fail *fail);
int native_abort(struct native *native, struct fail *fail);
int native_set_bandwidth(struct native *native, uint64_t bytes, bool postcopy,
			 struct fail *fail);
int native_set_downtime(struct native *native, uint64_t ns, struct fail *fail);

int native_where(const char *uuid, enum native_place *place, struct fail *fail);

#endif
