// SPDX-License-Identifier: LGPL-2.1-or-later
/* report.c - what was measured, for people and for programs. */
#include <json-c/json.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"

struct machine {
	struct utsname system;
	char processor[128];
	long processors, memory_mib;
};

/* "model name	: ..." of /proc/cpuinfo, where there is one. */
static void processor_name(char *text, size_t size)
{
	__cleanup_file FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(text, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !value)
			continue;
		snprintf(text, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		return;
	}
}

static void machine_look(struct machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	uname(&machine->system);
	processor_name(machine->processor, sizeof(machine->processor));
	machine->processors = sysconf(_SC_NPROCESSORS_ONLN);
	machine->memory_mib = sysconf(_SC_PHYS_PAGES) / 256;
}

static const char *verdict(const struct row *row, const struct result *result)
{
	if (row->sense == NO_GOAL)
		return "-";
	return result->met ? "yes" : "NO";
}

/* "min / median / max" */
static void spread_text(const struct spread *spread, int digits, char *text, size_t size)
{
	snprintf(text, size, "%.*f / %.*f / %.*f", digits, spread->min, digits, spread->median,
		 digits, spread->max);
}

static int digits_of(const struct spread *spread)
{
	return spread->max < 100 ? 2 : 0;
}

struct cells {
	char ours[64], peer[64], ratio[64], goal[32];
};

static void cells_fill(const struct row *row, const struct result *result, struct cells *cells)
{
	spread_text(&result->ours, digits_of(&result->ours), cells->ours, sizeof(cells->ours));
	row_goal(row, cells->goal, sizeof(cells->goal));
	snprintf(cells->peer, sizeof(cells->peer), "-");
	snprintf(cells->ratio, sizeof(cells->ratio), "-");
	if (!row->against)
		return;
	spread_text(&result->peer, digits_of(&result->peer), cells->peer, sizeof(cells->peer));
	if (result->compared)
		spread_text(&result->ratio, 2, cells->ratio, sizeof(cells->ratio));
}

/* Numbers of a quick run are of little memory, and say little. */
static const char *quick_words(const struct report *report)
{
	return report->quick ? " (quick: of less memory than the rows say)" : "";
}

/**
 * report_print() - the table for a terminal
 * @report: rows and results
 */
void report_print(const struct report *report)
{
	unsigned int i;

	printf("%u pairs%s; min / median / max\n", report->pairs, quick_words(report));
	printf("%-22s %-8s %-22s %-22s %-20s %-9s %s\n", "row", "unit", "ours", "against", "ratio",
	       "goal", "met");
	for (i = 0; i < report->count; i++) {
		const struct result *result = &report->results[i];
		const struct row *row = report->rows[i];
		struct cells cells;

		if (!result->measured)
			continue;
		cells_fill(row, result, &cells);
		printf("%-22s %-8s %-22s %-22s %-20s %-9s %s\n", row->id, row->unit,
		       cells.ours, cells.peer, cells.ratio, cells.goal,
		       verdict(row, result));
	}
}

static struct json_object *spread_json(const struct spread *spread)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "min", json_object_new_double(spread->min));
	json_object_object_add(json, "median", json_object_new_double(spread->median));
	json_object_object_add(json, "max", json_object_new_double(spread->max));
	return json;
}

static void add_text(struct json_object *json, const char *name, const char *text)
{
	json_object_object_add(json, name, text ? json_object_new_string(text) : NULL);
}

static struct json_object *row_json(const struct row *row, const struct result *result)
{
	struct json_object *json = json_object_new_object();
	char goal[32];

	row_goal(row, goal, sizeof(goal));
	add_text(json, "id", row->id);
	add_text(json, "unit", row->unit);
	add_text(json, "measures", row->measures);
	json_object_object_add(json, "ours", spread_json(&result->ours));
	add_text(json, "against", row->against);
	json_object_object_add(json, "peer", row->against ? spread_json(&result->peer) : NULL);
	json_object_object_add(json, "ratio",
			       result->compared ? spread_json(&result->ratio) : NULL);
	add_text(json, "goal", *goal ? goal : NULL);
	json_object_object_add(json, "met", row->sense == NO_GOAL
			       ? NULL : json_object_new_boolean(result->met));
	return json;
}

static struct json_object *machine_json(void)
{
	struct json_object *json = json_object_new_object();
	struct machine machine;

	machine_look(&machine);
	add_text(json, "kernel", machine.system.release);
	add_text(json, "architecture", machine.system.machine);
	add_text(json, "processor", machine.processor);
	json_object_object_add(json, "processors", json_object_new_int64(machine.processors));
	json_object_object_add(json, "memory_mib", json_object_new_int64(machine.memory_mib));
	return json;
}

/**
 * report_json() - the results for programs
 * @file: where to write them
 * @report: rows and results
 */
void report_json(FILE *file, const struct report *report)
{
	struct json_object *json = json_object_new_object();
	struct json_object *list = json_object_new_array();
	unsigned int i;

	for (i = 0; i < report->count; i++)
		if (report->results[i].measured)
			json_object_array_add(list, row_json(report->rows[i],
							     &report->results[i]));
	json_object_object_add(json, "rows", list);
	json_object_object_add(json, "pairs", json_object_new_int64(report->pairs));
	json_object_object_add(json, "quick", json_object_new_boolean(report->quick));
	json_object_object_add(json, "machine", machine_json());
	fputs(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY), file);
	json_object_put(json);
}

/**
 * report_markdown() - the results as a table for documents
 * @file: where to write it
 * @report: rows and results
 */
void report_markdown(FILE *file, const struct report *report)
{
	struct machine machine;
	unsigned int i;

	machine_look(&machine);
	fprintf(file, "%s, %ld processors, %ld MiB, Linux %s; %u pairs%s, "
		"min / median / max.\n\n",
		machine.processor, machine.processors, machine.memory_mib,
		machine.system.release, report->pairs, quick_words(report));
	fprintf(file, "| row | unit | what | ours | against | peer | ratio | goal | met |\n"
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	for (i = 0; i < report->count; i++) {
		const struct result *result = &report->results[i];
		const struct row *row = report->rows[i];
		struct cells cells;

		if (!result->measured)
			continue;
		cells_fill(row, result, &cells);
		fprintf(file, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row->id,
			row->unit, row->measures, cells.ours,
			row->against ? row->against : "-", cells.peer, cells.ratio,
			*cells.goal ? cells.goal : "-", verdict(row, result));
	}
}
