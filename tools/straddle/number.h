/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* number.h - numbers of a command line. */
#ifndef STRADDLE_NUMBER_H
#define STRADDLE_NUMBER_H

#include <stdint.h>

int number_parse(const char *text, uint64_t max, uint64_t *number);

#endif
