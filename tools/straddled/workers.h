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
};

/* Told to whoever watches: progress, and the result when @last. */
typedef void (*worker_news_fn)(void *arg, struct json_object *news, bool last);

struct worker {
	struct worker *next;
	struct agent *agent;
	enum worker_kind kind;
	enum side side;
	char id[MIGRATION_ID_TEXT];
	char guest[GUEST_NAME_MAX];	/* "" until it is known */
	char peer[256];			/* HOST:PORT */
	pid_t pid;
	int pidfd, rpc, command;	/* rpc -1: broken off */
	sd_event_source *exit_source, *rpc_source;
	bool begun;			/* it has a row */
	bool dry_run;			/* it only asks */
	struct remote_fds attached;	/* in the guest's process */
	char error[FAIL_TEXT_MAX];	/* first reason of failure, or "" */
	struct json_object *summary;	/* or NULL */
	struct json_object *progress;	/* the last, or NULL */
	struct uplink uplink;
	worker_news_fn news;		/* or NULL */
	void *news_arg;
};

/* The row of a job for each kind; the connection is passed on, not kept. */
int worker_migrate(struct agent *agent, const struct migration_options *options,
		   struct worker **worker, struct fail *fail);
int worker_accept(struct agent *agent, enum worker_kind kind, const char *id,
		  struct json_object *row, struct worker **worker, struct fail *fail);
struct worker *worker_find(struct agent *agent, const char *id, enum side side);
struct worker *worker_of_guest(struct agent *agent, const char *guest);
int worker_tell(struct worker *worker, struct json_object *packet, int passed);
void worker_ended(struct worker *worker);
void workers_forget(struct agent *agent);

/* report.c: how it ended. */
void worker_report(struct worker *worker, const struct journal_row *row);

/* spawn.c: the process and its descriptors. */
int worker_spawn(struct worker *worker, struct fail *fail);

/* port_rpc.c: a worker asks. */
int worker_rpc_start(struct worker *worker);
void worker_rpc_drain(struct worker *worker);

#endif
