/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * broker_client.h - ask the broker for what needs CAP_SYS_PTRACE.
 *
 * The broker is a process of the agent's; a worker, which has no capability,
 * holds one connection to it. The first attachment binds the connection to
 * that process: no other can be named through it. One thread at a time.
 */
#ifndef STRADDLE_BROKER_CLIENT_H
#define STRADDLE_BROKER_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "uffd/uffd.h"

#define BROKER_RANGES_MAX	2048	/* ranges in one request */

/* Files of the bound process that the broker opens. */
enum broker_file {
	BROKER_PAGEMAP = 1,	/* read only: for struct uffd_tracker */
	BROKER_MEMORY = 2,	/* read and write: offsets are addresses */
};

int broker_attach(int client_fd, pid_t pid,
		  struct uffd_attachment *attachment, struct fail *fail);
int broker_adopt(int client_fd, pid_t pid, int remote_fd,
		 struct uffd_attachment *attachment, struct fail *fail);
int broker_detach(int client_fd, struct uffd_attachment *attachment,
		  struct fail *fail);
int broker_zap(int client_fd, const struct range *ranges, size_t count,
	       struct fail *fail);
int broker_collapse(int client_fd, const struct range *ranges, size_t count,
		    struct fail *fail);
int broker_open_file(int client_fd, enum broker_file file, int *fd,
		     struct fail *fail);

/* ---- what goes over the connection (one host, one build) --------------- */

enum broker_verb {
	BROKER_ATTACH = 1,	/* pid -> remote_fd, {pidfd, uffd} */
	BROKER_ADOPT = 2,	/* pid, remote_fd -> {pidfd, uffd} */
	BROKER_DETACH = 3,	/* remote_fd, {uffd} */
	BROKER_ZAP = 4,		/* ranges */
	BROKER_COLLAPSE = 5,	/* ranges */
	BROKER_OPEN_FILE = 6,	/* file -> {fd} */
};

/* Sent up to the last range that is used, and not a byte more. */
struct broker_request {
	uint32_t verb;			/* enum broker_verb */
	int32_t pid;
	int32_t remote_fd;
	uint32_t file;			/* enum broker_file */
	uint32_t range_count;
	uint32_t zero;
	struct range ranges[BROKER_RANGES_MAX];
};

struct broker_reply {
	int32_t err;			/* 0 or -errno */
	int32_t remote_fd;
};

#endif
