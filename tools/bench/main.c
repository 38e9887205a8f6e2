// SPDX-License-Identifier: LGPL-2.1-or-later
/* main.c - straddle-bench: measure the rows, print and write what came out. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"

enum { OPT_PAIRS = 1, OPT_SIZE, OPT_FAULTS, OPT_QUICK, OPT_ROWS, OPT_JSON, OPT_MARKDOWN, OPT_LIST,
       OPT_HELP };

static const struct option longs[] = {
	{ "pairs", required_argument, NULL, OPT_PAIRS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "faults", required_argument, NULL, OPT_FAULTS },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "rows", required_argument, NULL, OPT_ROWS },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "markdown", required_argument, NULL, OPT_MARKDOWN },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
"Usage: straddle-bench [OPTION]...\n"
"Measure moving memory between two network namespaces of this machine, each\n"
"row against a peer or a floor in turn. Takes root.\n"
"\n"
"  --pairs N        measure each row N times, 1 to 101 (default 5)\n"
"  --size MIB       guest memory to push, 16 to 65536 (default 512)\n"
"  --faults N       faults a measurement, 16 to 1000000 (default 2000)\n"
"  --quick          1 pair, 32 MiB, 200 faults: does it work?\n"
"  --rows ID,...    these rows only\n"
"  --json FILE      write the results as JSON, too\n"
"  --markdown FILE  write the table as Markdown, too\n"
"  --list           list the rows and what they are measured against\n"
"  --help           print this\n";

/* A file for the results; no @path: they are not wanted in it. */
struct output {
	const char *path;
	FILE *file;
};

struct options {
	unsigned long pairs, size_mib, faults;
	const char *rows;
	struct output json, markdown;
	bool list, help;
};

static int number_take(const char *name, const char *text, unsigned long min, unsigned long max,
		       unsigned long *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value < min || value > max) {
		fprintf(stderr, "straddle-bench: --%s %s: give a number from %lu to %lu\n", name,
			text, min, max);
		return -EINVAL;
	}
	*number = value;
	return 0;
}

static int option_take(struct options *options, int option)
{
	switch (option) {
	case OPT_PAIRS:
		return number_take("pairs", optarg, 1, PAIRS_MAX, &options->pairs);
	case OPT_SIZE:
		return number_take("size", optarg, 16, 65536, &options->size_mib);
	case OPT_FAULTS:
		return number_take("faults", optarg, 16, 1000000, &options->faults);
	case OPT_QUICK:
		options->pairs = 1;
		options->size_mib = 32;
		options->faults = 200;
		return 0;
	case OPT_ROWS:
		options->rows = optarg;
		return 0;
	case OPT_JSON:
		options->json.path = optarg;
		return 0;
	case OPT_MARKDOWN:
		options->markdown.path = optarg;
		return 0;
	case OPT_LIST:
		options->list = true;
		return 0;
	case OPT_HELP:
		options->help = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Is @id one of the names in @list, "a,b,c"? */
static bool listed(const char *list, const char *id)
{
	size_t length = strlen(id);

	while (list) {
		if (!strncmp(list, id, length) && (!list[length] || list[length] == ','))
			return true;
		list = strchr(list, ',');
		list += !!list;
	}
	return false;
}

static bool row_known(const char *id)
{
	unsigned int i;

	for (i = 0; i < rows_count; i++)
		if (!strcmp(rows[i].id, id))
			return true;
	return false;
}

static int rows_check(const char *list)
{
	char id[64];

	while (list) {
		snprintf(id, sizeof(id), "%.*s", (int)strcspn(list, ","), list);
		if (!row_known(id)) {
			fprintf(stderr, "straddle-bench: there is no row '%s': --list names them\n",
				id);
			return -EINVAL;
		}
		list = strchr(list, ',');
		list += !!list;
	}
	return 0;
}

static int options_parse(struct options *options, int argc, char **argv)
{
	int option, ret = 0;

	*options = (struct options){ .pairs = 5, .size_mib = 512, .faults = 2000 };
	while (!ret && (option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		ret = option_take(options, option);
	if (!ret && optind < argc) {
		fprintf(stderr, "straddle-bench: '%s' is no option; see --help\n", argv[optind]);
		ret = -EINVAL;
	}
	/* Every fault is on another page. */
	if (!ret && options->faults > options->size_mib * 256) {
		fprintf(stderr, "straddle-bench: %lu MiB have no %lu pages: more --size or fewer "
			"--faults\n", options->size_mib, options->faults);
		ret = -EINVAL;
	}
	return ret ?: rows_check(options->rows);
}

static void rows_list(void)
{
	unsigned int i;

	for (i = 0; i < rows_count; i++)
		printf("%-17s %s (%s)\n%-17s against: %s\n", rows[i].id, rows[i].measures,
		       rows[i].unit, "", rows[i].against ? rows[i].against : "nothing");
}

static int rows_run(const struct options *options, const struct site *site,
		    struct result *results, struct fail *fail)
{
	unsigned int i;

	for (i = 0; i < rows_count; i++) {
		int ret;

		if (options->rows && !listed(options->rows, rows[i].id))
			continue;
		fprintf(stderr, "%s...\n", rows[i].id);
		ret = row_run(site, &rows[i], (unsigned int)options->pairs, &results[i], fail);
		if (ret)
			return ret;
	}
	return 0;
}

/* What it holds stays until there are results. */
static int output_open(struct output *output, struct fail *fail)
{
	int fd;

	if (!output->path)
		return 0;
	fd = sys_ret(open(output->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
	if (fd < 0)
		return fail_set(fail, fd, "cannot write %s: %s: name a file that can be made",
				output->path, strerror(-fd));
	output->file = fdopen(fd, "w");
	return output->file ? 0 : -ENOMEM;
}

static int output_close(struct output *output, struct fail *fail)
{
	FILE *file = output->file;

	output->file = NULL;
	return fclose(file) ? fail_set(fail, -EIO, "cannot write %s: is the disk full?",
				       output->path)
			    : 0;
}

/* A device or a pipe has nothing to be rid of. */
static void output_empty(const struct output *output)
{
	(void)sys_ret(ftruncate(fileno(output->file), 0));
}

static int results_write(struct options *options, const struct result *results, struct fail *fail)
{
	unsigned int pairs = (unsigned int)options->pairs;
	int ret = 0;

	report_print(results, pairs);
	if (options->json.file) {
		output_empty(&options->json);
		report_json(options->json.file, results, pairs);
		ret = output_close(&options->json, fail);
	}
	if (!ret && options->markdown.file) {
		output_empty(&options->markdown);
		report_markdown(options->markdown.file, results, pairs);
		ret = output_close(&options->markdown, fail);
	}
	return ret;
}

static int measure(const struct options *options, struct result *results, struct fail *fail)
{
	struct site site;
	int ret = site_open(&site, (uint64_t)options->size_mib << 20, fail);

	site.faults = (unsigned int)options->faults;
	if (!ret)
		ret = rows_run(options, &site, results, fail);
	site_close(&site);
	return ret;
}

static int bench(struct options *options, struct fail *fail)
{
	struct result __cleanup_free *results = calloc(rows_count, sizeof(*results));
	int ret = results ? 0 : -ENOMEM;

	if (!ret)
		ret = output_open(&options->json, fail);
	if (!ret)
		ret = output_open(&options->markdown, fail);
	if (!ret)
		ret = measure(options, results, fail);
	return ret ?: results_write(options, results, fail);
}

/**
 * main() - straddle-bench
 * @argc: of @argv
 * @argv: options
 *
 * Return: 0; 1: something could not be measured; 2: wrong usage.
 */
int main(int argc, char **argv)
{
	struct options options;
	struct fail fail = { 0 };

	if (options_parse(&options, argc, argv))
		return 2;
	if (options.help) {
		fputs(help, stdout);
		return 0;
	}
	if (options.list) {
		rows_list();
		return 0;
	}
	if (bench(&options, &fail)) {
		fprintf(stderr, "straddle-bench: %s\n",
			fail.text[0] ? fail.text : "out of memory");
		return 1;
	}
	return 0;
}
