/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inject_spec.h - what the inject_*.c files share: specs as they were parsed. */
#ifndef STRADDLE_INJECT_SPEC_H
#define STRADDLE_INJECT_SPEC_H

#include "protocol/inject.h"

enum inject_when { INJECT_ONCE, INJECT_NTH, INJECT_CHANCE, INJECT_ALL };

#define INJECT_ANY_ROLE		UINT32_MAX
#define INJECT_CERTAIN		(UINT64_C(1) << 32)	/* a chance of 100 % */

struct inject_spec {
	char text[INJECT_TEXT_MAX];	/* as it was given */
	enum inject_kind kind;
	uint64_t numbers;		/* mask, within the kind */
	unsigned int phases;		/* PHASE_BIT()s */
	uint32_t role;			/* enum lane_role or INJECT_ANY_ROLE */
	enum inject_action action;
	uint64_t argument;		/* ns, bytes a second, errno, part */
	enum inject_when when;
	uint64_t when_argument;		/* which time; chance of INJECT_CERTAIN */
};

struct inject_counter {		/* changed by atomic operations only */
	uint64_t reached;
	uint64_t struck;
};

struct inject {
	struct lane_tap tap;
	struct inject_spec specs[INJECT_SPECS_MAX];
	size_t count;
	uint64_t seed;
	unsigned int phase;		/* atomic; of the frames that leave */
	inject_told_fn *told;
	char id[MIGRATION_ID_TEXT];	/* "": several, or none */
	struct inject_counter *counters;	/* @own, or in a shared file */
	struct inject_counter own[INJECT_SPECS_MAX];
	void *shared;			/* NULL: not shared */
};

/* inject_parse.c: one spec, which ends at its NUL. */
int inject_parse(const char *text, struct inject_spec *spec, struct fail *fail);
/* inject_point.c: its part before the colon. */
int inject_point_parse(const char *text, struct inject_spec *spec, struct fail *fail);

/* inject_share.c */
void inject_unshare(struct inject *inject);

void inject_action_help(FILE *out);
void inject_point_help(FILE *out);

#endif
