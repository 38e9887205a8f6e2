/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.c - print progress while a migration runs. */
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "line.h"
#include "plain.h"
#include "sys.h"

#define MIB	1048576.0

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

/* "Perform: round 3, 41 %, 110.2 MiB/s, dirty 180.4 / link 110.3 MiB/s" */
static size_t progress_words(const struct progress *progress, char *text, size_t size)
{
	char p50[QUANTITY_MAX], p99[QUANTITY_MAX];
	size_t used;

	/* Before the first round there is nothing to count. */
	if (!progress->round && !progress->postcopy)
		return (size_t)snprintf(text, size, "%s", stage(progress));
	used = (size_t)snprintf(text, size, "%s: round %" PRIu32 ", %.0f %%, %.1f MiB/s",
				stage(progress), progress->round, percent(progress),
				(double)progress->rate / MIB);
	if (!progress->postcopy && (progress->dirty_rate || progress->link_rate))
		used += (size_t)snprintf(text + used, size - used,
					 ", dirty %.1f / link %.1f MiB/s",
					 (double)progress->dirty_rate / MIB,
					 (double)progress->link_rate / MIB);
	if (progress->missing_pages)
		used += (size_t)snprintf(text + used, size - used, ", %" PRIu64 " missing",
					 progress->missing_pages);
	if (progress->faults)
		used += (size_t)snprintf(text + used, size - used, ", fault p50 %s p99 %s",
					 time_words(progress->fault_p50_ns, p50),
					 time_words(progress->fault_p99_ns, p99));
	return used;
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
	unsigned int width = terminal_width();
	char text[512];

	progress_words(progress, text, sizeof(text));
	printf("\r\033[K%.*s\r", (int)(width - 1), text);
	line->shown = true;
}

static void line_plain(const struct line *line, const struct progress *progress)
{
	char text[512];

	if (line->any && line->last.round == progress->round &&
	    !strcmp(stage(&line->last), stage(progress)))
		return;
	progress_words(progress, text, sizeof(text));
	puts(text);
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
