/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sample.h - which cells of the matrix a run takes, and what came of them. */
#ifndef STRADDLE_TEST_SAMPLE_H
#define STRADDLE_TEST_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aftermath.h"

#define SAMPLE_PARTS	20

struct sample {
	uint64_t seed;			/* 1 and more */
	unsigned long part, parts;	/* cells part, part + parts, ... */
	unsigned int *outcomes;		/* by enum outcome; shared by all tests */
};

void sample_choose(struct sample *sample, size_t cells);
bool sample_has(const struct sample *sample, size_t cell);
uint64_t sample_seed_of(const struct sample *sample, const char *name);
void sample_count(const struct sample *sample, enum outcome outcome);

#endif
