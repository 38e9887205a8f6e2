/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* persistent.h - the file that holds a guest's persistent definition. */
#ifndef STRADDLE_VMM_PERSISTENT_H
#define STRADDLE_VMM_PERSISTENT_H

#include "fail.h"

int persistent_read(const char *path, char **text, struct fail *fail);
int persistent_write(const char *path, const char *text, struct fail *fail);
int persistent_remove(const char *path, struct fail *fail);

#endif
