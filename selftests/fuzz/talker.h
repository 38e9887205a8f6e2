/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * talker.h - a server on a Unix socket that answers each request with the next
 * line of an input, whatever it is, or the first one with all of them.
 */
#ifndef STRADDLE_TEST_FUZZ_TALKER_H
#define STRADDLE_TEST_FUZZ_TALKER_H

#include "fuzz.h"

/* @first: what it says to each connection before; NULL-ended. */
void talker_listen(const char *path, const char *const *first, bool at_once);
void talker_begin(struct fuzz_input input);
void talker_end(void);

#endif
