/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h - either end of a migration's memory, without phases or guests. */
#ifndef STRADDLE_BENCH_ENGINE_H
#define STRADDLE_BENCH_ENGINE_H

#include "copy/dest.h"
#include "copy/source.h"
#include "tools/bench/site.h"

#define GENERATION	1	/* of all frames: each process moves once */

/* What is moved, and over what. Both ends go by the same plan. */
struct plan {
	unsigned int push_lanes, fault_lanes;
	bool tls;
	bool packs;		/* push lanes, where that pays */
	int memory;		/* source: the guest's */
	uint64_t size, filled;	/* bytes; what is filled comes first */
	bool huge;		/* pages of 2 MiB, else of 4 KiB */
};

/* One process's end; it goes away with the process. */
struct engine {
	struct party *party;
	const struct plan *plan;
	struct region_map map;
	struct source *source;
	struct dest *dest;
	uint8_t *guest;		/* dest: the guest's mapping */
	int memory;		/* dest: its memfd, empty */
};

static inline unsigned int plan_page_shift(const struct plan *plan)
{
	return plan->huge ? 21 : 12;
}

int engine_open_source(struct engine *engine, struct party *party,
		       const struct plan *plan);
int engine_open_dest(struct engine *engine, struct party *party,
		     const struct plan *plan);
int engine_switch(struct engine *engine);
int engine_wait_source(struct engine *engine, bool (*done)(struct source *));
int engine_wait_dest(struct engine *engine, bool (*done)(struct dest *));
int engine_prove(struct engine *engine);
int engine_push_source(struct engine *engine);
int engine_push_dest(struct engine *engine);

/* Both, with engines of their own: push.c */
int push_run(const struct site *site, struct plan *plan, struct outcome outcomes[2],
	     struct fail *fail);

#endif
