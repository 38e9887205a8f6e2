/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.h - the programs that were built with this test. */
#ifndef STRADDLE_TEST_PROGRAM_H
#define STRADDLE_TEST_PROGRAM_H

#include <stddef.h>

void build_path(char *path, size_t size, const char *relative);
int program_output(const char *const argv[], char *text, size_t size);

#endif
