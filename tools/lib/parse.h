/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* parse.h - numbers, sizes and UUIDs as users and definitions write them. */
#ifndef STRADDLE_LIB_PARSE_H
#define STRADDLE_LIB_PARSE_H

#include <stdint.h>

int parse_count(const char *text, uint64_t *count);
int parse_size(const char *text, uint64_t *size);
int parse_uuid(const char *text);

#endif
