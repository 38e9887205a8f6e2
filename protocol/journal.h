/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.h - who owns which guest, on disk, before it is true (SQLite).
 *
 * One row a migration and side. The agent is its only writer. A state is an
 * intent (synced before the act, redone at start) or a fact (written after).
 */
#ifndef STRADDLE_JOURNAL_H
#define STRADDLE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "protocol/channel.h"
#include "protocol/guest.h"
#include "protocol/message.h"

enum owner_state {
	STATE_NONE = 0,
	/* source */
	STATE_BEGUN = 1,
	STATE_PERFORMING = 2,
	STATE_STOPPING = 3,	/* intent */
	STATE_STOPPED = 4,
	STATE_ASKED = 5,	/* intent: synced before Finish is sent */
	STATE_HELD = 6,		/* the dest answered RAN */
	STATE_TEARING_DOWN = 7,	/* intent */
	STATE_TORN_DOWN = 8,
	STATE_RESUMING = 9,	/* intent */
	STATE_RESUMED = 10,
	STATE_CORRUPT = 11,	/* proofs differ: held, told */
	STATE_DELEGATED = 12,	/* intent: libvirt owns it, and may move it */
	STATE_MOVED = 13,	/* libvirt did */
	STATE_DIED_THERE = 14,	/* the dest answered DIED: an operator decides */
	STATE_TAKING_BACK = 15,	/* intent: an operator's; epoch n + 2 */
	STATE_TAKEN_BACK = 16,
	/* dest */
	STATE_PREPARED = 20,
	STATE_LOADED = 21,
	STATE_GO = 22,		/* intent: synced, then started */
	STATE_DISCARDED = 23,	/* intent: a promise; NEVER_RAN */
	STATE_RUNNING = 24,
	STATE_COMPLETE = 25,
	STATE_DONE = 26,
	STATE_DIED = 27,
	STATE_SUPERSEDED = 28,	/* taken back at the source: held here */
	STATE_POISONED = 29,	/* runs, without what was missing */
};

struct owner_rule {
	enum owner_state state;
	const char *name;	/* "TEARING_DOWN" */
	enum side side;
	bool intent;
	bool ended;		/* a tombstone; the row is no longer open */
	uint64_t from;		/* bit mask of states it may follow */
};

/* owner.c: the table, and what it forbids. */
extern const struct owner_rule owner_table[];
extern const size_t owner_table_count;
const struct owner_rule *owner_rule(enum owner_state state);
const char *owner_state_name(enum owner_state state);
enum owner_state owner_state_named(const char *name);
bool owner_may_move(enum owner_state from, enum owner_state to);
bool owner_is_heralded(enum owner_state state);

#define MIGRATION_ID_TEXT	33	/* hex, NUL included */

struct journal_row {
	char id[MIGRATION_ID_TEXT];
	enum side side;
	enum owner_state state;
	char guest[GUEST_NAME_MAX];
	char uuid[GUEST_UUID_SIZE];
	char peer[256];		/* HOST:PORT (source), peer's name (dest) */
	char went_to[256];	/* source: what @peer was when the guest left,
				 * if an operator said another one since, or "" */
	char peer_digest[65];	/* channel_peer(), in hex */
	uint64_t epoch;
	int64_t guest_pid;
	char process[96];	/* which process the guest's is, "" unknown: pid,
				 * start time, boot: nobody else gets these */
	bool paused;		/* source: it was paused before Begin */
	uint64_t began_ns;	/* CLOCK_REALTIME */
	uint64_t ended_ns;	/* 0: open */
	char error[FAIL_TEXT_MAX];	/* first reason of failure, or "" */
	char *summary;		/* JSON, owned, or NULL */
	char *proof;		/* JSON, owned, or NULL: for COMPLETE again */
	bool acknowledged;	/* the peer has heard how it ended */
};

void journal_row_fini(struct journal_row *row);
/* Where the guest may run, whatever the peer is called now. */
const char *journal_row_host(const struct journal_row *row);

struct journal;

/* Creates @dir (0700) and the file (0600) where missing. */
int journal_open(const char *dir, struct journal **journal, struct fail *fail);
void journal_close(struct journal *journal);
/* journal.c: faults for what is written from now on. */
struct inject;
void journal_inject(struct journal *journal, struct inject *inject);

/* A new row, in its first state (BEGUN or PREPARED), synced. */
int journal_begin(struct journal *journal, const struct journal_row *row,
		  struct fail *fail);
/*
 * Compare-and-set, synced: moves the row to @to iff it stands in a state
 * that owner_table allows to precede it. -ESTALE: it does not; @now receives
 * where it stands. This one call decides GO against DISCARDED.
 */
int journal_move(struct journal *journal, const char *id, enum side side,
		 enum owner_state to, enum owner_state *now,
		 struct fail *fail);
/* Facts beside the state; NULL leaves one as it is. The first error stays. */
int journal_note(struct journal *journal, const char *id, enum side side,
		 const char *error, const char *summary, const char *proof,
		 struct fail *fail);
/* Its owner paused the guest, or resumed it: so it is if it stays here. */
int journal_paused(struct journal *journal, const char *id, enum side side,
		   bool paused, struct fail *fail);
/* Which process is the guest's: what is said of its end is said of that. */
int journal_process(struct journal *journal, const char *id, enum side side,
		    const char *process, struct fail *fail);
/* Where the source finds its dest from now on; where it went to is kept. */
int journal_peer(struct journal *journal, const char *id, enum side side,
		 const char *peer, struct fail *fail);
/* -ENOENT: no such row, which is silence and not an answer. */
int journal_get(struct journal *journal, const char *id, enum side side,
		struct journal_row *row, struct fail *fail);
/* Called once a row, newest first; non-zero ends it and is returned. */
typedef int journal_each_fn(const struct journal_row *row, void *arg);
/* Rows that are not ended: what an agent has to take up at its start. */
int journal_each_open(struct journal *journal, journal_each_fn *each,
		      void *arg, struct fail *fail);
/*
 * Rows of the source that have ended, and whose dest has not heard of it. Of those
 * in TORN_DOWN only those of the last JOURNAL_DAYS: a dest that comes back later
 * hears of it by its operator (--unsafe).
 */
int journal_each_unheard(struct journal *journal, journal_each_fn *each,
			 void *arg, struct fail *fail);
/*
 * The newest migration that brought a guest here, and whose source has not
 * heard that it arrived. -ENOENT: none.
 */
int journal_unconfirmed(struct journal *journal, const char *uuid,
			struct journal_row *row, struct fail *fail);
int journal_history(struct journal *journal, unsigned int limit,
		    journal_each_fn *each, void *arg, struct fail *fail);
/* The newest epoch that this host knows of a guest; 0: none. */
int journal_epoch(struct journal *journal, const char *uuid, uint64_t *epoch,
		  struct fail *fail);
/* The peer has heard how it ended: the tombstone may expire. */
int journal_acknowledge(struct journal *journal, const char *id,
			enum side side, struct fail *fail);
/*
 * Drop tombstones that are acknowledged and older than @days. Of those that are
 * not, and that no guest depends on, the newest JOURNAL_UNHEARD_MAX of a state and
 * peer stay.
 */
#define JOURNAL_UNHEARD_MAX	1000
#define JOURNAL_DAYS		30
int journal_expire(struct journal *journal, unsigned int days,
		   struct fail *fail);

#endif
