// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * command.c - lines that are read from the serial line, and their answers.
 *
 *   verify	walk all memory, the writer standing still
 *		straddle-guest: verified pages=N bad=N
 *   rate N	pages written a second, 0: as many as go
 *		straddle-guest: rate=N
 *   sync	sync(2)
 *		straddle-guest: synced
 *   poweroff	straddle-guest: power off
 *
 * What is none of them: "straddle-guest: error: command ...".
 */
#include <inttypes.h>
#include <string.h>

#include "sys.h"
#include "guest.h"

#define LINE_SIZE	80

static int verify(const char *arg)
{
	uint64_t bad;

	if (*arg)
		return -EINVAL;
	writer_hold();
	bad = memory_verify();
	writer_release();
	report_line("verified pages=%" PRIu64 " bad=%" PRIu64, memory_pages(), bad);
	return 0;
}

static int rate(const char *arg)
{
	uint64_t pages;

	if (!number_parse(arg, &pages))
		return -EINVAL;
	writer_set_rate(pages);
	report_line("rate=%" PRIu64, pages);
	return 0;
}

static int sync_disks(const char *arg)
{
	if (*arg)
		return -EINVAL;
	sync();
	report_line("synced");
	return 0;
}

static int poweroff(const char *arg)
{
	if (*arg)
		return -EINVAL;
	power_off();
}

static const struct {
	const char *name;
	int (*run)(const char *arg);
} commands[] = {
	{ "verify", verify },
	{ "rate", rate },
	{ "sync", sync_disks },
	{ "poweroff", poweroff },
};

static int line_run(const char *line)
{
	size_t size = strcspn(line, " ");
	const char *arg = line + size + (line[size] == ' ');

	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].name) == size &&
		    !memcmp(commands[i].name, line, size))
			return commands[i].run(arg);
	return -EOPNOTSUPP;
}

/* Ends at a line feed or carriage return; too long: its beginning. */
static int line_read(char *line)
{
	size_t size = 0;

	for (;;) {
		char byte;
		int ret = sys_read_all(report_fd(), &byte, 1);

		if (ret)
			return ret;
		if (byte == '\n' || byte == '\r')
			break;
		if (size < LINE_SIZE - 1)
			line[size++] = byte;
	}
	line[size] = '\0';
	return 0;
}

static void *command_run(void *arg)
{
	char line[LINE_SIZE];
	int ret = line_read(line);

	(void)arg;
	while (!ret) {
		int wrong = *line ? line_run(line) : 0;

		if (wrong)
			report_error(wrong, "command \"%s\"", line);
		ret = line_read(line);
	}
	report_error(ret, "commands end");
	return NULL;
}

/**
 * command_start() - start the thread that reads commands
 */
void command_start(void)
{
	if (report_fd() >= 0)
		thread_start("command", command_run, NULL);
}
