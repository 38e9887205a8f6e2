/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qmp_guest.h - an open QEMU without libvirt; between the files qmp*.c. */
#ifndef STRADDLE_GUESTS_QMP_GUEST_H
#define STRADDLE_GUESTS_QMP_GUEST_H

#include "tools/guests/qemu.h"
#include "tools/guests/qmp_line.h"

#define QMP_PREFIX	"qmp:"		/* of a guest's name; its socket follows */

struct guest {
	struct qemu qemu;		/* its line is ours */
	struct qmp_line line;
	/* Stopped by us, or coming in: nobody else may get the line between. */
	bool held;
	bool marked;			/* as one that is coming in */
	int state;			/* pipe that its state goes into, while
					 * it is coming in; else -1 */
	char log[384];			/* what it prints; "": not started here */
};

/* qmp.c */
int qmp_path(const char *name, const char **path, struct fail *fail);
struct guest *qmp_guest_new(const char *name, struct fail *fail);
void qmp_guest_close(struct guest *guest);
void qmp_hang_up(struct guest *guest);

/* qmp_describe.c */
int qmp_mark(struct guest *guest, struct fail *fail);
void qmp_unmark(struct guest *guest);
int qmp_status(struct guest *guest, char *status, size_t size,
	       struct fail *fail);
int qmp_describe(struct guest *guest, struct guest_description *description,
		 struct fail *fail);

/* qmp_check.c */
int qmp_check(const struct guest_host *host,
	      const struct guest_incoming *incoming, struct fail *fail);

/* qmp_incoming.c */
int qmp_create_incoming(const struct guest_host *host,
			const struct guest_incoming *incoming,
			struct guest **guest, struct fail *fail);
int qmp_load_ahead(struct guest *guest, int state_fd, struct fail *fail);
int qmp_load(struct guest *guest, int state_fd, struct fail *fail);

#endif
