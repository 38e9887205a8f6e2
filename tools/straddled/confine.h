/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine.h - give up what a worker does not need, for good.
 *
 * Before the first byte of another host's is parsed: no capability, no new
 * privileges, no descriptor but those it was given, and a filter of system
 * calls, which is the same for both sides. Whoever breaks into a worker holds
 * the guest that it moves, and what it can ask of its steward; nothing else.
 */
#ifndef STRADDLE_CONFINE_H
#define STRADDLE_CONFINE_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

/* What may be in an argument of a call. */
enum confine_rule {
	CALL_FREE,		/* anything */
	CALL_THREADS,		/* arg 0: flags that make a thread */
	CALL_NOT_EXEC,		/* arg 2: no PROT_EXEC */
	CALL_SELF,		/* arg 0: our process */
	CALL_ONE_OF_0,		/* arg 0: one of @values */
	CALL_ONE_OF_1,		/* arg 1: likewise */
	CALL_REFUSED,		/* not done, and not fatal: answers -@error */
};

struct confine_call {
	int call;			/* SCMP_SYS() */
	enum confine_rule rule;
	int error;			/* CALL_REFUSED */
	const uint64_t *values;
	size_t count;
};

/* Calls that are there for one reason; confine_table.c. */
struct confine_group {
	const char *why;
	const struct confine_call *calls;
	size_t count;
};

extern const struct confine_group confine_table[];
extern const size_t confine_table_count;

int confine_descriptors(unsigned int first, struct fail *fail);
int confine_rights(struct fail *fail);
int confine_calls(bool inject, struct fail *fail);

#endif
