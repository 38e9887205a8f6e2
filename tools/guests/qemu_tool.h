/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu_tool.h - programs of QEMU's that look at images, make and serve them,
 * and a QEMU that only tells its version.
 */
#ifndef STRADDLE_GUESTS_QEMU_TOOL_H
#define STRADDLE_GUESTS_QEMU_TOOL_H

#include "protocol/guest.h"

/* Who a program is to be. */
struct qemu_user {
	uid_t user;
	gid_t group;
};

#define QEMU_USER_NOBODY	((struct qemu_user){ 65534, 65534 })

int qemu_tool_find(const char *name, char *path, size_t size);
int qemu_tool_run(const char *const argv[], const struct qemu_user *as,
		  int timeout_ms, char *text, size_t size);
int qemu_tool_run_open(int program, const char *const argv[],
		       const struct qemu_user *as, int timeout_ms, char *text,
		       size_t size);
int qemu_tool_serve(const char *const argv[], const struct qemu_user *as,
		    int listener, struct guest_server *server);

/* qemu_version.c */
int qemu_version(const char *program, char *text, size_t size);
int qemu_version_of(pid_t pid, char *text, size_t size);

#endif
