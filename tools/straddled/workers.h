/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers.h - the processes that migrate, as the agent sees them. */
#ifndef STRADDLE_WORKERS_H
#define STRADDLE_WORKERS_H

#include "agent.h"
#include "predecessor.h"
#include "protocol/protocol.h"
#include "uplink.h"

struct json_object;

enum worker_kind {
	WORKER_SOURCE,
	WORKER_DEST,
	WORKER_ANSWER,		/* a dest whose worker is gone: from the journal */
	WORKER_LIST,		/* asks the guests of this host who they are */
	WORKER_SETTLE,		/* ends what a dead one left, then itself */
};

/* A worker's guest, as its steward says. */
struct told {
	char guest[GUEST_NAME_MAX];	/* "": nothing yet */
	bool private;			/* not all of its memory is in files */
	pid_t pid;			/* 0: it has no process (yet) */
	char process[sizeof(((struct journal_row *)NULL)->process)];
};

struct worker {
	struct worker *next;
	struct agent *agent;
	enum worker_kind kind;
	enum side side;
	char id[MIGRATION_ID_TEXT];
	char guest[GUEST_NAME_MAX];	/* that it migrates; "" until it is known */
	char row_guest[GUEST_NAME_MAX];	/* of who only tells or answers; for the log */
	char peer[256];			/* HOST:PORT */
	pid_t pid;
	int pidfd, rpc, command;	/* rpc -1: broken off */
	int guest_told;			/* its steward says there which guest it is */
	struct told told;		/* that, so far */
	bool private_due;		/* its job does not say so yet */
	sd_event_source *exit_source, *rpc_source;
	unsigned int looks;		/* since it ended: its steward has not */
	bool begun;			/* it has a row */
	bool proven;			/* its peer has, who it is; known at its end */
	bool placed;			/* dest: the row has the guest's process */
	bool native;			/* it has no steward: its own word counts */
	bool dry_run;			/* it only asks */
	bool unsafe;			/* its user said so */
	bool herald;			/* only tells the dest how it ended */
	bool heard;			/* the dest has, as it says; written or not */
	bool tends;			/* to a row that had ended before */
	bool succeeded;			/* another one goes on with it */
	bool successor;			/* of a worker that died */
	int status;			/* exit status; -1: killed, or it lives */
	struct remote_fds attached;	/* in the guest's process */
	char error[FAIL_TEXT_MAX];	/* first reason of failure, or "" */
	struct json_object *summary;	/* or NULL */
	struct json_object *progress;	/* the last, or NULL */
	struct json_object *listed;	/* WORKER_LIST: guests so far */
	struct uplink uplink;
};

struct worker *worker_new(struct agent *agent, enum worker_kind kind, const char *id);
void worker_close(struct worker *worker);
void worker_unlink(struct worker *worker);
struct worker *worker_find(const struct agent *agent, const char *id, enum side side);
struct worker *worker_for_peer(const struct agent *agent, const char *id);
struct worker *worker_of_guest(struct agent *agent, const char *guest);
const char *worker_about(const struct worker *worker);
struct json_object *worker_progress_member(const struct worker *worker, const char *key);
void worker_replace(struct worker *worker, const char *why);
void worker_connected(struct worker *worker, const char *from, const char *name);
int worker_tell(struct worker *worker, struct json_object *packet, int passed);
void worker_news(const struct worker *worker, struct json_object *news, bool last);
void worker_hand_on(const struct worker *dead, struct worker *heir);
void workers_forget(struct agent *agent);

/* worker_start.c: the row of a job for each kind; the connection is passed on, not kept. */
int worker_migrate(struct agent *agent, const struct migration_options *options,
		   struct worker **worker, struct fail *fail);
int worker_accept(struct agent *agent, enum worker_kind kind, const char *id,
		  struct json_object *row, struct worker **worker, struct fail *fail);
/* What an operator has decided, with the file that it is about, or -1. */
struct decision {
	enum resolution resolution;
	int file;			/* borrowed */
};

int worker_succeed(struct agent *agent, const struct journal_row *row,
		   const struct remote_fds *left, const struct decision *decision,
		   struct worker **worker, struct fail *fail);
int worker_settle(struct agent *agent, const struct journal_row *row,
		  const struct remote_fds *left, const struct worker *dead,
		  struct worker **worker, struct fail *fail);
int worker_list(struct agent *agent, struct worker **worker, struct fail *fail);

/* worker_end.c */
void worker_ended(struct worker *worker);

/* port_begin.c */
int port_begin(struct worker *worker, struct json_object *request, struct json_object *answer,
	       struct fail *fail);

/* report.c: how it ended. */
void worker_report(struct worker *worker, const struct journal_row *row);
void worker_report_list(struct worker *worker);

/* spawn.c: the process and its descriptors. */
int worker_spawn(struct worker *worker, struct fail *fail);

/* port_guest.c: its steward tells. */
void worker_guest_hear(struct worker *worker);
int worker_guest_row(const struct worker *worker, struct journal_row *row, struct fail *fail);

/* port_rpc.c: a worker asks. */
int worker_rpc_start(struct worker *worker);
void worker_rpc_drain(struct worker *worker);

#endif
