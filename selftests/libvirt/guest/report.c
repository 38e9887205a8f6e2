// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * report.c - the serial line: what the guest says.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "sys.h"
#include "guest.h"

#define SERIAL		"/dev/ttyS0"
#define PREFIX		"straddle-guest: "
#define LINE_SIZE	512	/* the kernel takes 2048 at once, n_tty 4096 */
#define PERIOD_NS	(500ull * NS_PER_MS)

struct counters counters;

static int serial = -1;		/* set once */

/**
 * report_open() - open the serial line, and let bytes through as they are
 */
void report_open(void)
{
	struct termios raw;

	serial = sys_ret(open(SERIAL, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (serial < 0 || tcgetattr(serial, &raw))
		return;
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&raw, B115200);
	tcsetattr(serial, TCSANOW, &raw);
	/* Whatever firmware and kernel wrote, our first line starts a line. */
	sys_write_all(serial, "\n", 1);
}

/**
 * report_fd() - the serial line, to read commands from; negative: none
 */
int report_fd(void)
{
	return serial;
}

static void line_write(const char *format, va_list args)
{
	char line[LINE_SIZE] = PREFIX;
	size_t size = strlen(PREFIX);
	int got = vsnprintf(line + size, sizeof(line) - size - 1, format, args);

	if (got < 0 || serial < 0)
		return;
	size = strlen(line);
	line[size++] = '\n';
	sys_write_all(serial, line, size);
}

/**
 * report_line() - one line, written at once; waits for the line's other end
 */
void report_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line_write(format, args);
	va_end(args);
}

/**
 * report_error() - "error: what: why"
 * @error: -errno
 */
void report_error(int error, const char *format, ...)
{
	char what[LINE_SIZE / 2];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	report_line("error: %s: %s", what, strerror(-error));
}

/**
 * report_detail() - whether to tell one more of what may come in thousands
 */
bool report_detail(_Atomic unsigned int *told)
{
	return *told < DETAIL_LINES && (*told)++ < DETAIL_LINES;
}

static void counters_report(uint64_t number)
{
	report_line("boot=%016" PRIx64 " n=%" PRIu64 " up_ms=%" PRIu64
		    " wall=%" PRIu64 " writes=%" PRIu64 " bad=%" PRIu64
		    " passes=%" PRIu64 " disk_ok=%" PRIu64 " disk_bad=%" PRIu64
		    " disk_err=%" PRIu64 " echo=%" PRIu64 " gap_ms=%" PRIu64
		    " mem_mib=%" PRIu64 " clock_back=%" PRIu64
		    " witness=%" PRIu64 " twins=%" PRIu64,
		    boot_id, number, now_ns() / NS_PER_MS, (uint64_t)time(NULL),
		    counters.writes, counters.bad, counters.passes,
		    counters.disk_ok, counters.disk_bad, counters.disk_err,
		    counters.echo, clock_take_gap_ns() / NS_PER_MS,
		    counters.mem_mib, counters.clock_back, counters.witness,
		    counters.twins);
}

static void *report_run(void *arg)
{
	int timer = ticker_create(PERIOD_NS);

	(void)arg;
	if (timer < 0)
		return NULL;
	for (uint64_t number = 1;; number++) {
		ticker_wait(timer);
		counters_report(number);
	}
}

/**
 * report_start() - say that all is set up, then go on every half second
 */
void report_start(void)
{
	report_line("ready boot=%016" PRIx64 " mem_mib=%" PRIu64 " cpus=%ld",
		    boot_id, counters.mem_mib, sysconf(_SC_NPROCESSORS_ONLN));
	thread_start("report", report_run, NULL);
}
