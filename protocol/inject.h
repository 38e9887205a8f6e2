/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.h - faults that a user asked for, at named points, for tests.
 *
 * "finish.answer:drop", "fault.want:delay=200ms/10%", "journal.GO:kill". What
 * points there are is data: the message table, the frames of a lane and the
 * table of owners; inject_help() lists them. A process does this to what it
 * sends and writes itself, so that its peer is the one under test.
 *
 * Everything takes NULL for "nothing is injected" and does nothing then.
 */
#ifndef STRADDLE_INJECT_H
#define STRADDLE_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "copy/lane.h"
#include "protocol/journal.h"
#include "protocol/message.h"

#define INJECT_SPECS_MAX	64	/* of one process */
#define INJECT_TEXT_MAX		96	/* bytes of one spec, NUL included */

/* What a point is part of: what may be done there depends on it. */
enum inject_kind {
	INJECT_MESSAGE,		/* number: enum message_type */
	INJECT_FRAME,		/* number: enum frame_type */
	INJECT_JOURNAL,		/* number: enum owner_state or inject_write */
	INJECT_MOVE,		/* number: enum owner_state */
};

#define INJECT_KIND_BIT(kind)	(1u << (kind))

/* Writes of the journal that are no state; apart from enum owner_state. */
enum inject_write {
	INJECT_PEER = 58,
	INJECT_PROCESS = 59,
	INJECT_NOTE = 60,
	INJECT_PAUSED = 61,
	INJECT_ACKNOWLEDGE = 62,
	INJECT_EXPIRE = 63,
};

/* Bits: several specs may strike at once. In the order in which they act. */
enum inject_action {
	INJECT_KILL = 1 << 0,
	INJECT_STALL = 1 << 1,
	INJECT_DELAY = 1 << 2,
	INJECT_SLOW = 1 << 3,
	INJECT_FAIL = 1 << 4,
	INJECT_FLIP = 1 << 5,
	INJECT_DROP = 1 << 6,
	INJECT_DUPLICATE = 1 << 7,
	INJECT_TRUNCATE = 1 << 8,
	INJECT_CUT_BEFORE = 1 << 9,
	INJECT_CUT_MIDDLE = 1 << 10,
	INJECT_CUT_AFTER = 1 << 11,
	INJECT_KILL_AFTER = 1 << 12,
	INJECT_STALL_AFTER = 1 << 13,
};

/* Which bits of a message or frame may be flipped. */
enum inject_part { INJECT_ANY, INJECT_HEADER, INJECT_BODY };

/* Where a process has come to. */
struct inject_place {
	enum inject_kind kind;
	unsigned int number;		/* within its kind, below 64 */
	enum phase phase;		/* messages, frames */
	enum lane_role role;		/* frames */
	uint64_t bytes;			/* messages, frames: that are to leave */
	const char *id;			/* of the migration; NULL: the process's */
};

/* What is to be done there; all zero: nothing. */
struct inject_plan {
	unsigned int actions;		/* enum inject_action */
	uint64_t wait_ns;		/* of DELAY and SLOW */
	int error;			/* of FAIL, -errno */
	enum inject_part part;		/* of FLIP */
	uint64_t random;
};

struct inject;

/* Told before anything is done, as the process may not live to tell it. */
typedef void inject_told_fn(const char *text);

/*
 * A set of specs, none yet. -EOPNOTSUPP: this build has none of it (make
 * INJECT=0).
 */
int inject_create(struct inject **inject, struct fail *fail);
void inject_destroy(struct inject *inject);
/* "SPEC[,SPEC]..."; -EINVAL, and @fail says what is wrong, where and what to do. */
int inject_add(struct inject *inject, const char *text, struct fail *fail);
void inject_seed(struct inject *inject, uint64_t seed);
/* Whom to tell, and the id of the one migration of this process, or NULL. */
void inject_tell(struct inject *inject, inject_told_fn *told, const char *id);
/*
 * Count in a file, so that all processes that share it count together and
 * those that come after a death go on. @fresh: it may be begun anew, where it
 * is of other specs or another seed; @seeded: the seed is given, else one that
 * is in the file is taken over.
 */
int inject_share(struct inject *inject, const char *path, bool fresh, bool seeded,
		 struct fail *fail);

size_t inject_count(const struct inject *inject);
const char *inject_text(const struct inject *inject, size_t spec);
uint64_t inject_seed_get(const struct inject *inject);
/* How often its point was come to, and how often it struck. */
void inject_counts(const struct inject *inject, size_t spec, uint64_t *reached,
		   uint64_t *struck);
void inject_help(FILE *out);

/* A point as a spec names it. */
struct inject_point {
	char name[48];			/* "finish.answer", "journal.GO" */
	enum inject_kind kind;
	unsigned int sides;		/* bits enum side: who comes to it */
	unsigned int phases;		/* frames: PHASE_BIT()s; else 0 */
};

/* All points, each message once a phase, and all actions; for what tests all. */
bool inject_point_get(size_t index, struct inject_point *point);
const char *inject_action_get(size_t index, unsigned int *kinds);

/* inject.c: decide. @plan is filled in, also where nothing is to be done. */
void inject_at(struct inject *inject, const struct inject_place *place,
	       struct inject_plan *plan);
/* What is done before: kill, stall, wait (also until @fd hangs up; or -1). */
void inject_before(const struct inject_plan *plan, int fd);
/* Both, of a worker that asks its agent to write a state. */
void inject_move(struct inject *inject, enum owner_state to, struct inject_plan *plan);
/* What is done after. */
void inject_after(const struct inject_plan *plan);

/* inject_send.c: messages and frames. */
void inject_phase(struct inject *inject, enum phase phase);
enum phase inject_phase_now(const struct inject *inject);
int inject_message(struct inject *inject, enum phase phase, struct channel *channel,
		   enum message_type type, const ProtobufCMessage *body, struct fail *fail);
void inject_lane(struct inject *inject, struct lane *lane);

#endif
