/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plain.h - text from elsewhere, and quantities, for people's terminals. */
#ifndef STRADDLE_PLAIN_H
#define STRADDLE_PLAIN_H

#include <stdint.h>
#include <stdio.h>

#define QUANTITY_MAX	32	/* bytes of a quantity in words */

void plain_put(FILE *file, const char *text);
const char *bytes_words(uint64_t bytes, char words[QUANTITY_MAX]);
const char *time_words(uint64_t ns, char words[QUANTITY_MAX]);

#endif
