// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * plots.c - the results as pictures, drawn by gnuplot.
 *
 * A plot is a script, most with their data in them, DIR/NAME.gp, and what
 * gnuplot makes of it, DIR/NAME.svg: who wants another picture changes the script.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"

#define MET		0x2a7f3fu	/* colours, RGB */
#define MISSED		0xc0392bu
#define WIDTH		900
#define ROW_HEIGHT	22

static void head(FILE *file, const char *dir, const char *name, unsigned int height)
{
	fprintf(file, "set terminal svg size %u,%u font 'sans,12' background 'white'\n"
		"set output '%s/%s.svg'\n", WIDTH, height, dir, name);
}

/* How many times better than the goal; below 1: worse. */
static double factor_of(const struct row *row, const struct result *result)
{
	double value = row->against ? result->ratio.median : result->ours.median;

	return row->sense == AT_LEAST ? value / row->goal : row->goal / value;
}

static bool has_factor(const struct row *row, const struct result *result)
{
	return result->measured && row->sense != NO_GOAL && (result->compared || !row->against) &&
	       result->ours.median > 0;
}

static void goals_script(FILE *file, const struct report *report, const char *dir)
{
	unsigned int i, count = 0;

	fprintf(file, "$goals << END\n");
	for (i = report->count; i-- > 0;) {
		const struct row *row = report->rows[i];
		const struct result *result = &report->results[i];

		if (!has_factor(row, result))
			continue;
		fprintf(file, "\"%s\" %g %u\n", row->id, factor_of(row, result),
			result->met ? MET : MISSED);
		count++;
	}
	fprintf(file, "END\n");
	head(file, dir, "goals", (count + 5) * ROW_HEIGHT);
	fprintf(file, "set title 'How many times better than its goal each row is (median); 1: "
		"just met'\n"
		"set logscale x\nset xrange [*:*]\nset yrange [-0.6:%u.6]\n"
		"set grid xtics\nset lmargin 20\nunset key\n"
		"set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 front\n"
		"plot $goals using (1):0:(1):2:($0-0.35):($0+0.35):3:ytic(1) "
		"with boxxyerror fillstyle solid lc rgb variable\n", count ? count - 1 : 0);
}

static const struct result *result_of(const struct report *report, const char *id)
{
	unsigned int i;

	for (i = 0; i < report->count; i++)
		if (!strcmp(report->rows[i]->id, id) && report->results[i].measured)
			return &report->results[i];
	return NULL;
}

static void spread_put(FILE *file, const struct spread *spread)
{
	fprintf(file, " %g %g %g", spread->median, spread->min, spread->max);
}

/* A line of data: @label, ours and the peer's; nothing where a row was not measured. */
static void pair_put(FILE *file, const struct report *report, const char *id, const char *label)
{
	const struct result *result = result_of(report, id);

	if (!result)
		return;
	fputs(label, file);
	spread_put(file, &result->ours);
	spread_put(file, &result->peer);
	fputc('\n', file);
}

static void downtime_script(FILE *file, const struct report *report, const char *dir)
{
	static const char *const sizes[] = { "16", "256", "1024", "4096" };
	unsigned int i;
	char id[32];

	fprintf(file, "$down << END\n");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(id, sizeof(id), "vm-down-%s", sizes[i]);
		pair_put(file, report, id, sizes[i]);
	}
	fprintf(file, "END\n");
	head(file, dir, "downtime", 420);
	fprintf(file, "set title 'From STOP to RESUME after pre-copy, by what is dirty'\n"
		"set xlabel 'dirty, MiB'\nset ylabel 'ms'\nset logscale x 2\nset logscale y\n"
		"set yrange [1:*]\nset xrange [8:8192]\nset grid\nset key outside bottom center horizontal\n"
		"plot $down using 1:2:3:4 with yerrorlines lw 2 pt 7 title 'straddle', "
		"$down using 1:5:6:7 with yerrorlines lw 2 pt 5 title 'QEMU, post-copy'\n");
}

static void faults_script(FILE *file, const struct report *report, const char *dir)
{
	static const char *const ids[] = { "vm-idle-p50", "vm-idle-p99", "vm-busy-p50",
					   "vm-busy-p99" };
	unsigned int i;

	fprintf(file, "$faults << END\n");
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		pair_put(file, report, ids[i], ids[i]);
	fprintf(file, "END\n");
	head(file, dir, "faults", 420);
	fprintf(file, "set title 'A network fault, measured in the guest (medians of runs)'\n"
		"set ylabel 'us'\nset logscale y\nset yrange [10:*]\nset grid ytics\n"
		"set style data histograms\nset style histogram errorbars gap 2 lw 1\n"
		"set style fill solid 0.8\nset key outside bottom center horizontal\n"
		"plot $faults using 2:3:4:xtic(1) title 'straddle', "
		"$faults using 5:6:7 title 'QEMU, postcopy-preempt'\n");
}

/* Data of the last pair, which each migration has left. */
static void rate_script(FILE *file, const struct report *report, const char *dir)
{
	(void)report;
	head(file, dir, "rate", 420);
	fprintf(file, "set title 'What the guest gets done: 128 of 1024 MiB written at random, "
		"post-copy over 1 Gbit/s'\n"
		"set xlabel 's since the order to move'\nset ylabel 'pages a second'\n"
		"set xrange [-1:4]\nset yrange [0:*]\nset grid\n"
		"set key outside bottom center horizontal\n"
		"plot '%s/rate-hot-straddle.dat' with steps lw 2 title 'straddle', "
		"'%s/rate-hot-qemu.dat' with steps lw 2 title 'QEMU, post-copy'\n", dir, dir);
}

static const struct plot {
	const char *name;
	void (*script)(FILE *file, const struct report *report, const char *dir);
	const char *needs;		/* a row without which there is nothing to see */
} plots[] = {
	{ "goals", goals_script, NULL },
	{ "downtime", downtime_script, "vm-down-4096" },
	{ "faults", faults_script, "vm-busy-p99" },
	{ "rate", rate_script, "vm-back" },
};

static int script_write(const struct plot *plot, const struct report *report, const char *dir,
			const char *path)
{
	FILE *file = fopen(path, "we");
	bool failed;

	if (!file)
		return -EACCES;
	plot->script(file, report, dir);
	failed = ferror(file);
	return fclose(file) || failed ? -EIO : 0;
}

static int draw(const char *path, struct fail *fail)
{
	char command[512];
	int status;

	snprintf(command, sizeof(command), "gnuplot '%s' 2>&1", path);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail_set(fail, -ENOENT, "there is no gnuplot: apt-get install gnuplot-nox");
	return status ? fail_set(fail, -EIO, "gnuplot does not take %s", path) : 0;
}

/**
 * plots_write() - draw the results
 * @report: rows and results
 * @dir: where to; it is there
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int plots_write(const struct report *report, const char *dir, struct fail *fail)
{
	char path[256];
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(plots) / sizeof(plots[0]); i++) {
		if (plots[i].needs && !result_of(report, plots[i].needs))
			continue;
		snprintf(path, sizeof(path), "%s/%s.gp", dir, plots[i].name);
		ret = script_write(&plots[i], report, dir, path);
		if (ret)
			return fail_set(fail, ret, "cannot write %s: make the directory %s, with "
					"room in it", path, dir);
		ret = draw(path, fail);
	}
	return ret;
}
