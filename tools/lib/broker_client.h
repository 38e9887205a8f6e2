/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_client.h - ask the broker for what needs CAP_SYS_PTRACE.
 *
 * The broker is a process of the agent's; a worker, which has no capability,
 * holds a connection to it, and can name nobody through it but the one process
 * that broker_bind() named. That goes over a connection of its own, which whoever
 * knows the guest has, and a worker that reads what strangers send has not. One
 * thread at a time.
 */
#ifndef STRADDLE_BROKER_CLIENT_H
#define STRADDLE_BROKER_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "uffd/uffd.h"

#define BROKER_RANGES_MAX	2048	/* ranges in one request */

int broker_bind(int binder_fd, int pidfd, struct fail *fail);
int broker_attach(int client_fd, pid_t pid,
		  struct uffd_attachment *attachment, struct fail *fail);
int broker_adopt(int client_fd, pid_t pid, int remote_fd,
		 struct uffd_attachment *attachment, struct fail *fail);
int broker_detach(int client_fd, struct uffd_attachment *attachment,
		  struct fail *fail);
int broker_zap(int client_fd, const struct range *ranges, size_t count,
	       struct fail *fail);

/* ---- what goes over the connection (one host, one build) --------------- */

enum broker_verb {
	BROKER_ATTACH = 1,	/* pid -> remote_fd, {pidfd, uffd} */
	BROKER_ADOPT = 2,	/* pid, remote_fd -> {pidfd, uffd} */
	BROKER_DETACH = 3,	/* remote_fd, {uffd} */
	BROKER_ZAP = 4,		/* ranges */
	BROKER_BIND = 5,	/* {pidfd}; a packet of these four bytes, by the binder */
};

/* Sent up to the last range that is used, and not a byte more. */
struct broker_request {
	uint32_t verb;			/* enum broker_verb */
	int32_t pid;
	int32_t remote_fd;
	uint32_t range_count;
	struct range ranges[BROKER_RANGES_MAX];
};

struct broker_reply {
	int32_t err;			/* 0 or -errno */
	int32_t remote_fd;
};

#endif
