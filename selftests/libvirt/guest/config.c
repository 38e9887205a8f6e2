// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * config.c - the guest's options, from the kernel command line.
 */
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "guest.h"

#define PREFIX	"straddle."

struct config config = {
	.mem_mib = 64,
	.rate_pages = 1000,
	.walk_pages = 20000,
	.disk_blocks = 200,
	.disk_mib = 8,
	.disk = "/dev/vda",
	.witness = "/dev/vdb",
};

/* Either a number, or text with a place for "was named". */
static const struct option {
	const char *name;
	uint64_t *number;
	char *text;
	bool *named;
} options[] = {
	{ "mem", .number = &config.mem_mib },
	{ "ws", .number = &config.ws_mib },
	{ "rate", .number = &config.rate_pages },
	{ "walk", .number = &config.walk_pages },
	{ "disk_mib", .number = &config.disk_mib },
	{ "reader", .number = &config.reader_blocks },
	{ "disk_rate", .number = &config.disk_blocks },
	{ "disk", .text = config.disk, .named = &config.disk_named },
	{ "witness", .text = config.witness, .named = &config.witness_named },
	{ "ip", .text = config.ip },
};

/**
 * number_parse() - a decimal number that fits 32 bits, and nothing after it
 * @number: unchanged if it is none
 *
 * 32 bits, so that no product of a rate and nanoseconds overflows.
 */
bool number_parse(const char *text, uint64_t *number)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoull(text, &end, 10);
	if (*end || value > UINT32_MAX)
		return false;
	*number = value;
	return true;
}

static bool option_set(const struct option *option, const char *value)
{
	if (option->number)
		return number_parse(value, option->number);
	if (strlen(value) >= sizeof(config.disk))
		return false;
	strcpy(option->text, value);
	if (option->named)
		*option->named = true;
	return true;
}

static void word_read(char *word)
{
	char *value = strchr(word, '=');

	if (strncmp(word, PREFIX, strlen(PREFIX)))
		return;
	word += strlen(PREFIX);
	if (value)
		*value++ = '\0';
	for (unsigned int i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(word, options[i].name))
			continue;
		if (!value || !option_set(&options[i], value))
			report_error(-EINVAL, "command line: %s", word);
		return;
	}
	report_error(-EOPNOTSUPP, "command line: %s", word);
}

/**
 * config_read() - fill in @config; an option that is wrong is reported
 */
void config_read(void)
{
	char line[4096];	/* COMMAND_LINE_SIZE is 2048 */
	int fd = sys_ret(open("/proc/cmdline", O_RDONLY | O_CLOEXEC));
	ssize_t size;

	if (fd < 0) {
		report_error(fd, "/proc/cmdline");
		return;
	}
	size = sys_retry(read(fd, line, sizeof(line) - 1));
	close(fd);
	line[size < 0 ? 0 : size] = '\0';
	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
		word_read(word);
}
