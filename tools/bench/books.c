// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * books.c - what a migration costs in memory of our own.
 *
 * A guest of 8 GiB, most of it never written, crosses; each end then looks at
 * itself: what its page states take, and what it has resident apart from the
 * guest's memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

#define GUEST_SIZE	(8ull << 30)
#define GUEST_FILLED	(256ull << 20)

/* What the two processes go by. */
struct books {
	struct plan plan;
	bool resident;			/* measure that, or the page states */
};

/* The first number of a line of /proc/self/smaps; 0: it is another line. */
static uint64_t smaps_number(const char *line, const char *name)
{
	uint64_t kib = 0;

	if (strncmp(line, name, strlen(name)) ||
	    sscanf(line + strlen(name), "%" SCNu64, &kib) != 1)
		return 0;
	return kib;
}

/* Resident, but for what is mapped at @guest (0: nothing is). */
static int resident_mib(uintptr_t guest, double *mib)
{
	__cleanup_file FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t kib = 0, start, end;
	bool ours = true;
	char line[512];

	if (!file)
		return -EIO;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			ours = !guest || start < guest || start >= guest + GUEST_SIZE;
		else if (ours)
			kib += smaps_number(line, "Rss:");
	}
	*mib = (double)kib / 1024;
	return 0;
}

/* Bits that the source keeps for each page. */
static double source_bits(const struct engine *engine)
{
	const struct source_region *state = &engine->source->regions[0];
	uint64_t words = bitmap_words(state->dirty.bits) + bitmap_words(state->sent.bits) +
			 bitmap_words(state->filled.bits);

	return (double)(words * BITS_PER_WORD) / (double)engine->map.regions[0].pages;
}

/* The ledgers are in the same file, as many whatever the guest's size is. */
static double dest_bits(const struct engine *engine)
{
	uint64_t pages = engine->map.regions[0].pages;

	return (double)(pages_words(pages) * BITS_PER_WORD) / (double)pages;
}

static int books_source(struct party *party)
{
	const struct books *books = party->arg;
	struct engine engine;
	int ret = engine_open_source(&engine, party, &books->plan);

	if (!ret)
		ret = engine_push_source(&engine);
	if (!ret && books->resident)
		return resident_mib(0, &party->outcome->value);
	party->outcome->value = source_bits(&engine);
	return ret;
}

static int books_dest(struct party *party)
{
	const struct books *books = party->arg;
	struct engine engine;
	int ret = engine_open_dest(&engine, party, &books->plan);

	if (!ret)
		ret = engine_push_dest(&engine);
	if (!ret && books->resident)
		return resident_mib((uintptr_t)engine.guest, &party->outcome->value);
	party->outcome->value = dest_bits(&engine);
	return ret;
}

static int measure(const struct site *site, bool resident, unsigned int end, double *value,
		   struct fail *fail)
{
	struct books books = {
		.plan = {
			.push_lanes = 2,
			.fault_lanes = 2,
			.size = GUEST_SIZE,
			.filled = GUEST_FILLED,
		},
		.resident = resident,
	};
	struct outcome outcomes[2];
	int ret;

	books.plan.memory = memory_create(GUEST_SIZE, GUEST_FILLED);
	if (books.plan.memory < 0)
		return fail_set(fail, books.plan.memory, "cannot make a guest of 8 GiB: %s",
				strerror(-books.plan.memory));
	ret = parties_run(site, books_source, books_dest, &books, outcomes, fail);
	close(books.plan.memory);
	if (!ret)
		*value = outcomes[end].value;
	return ret;
}

/**
 * books_source_measure() - what the source notes about a page
 * @site: where
 * @row: unused
 * @value: receives bits
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int books_source_measure(const struct site *site, const struct row *row, double *value,
			 struct fail *fail)
{
	(void)row;
	return measure(site, false, 0, value, fail);
}

/**
 * books_dest_measure() - what the dest notes about a page
 * @site: where
 * @row: unused
 * @value: receives bits
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int books_dest_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	(void)row;
	return measure(site, false, 1, value, fail);
}

/**
 * memory_source_measure() - what the source's process has resident at the end
 * @site: where
 * @row: unused
 * @value: receives MiB
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int memory_source_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	(void)row;
	return measure(site, true, 0, value, fail);
}

/**
 * memory_dest_measure() - the same of the dest's, without the guest's memory
 * @site: where
 * @row: unused
 * @value: receives MiB
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int memory_dest_measure(const struct site *site, const struct row *row, double *value,
			struct fail *fail)
{
	(void)row;
	return measure(site, true, 1, value, fail);
}
