/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * move.h - migrations that a test asks an agent for, and what they leave.
 *
 * Speaks to the control socket itself, so that a test hears of every state
 * and can act in it.
 */
#ifndef STRADDLE_TEST_MOVE_H
#define STRADDLE_TEST_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "protocol/protocol.h"
#include "selftests/lib/topology.h"
#include "tools/lib/jsonline.h"

struct move {
	int fd;				/* -1: not asked for */
	struct jsonline in;
	char id[MIGRATION_ID_TEXT];
	struct progress progress;	/* the last that was told */
	uint64_t told_ns;		/* when it was read */
	bool over, ok;
	char state[16];			/* of the result */
	char error[FAIL_TEXT_MAX];	/* of the result, or why it never began */
};

/* One request, one answer; @answer may be NULL. 0 or the answer's -errno. */
__attribute__((format(printf, 4, 5)))
int agent_ask(const struct host *host, struct json_object **answer,
	      struct fail *fail, const char *fmt, ...);

/* @options: further members of the options, as JSON: "\"live\":true". */
int move_start(struct move *move, const struct host *from, const char *guest,
	       const char *to, const char *options);
/* The next news. Return: 0, -ENODATA: it is over, or -errno. */
int move_next(struct move *move);
/* Until it is in that state, or -ENODATA: it ended without. */
int move_wait_state(struct move *move, enum owner_state state);
int move_wait_round(struct move *move, uint32_t round);
int move_wait(struct move *move);
void move_end(struct move *move);
/* All of it. Return: 0: it ended well. */
int move_run(struct move *move, const struct host *from, const char *guest,
	     const char *to, const char *options);

/* Who the other host is of the one migration that status shows. */
int status_peer(const struct host *host, char *peer, size_t size);
/* The state of a side's row in a host's history, "" for none. */
void row_state(const struct host *host, const char *id, enum side side,
	       char *state, size_t size);
/* How often a fault of its --inject struck a host; -ENOENT: it has no such. */
int64_t fault_struck(const struct host *host, const char *spec);
/* Workers and their processes of a host; or -errno. */
int host_workers(const struct host *host);
/* Wait until no worker of the host is left. Return: 0 or -errno. */
int host_settle(const struct host *host);

#endif
