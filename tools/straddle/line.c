/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.c - print progress while a migration runs. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "line.h"
#include "plain.h"
#include "sys.h"

#define MIB		1048576.0
#define LINE_MAX_BYTES	512

/**
 * line_init() - nothing is shown yet
 * @line: what to set up
 * @verbose: show progress, not only decisions
 */
void line_init(struct line *line, bool verbose)
{
	*line = (struct line){
		.verbose = verbose,
		.terminal = isatty(STDOUT_FILENO),
	};
}

static double percent(const struct progress *progress)
{
	if (!progress->memory_bytes)
		return 0;
	return 100.0 * (double)progress->done_bytes / (double)progress->memory_bytes;
}

static const char *stage(const struct progress *progress)
{
	return progress->postcopy ? "post-copy" : phase_name(progress->phase);
}

/* "197us", "2.9ms", "10ms", "1.2s": short, for a line that is to fit. */
static const char *time_short(uint64_t ns, char words[QUANTITY_MAX])
{
	const char *unit = ns >= 1000000000 ? "s" : ns >= 1000000 ? "ms" : "us";
	double value = (double)ns / (*unit == 's' ? 1e9 : *unit == 'm' ? 1e6 : 1e3);

	snprintf(words, QUANTITY_MAX, value < 9.95 ? "%.1f%s" : "%.0f%s", value, unit);
	return words;
}

/* Whole or not at all: half a number is a wrong one. */
__attribute__((format(printf, 3, 4)))
static void field_add(char *text, size_t width, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(text + used, width + 1 - used, fmt, args);
	va_end(args);
	if (length < 0 || used + (size_t)length > width)
		text[used] = 0;
}

static void faults_add(const struct progress *progress, char *text, size_t width)
{
	char p50[QUANTITY_MAX], p99[QUANTITY_MAX];

	if (!progress->missing_unknown &&
	    (progress->missing_pages || progress->postcopy))
		field_add(text, width, ", %" PRIu64 " missing", progress->missing_pages);
	if (progress->faults)
		field_add(text, width, ", fault p50/p99 %s/%s",
			  time_short(progress->fault_p50_ns, p50),
			  time_short(progress->fault_p99_ns, p99));
}

/*
 * "Perform: round 3, 41 %, 110.2 MiB/s, dirty 180.4 / link 110.3 MiB/s" or
 * "post-copy: 41 %, 110.2 MiB/s, 20480 missing, fault p50/p99 197us/10ms";
 * @text has room for @width bytes and a NUL.
 */
static void progress_words(const struct progress *progress, char *text, size_t width)
{
	*text = 0;
	field_add(text, width, "%s", stage(progress));
	if (!progress->round && !progress->postcopy) {
		/* Before the first round there are at most disks to count. */
		if (progress->storage_bytes)
			field_add(text, width, ": disks %.0f %%",
				  100.0 * (double)progress->storage_done_bytes /
				  (double)progress->storage_bytes);
		return;
	}
	if (progress->postcopy)
		field_add(text, width, ": %.0f %%", percent(progress));
	else
		field_add(text, width, ": round %" PRIu32 ", %.0f %%", progress->round,
			  percent(progress));
	field_add(text, width, ", %.1f MiB/s", (double)progress->rate / MIB);
	if (!progress->postcopy && (progress->dirty_rate || progress->link_rate))
		field_add(text, width, ", dirty %.1f / link %.1f MiB/s",
			  (double)progress->dirty_rate / MIB,
			  (double)progress->link_rate / MIB);
	faults_add(progress, text, width);
}

static unsigned int terminal_width(void)
{
	struct winsize window = { .ws_col = 0 };

	if (sys_ret(ioctl(STDOUT_FILENO, TIOCGWINSZ, &window)) || !window.ws_col)
		return 80;
	return window.ws_col;
}

/* The cursor stays at its start, so that what else is printed covers it. */
static void line_over(struct line *line, const struct progress *progress)
{
	unsigned int width = terminal_width() - 1;
	char text[LINE_MAX_BYTES];

	progress_words(progress, text, width < sizeof(text) ? width : sizeof(text) - 1);
	printf("\r\033[K%s\r", text);
	line->shown = true;
}

static void line_print(const struct progress *progress)
{
	char text[LINE_MAX_BYTES];

	progress_words(progress, text, sizeof(text) - 1);
	puts(text);
}

static void line_plain(const struct line *line, const struct progress *progress)
{
	if (!line->any || line->last.round != progress->round ||
	    strcmp(stage(&line->last), stage(progress)))
		line_print(progress);
}

/**
 * line_last() - show how far post-copy came
 * @line: what is shown
 * @summary: progress at the end
 *
 * Plain lines come at changes only, so none has told it yet.
 */
void line_last(struct line *line, const struct progress *summary)
{
	if (line->verbose && !line->terminal && summary->postcopy)
		line_print(summary);
}

/**
 * line_end() - leave the terminal as a line that is empty
 * @line: what is shown
 */
void line_end(struct line *line)
{
	if (line->shown)
		fputs("\r\033[K", stdout);
	line->shown = false;
	fflush(stdout);
}

/**
 * line_show() - show where a migration stands now
 * @line: what is shown
 * @progress: where it stands
 *
 * A decision is printed in words and stays; the rest only where it was asked
 * for, over the line before on a terminal, else once a phase and round.
 */
void line_show(struct line *line, const struct progress *progress)
{
	if (*progress->note && strcmp(progress->note, line->last.note)) {
		line_end(line);
		plain_put(stdout, progress->note);
		putchar('\n');
	}
	if (line->verbose && line->terminal)
		line_over(line, progress);
	else if (line->verbose)
		line_plain(line, progress);
	line->last = *progress;
	line->any = true;
	fflush(stdout);
}
