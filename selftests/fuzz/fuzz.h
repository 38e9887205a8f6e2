/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h - a fuzzing target: one function that eats any bytes.
 *
 * The same file is built twice. "make fuzz" links it with libFuzzer (FUZZER is
 * defined then); everywhere else it is a test program whose one test feeds the
 * committed corpus to the function. A target ends in
 *
 *	FUZZ_TARGET(frame)
 *
 *	TEST_HARNESS_MAIN
 */
#ifndef STRADDLE_TEST_FUZZ_H
#define STRADDLE_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "copy/region.h"
#include "harness.h"

/* libFuzzer's name for it; always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZER
#undef TEST_HARNESS_MAIN
#define TEST_HARNESS_MAIN
#define FUZZ_TARGET(name_)
#else
#define FUZZ_TARGET(name_)						\
	TEST_TIMEOUT(name_##_survives_its_corpus, 120)			\
	{								\
		corpus_replay(#name_, LLVMFuzzerTestOneInput);		\
	}
#endif

/* Feeds all inputs of a target's corpus; fails the test where one crashes. */
void corpus_replay(const char *target, int (*feed)(const uint8_t *, size_t));

/* What must hold whatever the input is. */
#define FUZZ_CHECK(condition) do {					\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,	\
			__LINE__, #condition);				\
		abort();						\
	}								\
} while (0)

/* What is left of an input. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

uint8_t fuzz_byte(struct fuzz_input *input);
bool fuzz_line(struct fuzz_input *input, struct fuzz_input *line);

int fuzz_peer(int type, const void *bytes, size_t size, int *other);
const char *fuzz_dir(void);
void fuzz_region(struct region_map *map, uint32_t page_shift, uint64_t pages);
int fuzz_file(const void *bytes, size_t size);

#endif
