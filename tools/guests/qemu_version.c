// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_version.c - which version a QEMU is, asked of the program itself.
 *
 * As nobody: a peer may have named the program, and a QEMU that was broken
 * into may be another program by now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu_tool.h"

#define ANSWER_MS	10000
#define LINE_SIZE	512

static int version_in(const char *line, char *text, size_t size)
{
	static const char words[] = "version ";
	const char *version = strstr(line, words);

	if (!version)
		return -EPROTO;
	snprintf(text, size, "%s", version + strlen(words));
	return 0;
}

/**
 * qemu_version() - the version of a QEMU program
 * @program: its path
 * @text: receives "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"
 * @size: bytes of @text
 *
 * Return: 0; -ENOENT: there is none; -EPROTO: it says something else; -EIO: it
 * fails; or another -errno.
 */
int qemu_version(const char *program, char *text, size_t size)
{
	const char *const argv[] = { program, "--version", NULL };
	char line[LINE_SIZE];
	int ret = qemu_tool_run(argv, &QEMU_USER_NOBODY, ANSWER_MS, line,
				sizeof(line));

	return ret ? ret : version_in(line, text, size);
}

/**
 * qemu_version_of() - the version of a QEMU that runs, whatever lies on disk
 * @pid: of it
 * @text: receives it
 * @size: bytes of @text
 *
 * Return: as qemu_version().
 */
int qemu_version_of(pid_t pid, char *text, size_t size)
{
	static const char *const argv[] = { "qemu", "--version", NULL };
	char line[LINE_SIZE], path[64];
	__cleanup_fd int program = -1;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	program = sys_ret(open(path, O_PATH | O_CLOEXEC));
	if (program < 0)
		return program;
	ret = qemu_tool_run_open(program, argv, &QEMU_USER_NOBODY, ANSWER_MS,
				 line, sizeof(line));
	return ret ? ret : version_in(line, text, size);
}
