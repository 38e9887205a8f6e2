/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp_line.h - the line to a QEMU's monitor: QMP over a Unix socket.
 *
 * QEMU talks to one client at a time, so whoever is through with it hangs up.
 */
#ifndef STRADDLE_GUESTS_QMP_LINE_H
#define STRADDLE_GUESTS_QMP_LINE_H

#include <sys/types.h>
#include <sys/un.h>

#include "fail.h"
#include "tools/lib/jsonline.h"

#define QMP_PATH_MAX	sizeof(((struct sockaddr_un *)0)->sun_path) /* with NUL */

struct qmp_line {
	char path[QMP_PATH_MAX];	/* of the socket */
	int fd;				/* -1: hung up */
	pid_t pid;			/* who listens there; 0: not known yet */
	struct jsonline in;
};

void qmp_line_init(struct qmp_line *line, const char *path);
int qmp_line_open(struct qmp_line *line, struct fail *fail);
void qmp_line_close(struct qmp_line *line);
int qmp_line_call(struct qmp_line *line, const char *command, int fd,
		  int timeout_ms, char **reply, struct fail *fail);

#endif
