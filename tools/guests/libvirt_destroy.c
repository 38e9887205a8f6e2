// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt_destroy.c - end a domain that runs elsewhere now.
 *
 * virDomainDestroy sends SIGTERM and looks 200 ms later whether that helped
 * (virProcessKillPainfullyDelay() in src/util/virprocess.c). A process that is
 * gone already it does not wait for; but libvirt, whose line to its QEMU breaks,
 * would have noticed by then, and call it crashed. So QEMU's ends of its sockets
 * are kept open while its process is killed: then libvirt finds nothing to wait
 * for, and says destroyed.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/libvirt_guest.h"
#include "uffd/sys.h"

#define SOCKETS_MAX	256
#define REAP_MS		20	/* less than libvirt sleeps */

struct sockets {
	int fds[SOCKETS_MAX];	/* owned */
	unsigned int count;
};

static bool is_socket(int dir, const char *name)
{
	char target[64];
	ssize_t length = sys_ret(readlinkat(dir, name, target, sizeof(target)));

	return length > 7 && !strncmp(target, "socket:", 7);
}

/* One of them is its monitor's. */
static int sockets_keep(const struct qemu *qemu, struct sockets *sockets)
{
	char path[64];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)qemu->pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (ret >= 0 && (entry = readdir(dir))) {
		if (!is_socket(dirfd(dir), entry->d_name))
			continue;
		ret = sockets->count == SOCKETS_MAX ? -E2BIG :
		      sys_pidfd_getfd(qemu->pidfd, atoi(entry->d_name));
		if (ret >= 0)
			sockets->fds[sockets->count++] = ret;
	}
	closedir(dir);
	return ret < 0 ? ret : 0;
}

static void sockets_close(struct sockets *sockets)
{
	while (sockets->count)
		close(sockets->fds[--sockets->count]);
}

/**
 * libvirt_destroy_moved() - kill the domain's process, then have libvirt know
 * @guest: an open domain, which is held here
 * @fail: says that it does not end
 *
 * Return: 0 or -errno.
 */
int libvirt_destroy_moved(struct guest *guest, struct fail *fail)
{
	struct sockets kept = { .count = 0 };
	int ret = sockets_keep(&guest->qemu, &kept);

	if (!ret)
		ret = qemu_kill(&guest->qemu, fail);
	/*
	 * It can be signalled until its parent has looked: POLLHUP (Linux 6.9;
	 * before, libvirt sleeps if it is early).
	 */
	if (!ret)
		(void)sys_wait_fd(guest->qemu.pidfd, 0, REAP_MS);
	virDomainDestroy(guest->domain);
	sockets_close(&kept);
	return qemu_kill(&guest->qemu, fail);
}
