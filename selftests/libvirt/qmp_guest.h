/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qmp_guest.h - QEMUs without libvirt, started by hand, for tests. */
#ifndef STRADDLE_TEST_QMP_GUEST_H
#define STRADDLE_TEST_QMP_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "selftests/lib/pair.h"

/* One guest, wherever it is now; files of it lie where both hosts see them. */
struct qmp_guest {
	struct pair *pair;
	const char *qemu;		/* program */
	bool nobody;			/* it runs as that user */
	char uuid[40];			/* of this test's alone */
	char serial[160];		/* all that it ever printed */
	char disk[160];			/* empty: none */
	char names[2][64];		/* at the source, at the dest */
	pid_t first;			/* the QEMU that the test started */
};

/* What the guest says of itself, in its last report. */
struct qmp_report {
	char boot[24];
	uint64_t number, bad, disk_bad, disk_ok;
};

#define QMP_NOBODY	65534

void qmp_guest_init(struct qmp_guest *guest, struct pair *pair,
		    const char *qemu);
int qmp_guest_missing(const struct qmp_guest *guest, bool boots,
		      struct fail *fail);
int qmp_guest_boot(struct qmp_guest *guest, struct fail *fail);
int qmp_guest_idle(struct qmp_guest *guest, const char *const more[],
		   struct fail *fail);
const char *qmp_guest_path(const struct qmp_guest *guest, int side);
int qmp_guest_ask(const char *path, const char *verb, char *reply,
		  size_t size);
int qmp_guest_report(const struct qmp_guest *guest, struct qmp_report *report);
int qmp_guest_gets_on(const struct qmp_guest *guest,
		      struct qmp_report *report);
int qmp_guest_boots_again(const struct qmp_guest *guest, const char *boot);
int qmp_guest_owners(const struct qmp_guest *guest);

#endif
