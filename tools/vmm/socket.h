/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.h - the guest's name in the run directory. */
#ifndef STRADDLE_VMM_SOCKET_H
#define STRADDLE_VMM_SOCKET_H

#include "fail.h"

int socket_listen(const char *run_dir, const char *name, int *dir_fd,
		  int *fd, struct fail *fail);
void socket_remove(int dir_fd, const char *name);

#endif
