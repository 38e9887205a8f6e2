/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * move.h - one migration of the bench guest between two QEMUs.
 *
 * A course says what the guest does meanwhile, a mover who moves it; what is
 * found out is told by the guest, by QEMU's events and by the kernel, so that
 * it is the same whoever the mover is. Only the number of pages that were
 * asked for is the mover's own word.
 */
#ifndef STRADDLE_BENCH_MOVE_H
#define STRADDLE_BENCH_MOVE_H

#include <stdbool.h>

#include "tools/bench/qemu.h"
#include "tools/bench/site.h"

enum load {
	LOAD_NONE,		/* the guest sleeps */
	LOAD_TOUCH,		/* from resume on it touches what may be missing; each
				 * host has processors of its own then */
	LOAD_WRITE,		/* it writes random pages, before and after */
	LOAD_SWEEP,		/* likewise, one after the other */
};

struct course {
	const char *id;
	enum load load;
	uint64_t memory_mib;	/* filled, all of it */
	uint64_t work_mib;	/* of that: what is written */
	bool narrow;		/* over 1 Gbit/s; else as fast as it goes */
	uint64_t push_mib;	/* a second after the switch, until touched; 0: no limit */
	bool precopy;		/* one round, then post-copy; else post-copy at once */
};

/* What is found out; units as rows give them. */
enum finding {
	FOUND_FAULT_P50,	/* us, in the guest */
	FOUND_FAULT_P99,
	FOUND_DOWNTIME,		/* ms, from STOP to RESUME */
	FOUND_FAULTS,		/* pages asked for, per page of what is written */
	FOUND_BACK,		/* ms, from RESUME until 90 % of the rate before */
	FOUND_PRECOPY_RATE,	/* the guest's own before STOP, of that before all */
	FOUND_PUSH,		/* MiB/s: memory by the time from STOP to the end */
	FOUND_TOTAL,		/* MiB/s: memory by the time from the order to the end */
	FOUND_CPU,		/* ms a GiB: who moves, both ends */
	FINDINGS
};

/* The guest's rate, line by line. */
struct beat {
	uint64_t when_us;	/* CLOCK_REALTIME */
	uint64_t wrote;
};

struct series {
	struct beat *beats;
	size_t count, room;
};

struct samples {
	double *us;
	size_t count, wanted;
	bool told;		/* how many there are */
};

struct mover;

struct move {
	const struct site *site;
	const struct course *course;
	const struct mover *mover;
	struct qemu_plan plans[2];
	struct qemu source, dest;
	pid_t agents[2], command;	/* of the mover, where it has such */
	bool switched, ended;		/* of the mover: it was told to */
	uint64_t asked;			/* of the mover: pages, when it had ended */
	uint64_t began_us, done_us;
	uint64_t cpu_ns;		/* of who moves */
	uint64_t source_cpu_ns;		/* of a source's QEMU that is gone */
	struct series series;
	struct samples samples;
	double found[FINDINGS];
};

struct mover {
	const char *name;		/* "qemu-postcopy" */
	const char *capabilities[2];	/* of a QEMU that moves its guest itself */
	bool postcopy;
	int (*prepare)(struct move *move, struct fail *fail);
	int (*start)(struct move *move, struct fail *fail);
	int (*step)(struct move *move, struct fail *fail);	/* 1: all is there, and gone here */
	int (*hurry)(struct move *move, struct fail *fail);	/* without limit */
	uint64_t (*cpu_ns)(const struct move *move);
	int (*faults)(struct move *move, double *faults, struct fail *fail);
};

extern const struct mover mover_straddle;
extern const struct mover mover_qemu, mover_qemu_preempt, mover_qemu_multifd;

int move_run(const struct site *site, const struct course *course, const struct mover *mover,
	     double found[FINDINGS], struct fail *fail);

/* found.c */
int found_line(struct move *move, const char *line);
void found_trace(const struct move *move, FILE *file);
bool found_samples(const struct move *move);
void found_all(struct move *move);
bool found_back(const struct move *move);
uint64_t found_now_us(void);
double found_ticks_a_second(void);

#endif
