// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * device.c - opens a device, which may come a little later than its driver.
 */
#include <sys/inotify.h>

#include "sys.h"
#include "guest.h"

/* SCSI disks are found in the background; TCG on a busy machine is slow. */
#define WAIT_NS	(10ull * NS_PER_S)

/* Something came in /dev, or @end_ns passed. */
static int events_wait(int watch, uint64_t end_ns)
{
	char events[4096] __attribute__((aligned(8)));
	uint64_t now = now_ns();
	int ret;

	if (now >= end_ns)
		return -ETIMEDOUT;
	ret = sys_wait_fd(watch, POLLIN, (int)((end_ns - now) / NS_PER_MS) + 1);
	if (ret)
		return ret;
	ret = (int)sys_retry(read(watch, events, sizeof(events)));
	return ret < 0 ? ret : 0;
}

/**
 * device_open() - open a device
 * @wait: wait for it to appear, some seconds
 *
 * Return: a descriptor or -errno.
 */
int device_open(const char *path, int flags, bool wait)
{
	uint64_t end_ns = now_ns() + WAIT_NS;
	int watch, ret, fd;

	if (!wait)
		return sys_ret(open(path, flags | O_CLOEXEC));
	watch = sys_ret(inotify_init1(IN_CLOEXEC));
	if (watch < 0)
		return watch;
	ret = sys_ret(inotify_add_watch(watch, "/dev", IN_CREATE));
	/* Watched first, looked at then: nothing is missed in between. */
	fd = sys_ret(open(path, flags | O_CLOEXEC));
	while (ret >= 0 && (fd == -ENOENT || fd == -ENXIO)) {
		ret = events_wait(watch, end_ns);
		fd = sys_ret(open(path, flags | O_CLOEXEC));
	}
	close(watch);
	return fd;
}
