// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * witness.c - "NS PID NAME start|stop" lines, by one clock for all VMMs.
 *
 * "start" is written before the first instruction of a vCPU, "stop" after
 * the last one; between the two lines of one process nobody else's may lie.
 */
#include "tools/vmm/witness.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

/**
 * witness_open() - open the regular file for appending, creating it
 * @path: the file
 * @fd: receives the descriptor
 * @fail: says why it does not open
 *
 * Return: 0 or -errno.
 */
int witness_open(const char *path, int *fd, struct fail *fail)
{
	__cleanup_fd int got = sys_retry(open(path, O_WRONLY | O_APPEND |
					      O_CREAT | O_CLOEXEC | O_NOCTTY |
					      O_NOFOLLOW | O_NONBLOCK, 0644));
	struct stat st;
	int ret = got < 0 ? got : sys_ret(fstat(got, &st));

	if (ret)
		return fail_set(fail, ret, "cannot open the witness file %s: %s",
				path, strerror(-ret));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL,
				"%s is no regular file; choose another one as witness",
				path);
	*fd = take_fd(&got);
	return 0;
}

/**
 * witness_write() - append a line, in one write()
 * @fd: the file, or -1: nobody asked for a witness
 * @name: the guest's
 * @what: "start" or "stop"
 *
 * A line that cannot be written is lost: a full disk must not stop a guest.
 */
void witness_write(int fd, const char *name, const char *what)
{
	char line[160];
	int length;

	if (fd < 0)
		return;
	length = snprintf(line, sizeof(line), "%llu %d %s %s\n",
			  (unsigned long long)now_ns(), (int)getpid(), name,
			  what);
	sys_write_all(fd, line, (size_t)length);
}
