// SPDX-License-Identifier: LGPL-2.1-or-later
/* qemu.c - the process of a QEMU: watched, and ended if need be. */
#include "tools/guests/qemu.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/guests/qemu_stream.h"
#include "uffd/sys.h"

#define KILL_MS		30000

/**
 * qemu_init() - a QEMU of which nothing is known yet
 * @qemu: to initialise; qemu_fini() frees what it gathers
 * @ops: the line to its monitor
 */
void qemu_init(struct qemu *qemu, const struct qemu_monitor_ops *ops)
{
	memset(qemu, 0, sizeof(*qemu));
	qemu->pidfd = qemu->devices = -1;
	qemu->devices_set = qemu->hold_set = -1;
	qemu->monitor.ops = ops;
	qemu->monitor.guest = qemu->name;
}

/**
 * qemu_fini() - free what is known of it; it runs on
 * @qemu: initialised
 */
void qemu_fini(struct qemu *qemu)
{
	if (qemu->pidfd >= 0)
		close(qemu->pidfd);
	if (qemu->devices >= 0)
		close(qemu->devices);
	qemu->pidfd = qemu->devices = -1;
	free(qemu->machine);
	free(qemu->blocks);
	free(qemu->expected);
	free(qemu->placed);
	qemu_ahead_free(qemu->ahead);
}

/**
 * qemu_watch() - take note of its process
 * @qemu: without a process yet
 * @pid: of it
 * @fail: says why not
 *
 * Return: 0, -ESRCH or -errno.
 */
int qemu_watch(struct qemu *qemu, pid_t pid, struct fail *fail)
{
	int pidfd = sys_pidfd_open(pid);

	if (pidfd < 0)
		return fail_set(fail, pidfd, "cannot watch process %d of guest '%s': %s",
				(int)pid, qemu->name, strerror(-pidfd));
	qemu->pid = pid;
	qemu->pidfd = pidfd;
	return 0;
}

/**
 * qemu_alive() - does its process run?
 * @qemu: watched
 *
 * Return: true unless it has ended.
 */
bool qemu_alive(const struct qemu *qemu)
{
	return qemu->pidfd >= 0 &&
	       sys_wait_fd(qemu->pidfd, POLLIN, 0) == -ETIMEDOUT;
}

/**
 * qemu_kill() - end its process, and wait until it is gone
 * @qemu: watched; one that ended before is fine
 * @fail: says that it did not
 *
 * Return: 0 or -ETIMEDOUT.
 */
int qemu_kill(struct qemu *qemu, struct fail *fail)
{
	int ret;

	if (qemu->pidfd < 0)
		return 0;
	sys_ret(syscall(__NR_pidfd_send_signal, qemu->pidfd, SIGKILL, NULL, 0));
	ret = sys_wait_fd(qemu->pidfd, POLLIN, KILL_MS);
	return ret ? fail_set(fail, ret,
			      "process %d of guest '%s' does not end, although killed: %s",
			      (int)qemu->pid, qemu->name, strerror(-ret)) : 0;
}

/**
 * qemu_expect() - remember what the source says the guest has
 * @qemu: that is to come in
 * @incoming: with its regions
 *
 * Return: 0 or -ENOMEM.
 */
int qemu_expect(struct qemu *qemu, const struct guest_incoming *incoming)
{
	size_t size = incoming->region_count * sizeof(*qemu->expected);

	qemu->expected = malloc(size);
	if (!qemu->expected)
		return -ENOMEM;
	memcpy(qemu->expected, incoming->regions, size);
	qemu->expected_count = incoming->region_count;
	return 0;
}
