/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphan.c - fork twice, so that a process is nobody's child. */
#include "tools/guests/orphan.h"

#include <sys/wait.h>

#include "sys.h"

/**
 * orphan_fork() - start a process in a session of its own
 * @become: runs in the new process and must not return: system calls only,
 *	as between fork and exec of a threaded process
 * @what: handed to @become
 *
 * Return: 0, or -errno of the first fork. That the second failed shows only in
 * what @become then does not say.
 */
int orphan_fork(void (*become)(const void *what), const void *what)
{
	pid_t child = sys_ret(fork());
	int ret;

	if (child < 0)
		return child;
	if (child) {
		ret = sys_retry(waitpid(child, NULL, 0));
		return ret < 0 ? ret : 0;
	}
	setsid();
	child = fork();
	if (!child)
		become(what);
	_exit(0);
}
