// SPDX-License-Identifier: LGPL-2.1-or-later
/* qemu_version.c - which version a QEMU is, asked of the program itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/guests/qemu_tool.h"

#define ANSWER_MS	10000

/**
 * qemu_version() - the version of a QEMU program
 * @program: path; "/proc/PID/exe" is the one that runs, whatever lies on disk
 * @as: who runs it; nobody, where a peer names it
 * @text: receives "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"
 * @size: bytes of @text
 *
 * Return: 0; -ENOENT: there is none; -EPROTO: it says something else; -EIO: it
 * fails; or another -errno.
 */
int qemu_version(const char *program, const struct qemu_user *as, char *text,
		 size_t size)
{
	const char *const argv[] = { program, "--version", NULL };
	static const char words[] = "version ";
	char line[512], *version;
	int ret = qemu_tool_run(argv, as, ANSWER_MS, line, sizeof(line));

	if (ret)
		return ret;
	version = strstr(line, words);
	if (!version)
		return -EPROTO;
	snprintf(text, size, "%s", version + strlen(words));
	return 0;
}
