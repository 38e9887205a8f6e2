// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sample.c - which cells of the matrix a run takes, and what came of them.
 *
 * A run takes one residue class of the cells. Its number comes from the seed,
 * and the seed is one more than that of the last run of this build, so that
 * 20 runs reach all; the first one begins with the day, so that fresh builds
 * of 20 days do as well.
 */
#include "sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "selftests/lib/program.h"

#define SECONDS_A_DAY	86400

static const char *const outcome_names[] = {
	[OUTCOME_COMPLETED] = "completed",
	[OUTCOME_ABORTED] = "aborted cleanly",
	[OUTCOME_RECOVERED] = "recovered",
	[OUTCOME_RESOLVED] = "held and resolved",
	[OUTCOME_FAILED] = "failed",
};

#define OUTCOMES	(sizeof(outcome_names) / sizeof(outcome_names[0]))

static struct sample *chosen;
static pid_t chooser;
static size_t cells_in_all;

static uint64_t environment_number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : 0;
}

static uint64_t seed_last(const char *path)
{
	uint64_t seed = 0;
	FILE *file = fopen(path, "re");

	if (file && fscanf(file, "%" SCNu64, &seed) != 1)
		seed = 0;
	if (file)
		fclose(file);
	return seed;
}

/* One after the other; where nothing can be noted it stays that of the day. */
static uint64_t seed_next(void)
{
	char path[512];
	uint64_t seed;
	FILE *file;

	build_path(path, sizeof(path), "selftests/faults/matrix.seed");
	seed = seed_last(path);
	seed = seed ? seed + 1 : (uint64_t)time(NULL) / SECONDS_A_DAY;
	file = fopen(path, "we");
	if (file) {
		fprintf(file, "%" PRIu64 "\n", seed);
		fclose(file);
	}
	return seed;
}

static void part_choose(struct sample *sample)
{
	const char *text = getenv("MATRIX_PART");

	sample->parts = SAMPLE_PARTS * test_sample_divisor();
	sample->part = sample->seed % sample->parts;
	if (!text)
		return;
	if (sscanf(text, "%lu/%lu", &sample->part, &sample->parts) != 2 || !sample->parts) {
		sample->part = 0;
		sample->parts = 1;	/* "all" */
	}
	sample->part %= sample->parts;
}

/**
 * sample_choose() - which cells this run takes
 * @sample: receives it; lives as long as the program
 * @cells: how many there are in all
 */
void sample_choose(struct sample *sample, size_t cells)
{
	sample->seed = environment_number("MATRIX_SEED");
	if (!sample->seed)
		sample->seed = seed_next();
	part_choose(sample);
	sample->outcomes = mmap(NULL, OUTCOMES * sizeof(*sample->outcomes),
				PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sample->outcomes == MAP_FAILED)
		abort();
	chosen = sample;
	chooser = getpid();
	cells_in_all = cells;
}

/**
 * sample_has() - does this run take a cell?
 * @sample: of this run
 * @cell: its number
 *
 * Return: true if it does.
 */
bool sample_has(const struct sample *sample, size_t cell)
{
	return cell % sample->parts == sample->part;
}

/**
 * sample_seed_of() - what chance depends on in a cell
 * @sample: of this run
 * @name: of the cell
 *
 * Return: a number that is the same for the same seed and cell.
 */
uint64_t sample_seed_of(const struct sample *sample, const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ sample->seed;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return hash >> 32 ? hash >> 32 : 1;
}

/**
 * sample_count() - a cell is over
 * @sample: of this run
 * @outcome: how it ended; a test that failed counts as failed
 */
void sample_count(const struct sample *sample, enum outcome outcome)
{
	if (test_has_failed())
		outcome = OUTCOME_FAILED;
	__atomic_add_fetch(&sample->outcomes[outcome], 1, __ATOMIC_RELAXED);
}

/* Last, by the program that started all tests; nothing where none ran. */
__attribute__((destructor))
static void sample_say(void)
{
	unsigned int i, sum = 0;

	if (getpid() != chooser)
		return;
	for (i = 0; i < OUTCOMES; i++)
		sum += chosen->outcomes[i];
	if (!sum)
		return;
	printf("# NOTE matrix: %u of %zu cells", sum, cells_in_all);
	for (i = 0; i < OUTCOMES; i++)
		printf(", %u %s", chosen->outcomes[i], outcome_names[i]);
	printf("; again: MATRIX_SEED=%" PRIu64 " MATRIX_PART=%lu/%lu\n", chosen->seed,
	       chosen->part, chosen->parts);
}
