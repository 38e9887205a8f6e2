/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qemu_tool.h - programs of QEMU's that look at images, make and serve them. */
#ifndef STRADDLE_GUESTS_QEMU_TOOL_H
#define STRADDLE_GUESTS_QEMU_TOOL_H

#include "protocol/guest.h"

/* Who a program is to be. */
struct qemu_user {
	uid_t user;
	gid_t group;
};

int qemu_tool_find(const char *name, char *path, size_t size);
int qemu_tool_run(const char *const argv[], const struct qemu_user *as,
		  int timeout_ms, char *text, size_t size);
int qemu_tool_serve(const char *const argv[], const struct qemu_user *as,
		    int listener, struct guest_server *server);

#endif
