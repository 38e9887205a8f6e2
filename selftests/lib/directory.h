/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.h - directories that go away with the test. */
#ifndef STRADDLE_TEST_DIRECTORY_H
#define STRADDLE_TEST_DIRECTORY_H

#include <stddef.h>

int directory_create(char *path, size_t size);
int directory_remove(const char *path);

#endif
