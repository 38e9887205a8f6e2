// SPDX-License-Identifier: LGPL-2.1-or-later
/* runs.c - medians and spreads of runs, as tables and as JSON. */
#include "runs.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tools/lib/migration_json.h"

static const char *const way_names[] = {
	[WAY_VIRSH] = "virsh",
	[WAY_AFTER_PRECOPY] = "straddle, after pre-copy",
	[WAY_POSTCOPY] = "straddle, post-copy only",
};

static const struct {
	const char *key, *title;
} number_names[] = {
	[NUMBER_WALL_MS] = { "wall_ms", "wall, ms" },
	[NUMBER_STILL_MS] = { "still_ms", "stopped to resumed, ms" },
	[NUMBER_GAP_MS] = { "gap_ms", "longest gap between answers, ms" },
	[NUMBER_FAULTS] = { "network_faults", "pages asked for" },
	[NUMBER_QUIET_MS] = { "quiet_gap_ms", "the same gap before, ms" },
	[NUMBER_LOAD] = { "load", "load of the machine" },
};

static const struct {
	const char *title;
	size_t offset;
} parts[] = {
	{ "pause", offsetof(struct progress, downtime_pause_ns) },
	{ "scan", offsetof(struct progress, downtime_scan_ns) },
	{ "save", offsetof(struct progress, downtime_save_ns) },
	{ "load", offsetof(struct progress, downtime_load_ns) },
	{ "arm", offsetof(struct progress, downtime_arm_ns) },
	{ "resume", offsetof(struct progress, downtime_resume_ns) },
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

/**
 * way_name() - what a way is called in the tables
 * @way: the way
 *
 * Return: its name.
 */
const char *way_name(enum way way)
{
	return way_names[way];
}

/* ---- spreads ------------------------------------------------------------ */

struct spread {
	double min, median, max;
};

static int double_order(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

static struct spread spread_of(double *values, unsigned int count)
{
	struct spread spread;

	qsort(values, count, sizeof(*values), double_order);
	spread.min = values[0];
	spread.max = values[count - 1];
	spread.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	return spread;
}

static struct spread number_spread(const struct runs *runs, enum way way,
				   enum number number)
{
	double values[RUNS_PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < runs->pairs; i++)
		values[i] = runs->run[i][way].numbers[number];
	return spread_of(values, runs->pairs);
}

/* Pair by pair, against virsh. */
static struct spread ratio_spread(const struct runs *runs, enum way way,
				  enum number number)
{
	double values[RUNS_PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < runs->pairs; i++)
		values[i] = runs->run[i][way].numbers[number] /
			    runs->run[i][WAY_VIRSH].numbers[number];
	return spread_of(values, runs->pairs);
}

static double part_ns(const struct progress *summary, unsigned int part)
{
	uint64_t ns;

	memcpy(&ns, (const char *)summary + parts[part].offset, sizeof(ns));
	return (double)ns;
}

static double part_median_ms(const struct runs *runs, enum way way,
			     unsigned int part)
{
	double values[RUNS_PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < runs->pairs; i++)
		values[i] = part_ns(&runs->run[i][way].summary, part) / 1e6;
	return spread_of(values, runs->pairs).median;
}

static double downtime_median_ms(const struct runs *runs, enum way way)
{
	double values[RUNS_PAIRS_MAX];
	unsigned int i;

	for (i = 0; i < runs->pairs; i++)
		values[i] = (double)runs->run[i][way].summary.downtime_ns / 1e6;
	return spread_of(values, runs->pairs).median;
}

/* ---- reStructuredText --------------------------------------------------- */

static void spread_text(struct spread spread, const char *format, char *text,
			size_t size)
{
	char low[24], mid[24], high[24];

	snprintf(low, sizeof(low), format, spread.min);
	snprintf(mid, sizeof(mid), format, spread.median);
	snprintf(high, sizeof(high), format, spread.max);
	snprintf(text, size, "%s / %s / %s", low, mid, high);
}

static void rule(FILE *file, unsigned int columns)
{
	fputs("===============================", file);
	while (columns--)
		fputs("  ========================", file);
	fputs("\n", file);
}

static void cells(FILE *file, const char *title, const char *const *texts,
		  unsigned int count)
{
	unsigned int i;

	fprintf(file, "%-31s", title);
	for (i = 0; i < count; i++)
		fprintf(file, i + 1 < count ? "  %-24s" : "  %s", texts[i]);
	fputs("\n", file);
}

static void number_row(FILE *file, const struct runs *runs, enum number number)
{
	char texts[WAY_COUNT][80];
	const char *shown[WAY_COUNT];
	int way;

	for (way = 0; way < WAY_COUNT; way++) {
		spread_text(number_spread(runs, way, number), number == NUMBER_LOAD ?
			    "%.1f" : "%.0f", texts[way], sizeof(texts[way]));
		shown[way] = texts[way];
	}
	cells(file, number_names[number].title, shown, WAY_COUNT);
}

static void ratio_row(FILE *file, const struct runs *runs, const char *title,
		      enum number number)
{
	char texts[WAY_COUNT][80] = { "1" };
	const char *shown[WAY_COUNT] = { texts[0] };
	int way;

	for (way = WAY_VIRSH + 1; way < WAY_COUNT; way++) {
		spread_text(ratio_spread(runs, way, number), "%.2f", texts[way],
			    sizeof(texts[way]));
		shown[way] = texts[way];
	}
	cells(file, title, shown, WAY_COUNT);
}

static void downtime_rows(FILE *file, const struct runs *runs)
{
	char texts[2][24];
	const char *shown[2] = { texts[0], texts[1] };
	unsigned int i;
	int way;

	cells(file, "part of the downtime, ms", way_names + 1, 2);
	rule(file, 2);
	for (i = 0; i <= PARTS; i++) {
		for (way = 0; way < 2; way++)
			snprintf(texts[way], sizeof(texts[way]), "%.1f", i < PARTS ?
				 part_median_ms(runs, way + 1, i) :
				 downtime_median_ms(runs, way + 1));
		cells(file, i < PARTS ? parts[i].title : "all, with transfer", shown, 2);
	}
}

/**
 * runs_rst() - two tables for a document: what was measured, and the downtime
 * @file: where to
 * @runs: at least one pair
 */
void runs_rst(FILE *file, const struct runs *runs)
{
	static const enum number ratios[] = { NUMBER_WALL_MS, NUMBER_STILL_MS,
					      NUMBER_GAP_MS };
	static const char *const titles[] = { "wall, of virsh's", "stopped, of virsh's",
					      "gap, of virsh's" };
	int i;

	rule(file, WAY_COUNT);
	cells(file, "min / median / max", way_names, WAY_COUNT);
	rule(file, WAY_COUNT);
	for (i = 0; i < NUMBER_COUNT; i++)
		number_row(file, runs, i);
	for (i = 0; i < 3; i++)
		ratio_row(file, runs, titles[i], ratios[i]);
	rule(file, WAY_COUNT);
	fputs("\n", file);
	rule(file, 2);
	downtime_rows(file, runs);
	rule(file, 2);
}

/* ---- JSON --------------------------------------------------------------- */

static struct json_object *spread_json(struct spread spread)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "min", json_object_new_double(spread.min));
	json_object_object_add(json, "median", json_object_new_double(spread.median));
	json_object_object_add(json, "max", json_object_new_double(spread.max));
	return json;
}

static struct json_object *way_json(const struct runs *runs, enum way way)
{
	struct json_object *json = json_object_new_object();
	struct json_object *ratios = json_object_new_object();
	int i;

	json_object_object_add(json, "way", json_object_new_string(way_names[way]));
	for (i = 0; i < NUMBER_COUNT; i++) {
		json_object_object_add(json, number_names[i].key,
				       spread_json(number_spread(runs, way, i)));
		if (i <= NUMBER_GAP_MS && way != WAY_VIRSH)
			json_object_object_add(ratios, number_names[i].key,
					       spread_json(ratio_spread(runs, way, i)));
	}
	if (way != WAY_VIRSH)
		json_object_object_add(json, "of_virsh", ratios);
	else
		json_object_put(ratios);
	return json;
}

static struct json_object *run_json(const struct run *run, enum way way,
				    unsigned int pair)
{
	struct json_object *json = json_object_new_object();
	int i;

	json_object_object_add(json, "pair", json_object_new_int64(pair));
	json_object_object_add(json, "way", json_object_new_string(way_names[way]));
	for (i = 0; i < NUMBER_COUNT; i++)
		json_object_object_add(json, number_names[i].key,
				       json_object_new_double(run->numbers[i]));
	if (way != WAY_VIRSH)
		json_object_object_add(json, "summary", progress_to_json(&run->summary));
	return json;
}

static struct json_object *setting_json(const struct runs *runs)
{
	struct json_object *json = json_object_new_object();
	struct utsname system;

	uname(&system);
	json_object_object_add(json, "kernel", json_object_new_string(system.release));
	json_object_object_add(json, "processors",
			       json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_object_add(json, "qemu", json_object_new_string(runs->qemu));
	json_object_object_add(json, "memory_mib", json_object_new_int64(runs->memory_mib));
	json_object_object_add(json, "working_set_mib",
			       json_object_new_int64(runs->working_set_mib));
	json_object_object_add(json, "link_mbit", json_object_new_int64(runs->link_mbit));
	return json;
}

/**
 * runs_json() - all of it, each run too, for programs
 * @file: where to
 * @runs: at least one pair
 */
void runs_json(FILE *file, const struct runs *runs)
{
	struct json_object *json = json_object_new_object();
	struct json_object *ways = json_object_new_array();
	struct json_object *all = json_object_new_array();
	unsigned int pair;
	int way;

	for (way = 0; way < WAY_COUNT; way++)
		json_object_array_add(ways, way_json(runs, way));
	for (pair = 0; pair < runs->pairs; pair++)
		for (way = 0; way < WAY_COUNT; way++)
			json_object_array_add(all, run_json(&runs->run[pair][way], way, pair));
	json_object_object_add(json, "setting", setting_json(runs));
	json_object_object_add(json, "pairs", json_object_new_int64(runs->pairs));
	json_object_object_add(json, "ways", ways);
	json_object_object_add(json, "runs", all);
	fprintf(file, "%s\n", json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY));
	json_object_put(json);
}
