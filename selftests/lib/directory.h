/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* directory.h - directories that go away with the test. */
#ifndef STRADDLE_TEST_DIRECTORY_H
#define STRADDLE_TEST_DIRECTORY_H

#include <stddef.h>

int directory_create(char *path, size_t size);
int directory_remove(const char *path);
/* A file in it takes all room that is left there, and gives it back. */
int directory_fill(const char *path);
int directory_make_room(const char *path);
/* What is mounted from here on goes away with the process and its children. */
int mounts_of_own(void);

#endif
