/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* textfile.h - small files that are replaced as a whole or not at all. */
#ifndef STRADDLE_LIB_TEXTFILE_H
#define STRADDLE_LIB_TEXTFILE_H

#include <stddef.h>

#include "fail.h"

int textfile_read(const char *path, size_t max, char **text,
		  struct fail *fail);
int textfile_write(const char *path, const char *text, struct fail *fail);
int textfile_remove(const char *path, struct fail *fail);

#endif
