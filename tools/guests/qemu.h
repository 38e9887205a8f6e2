/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu.h - a QEMU process, whoever started it: what both of its drivers
 * (libvirt*.c and qmp*.c) ask of it and do with it.
 */
#ifndef STRADDLE_GUESTS_QEMU_H
#define STRADDLE_GUESTS_QEMU_H

#include "protocol/guest.h"
#include "tools/guests/qemu_blocks.h"
#include "tools/guests/qemu_monitor.h"

struct qemu_ahead;

struct qemu {
	struct qemu_monitor monitor;
	char name[GUEST_NAME_MAX];	/* the guest's */
	pid_t pid;
	int pidfd;			/* owned; -1: none */
	char *machine;			/* owned; NULL: not asked yet */
	struct qemu_blocks *blocks;	/* owned; NULL: not asked yet */
	/* While it is loading it cannot be asked: what the source has, and
	 * where that is taken to lie. */
	struct guest_region *expected;	/* owned; NULL: it can be asked */
	unsigned int expected_count;
	struct qemu_blocks *placed;	/* owned; NULL: not looked for yet */
	/* The file for its devices, and QEMU's number for that; -1: none. */
	int devices;			/* owned */
	int64_t devices_set;
	int64_t hold_set;		/* of the image that it is held by; -1 */
	struct qemu_ahead *ahead;	/* owned; NULL: nothing went ahead */
	bool came_ahead;		/* here: it was loaded */
};

void qemu_init(struct qemu *qemu, const struct qemu_monitor_ops *ops);
void qemu_fini(struct qemu *qemu);
int qemu_watch(struct qemu *qemu, pid_t pid, struct fail *fail);
bool qemu_alive(const struct qemu *qemu);
int qemu_kill(struct qemu *qemu, struct fail *fail);
int qemu_expect(struct qemu *qemu, const struct guest_incoming *incoming);

/* qemu_memory.c */
int qemu_map(struct qemu *qemu, struct guest_description *description,
	     struct fail *fail);
/* qemu_confirm.c: reads a little at a guest-physical address, through QEMU. */
typedef int qemu_look_fn(void *arg, uint64_t physical, void *bytes,
			 size_t size, struct fail *fail);
int qemu_confirm(struct qemu *qemu, qemu_look_fn *look, void *arg,
		 struct fail *fail);
bool qemu_loads(const struct qemu *qemu, uint32_t thread);

/* qemu_sharers.c */
void qemu_check_sharers(const struct qemu *qemu, struct obstacles *all);
int qemu_check_own(const struct qemu *qemu, const struct guest_description *description,
		   struct fail *fail);
void qemu_check_userfaultfd(const struct qemu *qemu, struct obstacles *all);

/* qemu_hold.c */
int qemu_hold_begin(struct qemu *qemu, struct fail *fail);
int qemu_hold(struct qemu *qemu, struct fail *fail);
void qemu_release(struct qemu *qemu);

/* qemu_save.c */
int qemu_save_ahead(struct qemu *qemu, int *state_fd, struct fail *fail);
int qemu_save_begin(struct qemu *qemu, struct fail *fail);
void qemu_save_end(struct qemu *qemu);
int qemu_save(struct qemu *qemu, int *state_fd, struct fail *fail);

#endif
