// SPDX-License-Identifier: LGPL-2.1-or-later
/* options.c - the command line of straddle-bench. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/bench.h"
#include "tools/bench/qemu.h"

enum {
	OPT_PAIRS = 1, OPT_SIZE, OPT_FAULTS, OPT_QUICK, OPT_ROWS, OPT_QEMU, OPT_JSON, OPT_MARKDOWN,
	OPT_PLOTS, OPT_LIST, OPT_HELP
};

static const struct option longs[] = {
	{ "pairs", required_argument, NULL, OPT_PAIRS },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "faults", required_argument, NULL, OPT_FAULTS },
	{ "quick", no_argument, NULL, OPT_QUICK },
	{ "rows", required_argument, NULL, OPT_ROWS },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "markdown", required_argument, NULL, OPT_MARKDOWN },
	{ "plots", required_argument, NULL, OPT_PLOTS },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
"Usage: straddle-bench [OPTION]...\n"
"Measure moving memory, and guests, between two network namespaces of this\n"
"machine, each row against a peer or a floor in turn. Takes root.\n"
"\n"
"  --pairs N        measure each row N times, 1 to 101 (default 5)\n"
"  --size MIB       guest memory to push, 16 to 65536 (default 512)\n"
"  --faults N       faults a measurement, 16 to 1000000 (default 2000)\n"
"  --quick          1 pair, 32 MiB, 200 faults, small guests: does it work?\n"
"  --rows ID,...    these rows only; a name that ends with '*' stands for many\n"
"  --qemu PROGRAM   QEMU 10 or later, for the rows vm-*\n"
"                   (" QEMU_DEFAULT ")\n"
"  --json FILE      write the results as JSON, too\n"
"  --markdown FILE  write the table as Markdown, too\n"
"  --plots DIR      draw them with gnuplot, as SVG, too\n"
"  --list           list the rows and what they are measured against\n"
"  --help           print this\n";

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
		options->quick = true;
		options->pairs = 1;
		options->size_mib = 32;
		options->faults = 200;
		return 0;
	case OPT_ROWS:
		options->rows = optarg;
		return 0;
	case OPT_QEMU:
		options->qemu = optarg;
		return 0;
	case OPT_JSON:
		options->json.path = optarg;
		return 0;
	case OPT_MARKDOWN:
		options->markdown.path = optarg;
		return 0;
	case OPT_PLOTS:
		options->plots = optarg;
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

/* Does @name, of @length, stand for @id? "vm-*" does for all that begin so. */
static bool stands_for(const char *name, size_t length, const char *id)
{
	if (length && name[length - 1] == '*')
		return !strncmp(name, id, length - 1);
	return strlen(id) == length && !strncmp(name, id, length);
}

/* The next name in "a,b,c"; NULL: there is none. */
static const char *name_next(const char **list, size_t *length)
{
	const char *name = *list;

	if (!name || !*name)
		return NULL;
	*length = strcspn(name, ",");
	*list = name + *length + (name[*length] == ',');
	return name;
}

/**
 * options_want() - is a row to be measured?
 * @options: from options_parse()
 * @row: any
 *
 * Return: true if it is.
 */
bool options_want(const struct options *options, const struct row *row)
{
	const char *list = options->rows, *name;
	size_t length;

	while ((name = name_next(&list, &length)))
		if (stands_for(name, length, row->id))
			return true;
	return !options->rows;
}

static bool known(const struct report *report, const char *name, size_t length)
{
	unsigned int i;

	for (i = 0; i < report->count; i++)
		if (stands_for(name, length, report->rows[i]->id))
			return true;
	return false;
}

/**
 * options_check() - are there the rows that were asked for?
 * @options: from options_parse()
 * @report: all that there are
 *
 * Return: 0 or -EINVAL, which was told.
 */
int options_check(const struct options *options, const struct report *report)
{
	const char *list = options->rows, *name;
	size_t length;

	if (list && !*list) {
		fprintf(stderr, "straddle-bench: --rows names no row: --list names all\n");
		return -EINVAL;
	}
	while ((name = name_next(&list, &length))) {
		if (known(report, name, length))
			continue;
		fprintf(stderr, "straddle-bench: there is no row '%.*s': --list names them\n",
			(int)length, name);
		return -EINVAL;
	}
	return 0;
}

/**
 * options_help() - print what there is
 */
void options_help(void)
{
	fputs(help, stdout);
}

/**
 * options_parse() - read the command line
 * @options: receives it
 * @argc: of @argv
 * @argv: of main()
 *
 * Return: 0 or -EINVAL, which was told.
 */
int options_parse(struct options *options, int argc, char **argv)
{
	int option, ret = 0;

	*options = (struct options){
		.pairs = 5, .size_mib = 512, .faults = 2000, .qemu = QEMU_DEFAULT,
	};
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
	return ret;
}
