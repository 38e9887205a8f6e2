/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench.h - what is measured, and against what.
 *
 * A row measures ours and a peer (or a floor) in turn, A B A B ..., so that
 * whatever else the machine does falls on both; ratios are taken pair by pair.
 */
#ifndef STRADDLE_BENCH_H
#define STRADDLE_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "fail.h"
#include "tools/bench/site.h"

#define PAIRS_MAX	101

/* What of a transfer, or of a thread's waits. */
enum aspect { USUAL, CPU_TIME, P99 };	/* USUAL: throughput, the median */

enum sense { AT_LEAST, AT_MOST, NO_GOAL };

struct row;

/* One measurement. Return: 0 with *@value in the row's unit, or -errno. */
typedef int measure_fn(const struct site *site, const struct row *row,
		       double *value, struct fail *fail);

struct row {
	const char *id, *unit;
	const char *measures;		/* what ours is */
	const char *against;		/* what the peer is; NULL: nothing, so that
					 * the goal is a value */
	measure_fn *ours, *peer;
	enum sense sense;
	double goal;			/* of the ratio, or of the value */
	unsigned int lanes;		/* of the push; or threads that fault */
	bool tls;
	enum aspect aspect;
};

struct spread {
	double min, median, max;
};

struct result {
	bool measured;
	bool compared;			/* there is a ratio: no peer's value was 0 */
	struct spread ours, peer, ratio;
	bool met;
};

/* All rows that are known, and what came out of those that were measured. */
struct report {
	const struct row **rows;
	struct result *results;
	unsigned int count, pairs;
	bool quick;
};

/* A file for the results; no @path: they are not wanted in it. */
struct output {
	const char *path;
	FILE *file;
};

struct options {
	unsigned long pairs, size_mib, faults;
	const char *rows;
	const char *qemu;
	const char *plots;		/* directory; NULL: none are wanted */
	struct output json, markdown;
	bool quick, list, help;
};

int options_parse(struct options *options, int argc, char **argv);
int options_check(const struct options *options, const struct report *report);
bool options_want(const struct options *options, const struct row *row);
void options_help(void);

extern const struct row rows[];
extern const unsigned int rows_count;

int double_compare(const void *a, const void *b);
void result_make(const struct row *row, double *ours, double *peer, unsigned int pairs,
		 struct result *result);
int row_run(const struct site *site, const struct row *row, unsigned int pairs,
	    struct result *result, struct fail *fail);
double row_quantile(const struct row *row);
double row_value(const struct row *row, uint64_t bytes, const struct outcome outcomes[2]);
void row_goal(const struct row *row, char *text, size_t size);

/* The measurements: push.c, stream.c, fault.c, floor.c, books.c, narrow.c */
measure_fn push_measure, round_measure;
measure_fn stream_measure, stream_memory_measure;
measure_fn fault_measure, fault_floor_measure;
measure_fn faults_measure, faults_few_measure, faults_local_measure;
measure_fn busy_fault_measure, busy_push_measure, busy_walk_measure;
measure_fn bands_fault_measure, bands_push_measure;
measure_fn walk_measure, leap_measure;
measure_fn fault_narrow_measure, stream_narrow_measure;
int narrow_whole_run(const struct site *site, const struct row *row, measure_fn *fn,
		     double *value, struct fail *fail);
int narrow_run(const struct site *site, const struct row *row, measure_fn *fn, double *value,
	       struct fail *fail);
int narrow_bands_run(const struct site *site, const struct row *row, measure_fn *fn,
		     double *value, struct fail *fail);
unsigned int faults_many(const struct site *site);
measure_fn books_source_measure, books_dest_measure;
measure_fn memory_source_measure, memory_dest_measure;

/* Of the push: fill.c, wire.c, line.c */
measure_fn fill_insert_measure, fill_map_measure;
measure_fn fill_cold_measure, populate_cold_measure, alias_cold_measure;
measure_fn fill_warm_measure, populate_warm_measure, alias_warm_measure;
measure_fn wire_measure, line_measure;

/* Of 2 MiB pages: huge.c, floor.c */
measure_fn push_huge_measure, fault_huge_measure, fault_huge_floor_measure;

/* Of memory that is what programs are: packed.c */
measure_fn packed_measure, unpacked_measure;
measure_fn packed_narrow_measure, unpacked_narrow_measure;

/* report.c */
void report_print(const struct report *report);
void report_json(FILE *file, const struct report *report);
void report_markdown(FILE *file, const struct report *report);
int plots_write(const struct report *report, const char *dir, struct fail *fail);

#endif
