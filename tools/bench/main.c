// SPDX-License-Identifier: LGPL-2.1-or-later
/* main.c - straddle-bench: measure the rows, print and write what came out. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/moves.h"

static int report_make(struct report *report, const struct options *options)
{
	unsigned int i;

	*report = (struct report){
		.count = rows_count + move_rows_count,
		.pairs = (unsigned int)options->pairs,
		.quick = options->quick,
	};
	report->rows = calloc(report->count, sizeof(*report->rows));
	report->results = calloc(report->count, sizeof(*report->results));
	if (!report->rows || !report->results)
		return -ENOMEM;
	for (i = 0; i < rows_count; i++)
		report->rows[i] = &rows[i];
	for (i = 0; i < move_rows_count; i++)
		report->rows[rows_count + i] = &move_rows[i].row;
	return 0;
}

static void report_free(struct report *report)
{
	free(report->rows);
	free(report->results);
}

static void rows_list(const struct report *report)
{
	unsigned int i;

	for (i = 0; i < report->count; i++) {
		const struct row *row = report->rows[i];

		printf("%-22s %s (%s)\n%-22s against: %s\n", row->id, row->measures, row->unit, "",
		       row->against ? row->against : "nothing");
	}
}

/* A row that this machine has nothing for is skipped, with the reason. */
static int row_try(const struct options *options, const struct site *site,
		   const struct row *row, struct result *result, struct fail *fail)
{
	struct fail why = { 0 };
	int ret;

	fprintf(stderr, "%s...\n", row->id);
	ret = row_run(site, row, (unsigned int)options->pairs, result, &why);
	if (ret == -EOPNOTSUPP) {
		fprintf(stderr, "%s: SKIP: %s\n", row->id, why.text);
		return 0;
	}
	return ret ? fail_set(fail, ret, "%s", why.text[0] ? why.text : strerror(-ret)) : 0;
}

/* A row that fails leaves the others as they are; the first failure is told. */
static int rows_run(const struct options *options, const struct site *site,
		    struct result *results, struct fail *fail)
{
	int got, ret = 0;
	unsigned int i;

	for (i = 0; i < rows_count; i++) {
		if (!options_want(options, &rows[i]))
			continue;
		got = row_try(options, site, &rows[i], &results[i], fail);
		ret = ret ?: got;
	}
	if (!access(site->qemu, X_OK)) {
		got = moves_run(site, options, results + rows_count, fail);
		return ret ?: got;
	}
	fprintf(stderr, "vm-*: SKIP: there is no QEMU at %s: run make test-qemu, or name one with "
		"--qemu\n", site->qemu);
	return ret;
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

static int results_write(struct options *options, const struct report *report, struct fail *fail)
{
	int ret = 0;

	report_print(report);
	if (options->json.file) {
		output_empty(&options->json);
		report_json(options->json.file, report);
		ret = output_close(&options->json, fail);
	}
	if (!ret && options->markdown.file) {
		output_empty(&options->markdown);
		report_markdown(options->markdown.file, report);
		ret = output_close(&options->markdown, fail);
	}
	if (!ret && options->plots)
		ret = plots_write(report, options->plots, fail);
	return ret;
}

static int measure(const struct options *options, const struct report *report, struct fail *fail)
{
	struct site site;
	int ret = site_open(&site, (uint64_t)options->size_mib << 20, fail);

	site.faults = (unsigned int)options->faults;
	site.qemu = options->qemu;
	site.plots = options->plots;
	site.quick = options->quick;
	if (!ret)
		ret = rows_run(options, &site, report->results, fail);
	site_close(&site);
	return ret;
}

static int bench(struct options *options, const struct report *report, struct fail *fail)
{
	int got, ret = output_open(&options->json, fail);

	if (!ret)
		ret = output_open(&options->markdown, fail);
	if (ret)
		return ret;
	ret = measure(options, report, fail);
	got = results_write(options, report, fail);
	return ret ?: got;
}

static int run(struct options *options, const struct report *report)
{
	struct fail fail = { 0 };

	if (options_check(options, report))
		return 2;
	if (options->list) {
		rows_list(report);
		return 0;
	}
	if (!bench(options, report, &fail))
		return 0;
	fprintf(stderr, "straddle-bench: %s\n", fail.text[0] ? fail.text : "out of memory");
	return 1;
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
	struct report report;
	int status = 1;

	/* Whoever is talked to may end at any time; writing says so. */
	signal(SIGPIPE, SIG_IGN);
	if (options_parse(&options, argc, argv))
		return 2;
	if (options.help) {
		options_help();
		return 0;
	}
	if (!report_make(&report, &options))
		status = run(&options, &report);
	report_free(&report);
	return status;
}
