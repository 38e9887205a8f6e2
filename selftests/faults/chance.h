/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chance.h - what a migration of the soak is like, and what strikes it. */
#ifndef STRADDLE_TEST_CHANCE_H
#define STRADDLE_TEST_CHANCE_H

#include <stddef.h>
#include <stdint.h>

#include "course.h"
#include "cell.h"

#define BLOWS_MAX	3

/* From outside, at a time of the migration. */
enum blow_kind { BLOW_LINK, BLOW_AGENT, BLOW_WORKER, BLOW_RESET, BLOW_KINDS };

struct blow {
	enum blow_kind kind;
	enum side side;
	unsigned int at_ms, for_ms;	/* since its begin; of LINK: how long */
	unsigned int what;		/* of RESET: enum cut_what */
	int stage;			/* 0: to come, 1: under way, 2: over */
};

struct chance {
	char options[256];		/* of the migration */
	char inject[2][256];		/* by enum side; "": none */
	struct blow blows[BLOWS_MAX];
	unsigned int blow_count;
	uint64_t began_ns;
};

/* What kind of guest and hosts a number of migrations have. */
struct ground {
	enum pair_security security;
	const char *guest[16];		/* options of straddle-vmm, NULL at the end */
	unsigned int migrations;
	char memory[16], working_set[16], rate[16];
};

uint64_t chance_next(uint64_t *random);
void ground_choose(struct ground *ground, uint64_t *random);
void chance_choose(struct chance *chance, const struct cell *cells, size_t count,
		   uint64_t *random);
void chance_say(const struct chance *chance, char *text, size_t size);
/* A course's meanwhile(); @arg: its struct chance. */
void chance_strike(struct course *course, void *arg);
/* Whatever is still broken is mended. */
void chance_end(struct course *course, struct chance *chance);

#endif
