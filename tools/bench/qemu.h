/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu.h - a QEMU with the bench guest in it, on either host. */
#ifndef STRADDLE_BENCH_QEMU_H
#define STRADDLE_BENCH_QEMU_H

#include "tools/bench/console.h"
#include "tools/bench/monitor.h"
#include "tools/bench/program.h"

#define QEMU_DEFAULT	"/var/cache/straddle-tests/qemu10/qemu-system-x86_64"

/* Where and what a QEMU is to be; both of a migration are the same but for this. */
struct qemu_plan {
	const char *program;
	const char *dir;		/* of the sockets and logs */
	const char *name;		/* of these, in there: "source" */
	const char *incoming;		/* what its guest comes from; NULL: it boots */
	uint64_t memory_mib;
	struct host host;
};

struct qemu {
	pid_t pid;			/* 0: somebody else started it */
	ino_t met_at;			/* its second monitor's socket */
	struct monitor monitor;
	struct console console;
};

int qemu_start(struct qemu *qemu, const struct qemu_plan *plan, struct fail *fail);
int qemu_meet(struct qemu *qemu, const struct qemu_plan *plan, ino_t not_at, struct fail *fail);
void qemu_end(struct qemu *qemu);
void qemu_path(const struct qemu_plan *plan, const char *what, char *path, size_t size);

#endif
