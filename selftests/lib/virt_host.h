/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virt_host.h - two libvirt hosts on one machine, without systemd.
 *
 * A host is the network namespace of a host of two_hosts, with a mount, UTS,
 * IPC and PID namespace to it: own name, own /run, own libvirt directories,
 * own libvirtd at qemu:///system. All that runs there ends with its first
 * process, the holder, and that one ends with the test, however it ended.
 *
 * For one thread at a time. Libvirt hosts go before their two_hosts, and before
 * anything else that calls process_kill_netns(): a holder does not end before
 * its namespace is empty, and the programs that we spawned leave it only when
 * we reap them.
 */
#ifndef STRADDLE_TEST_VIRT_HOST_H
#define STRADDLE_TEST_VIRT_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fail.h"
#include "selftests/lib/segment.h"
#include "selftests/lib/topology.h"

/* Directories in a host that QEMU's user may write to. */
#define VIRT_SHARED	"/var/lib/libvirt/images"	/* both hosts have it */
#define VIRT_PRIVATE	"/var/lib/libvirt/private"	/* this host's alone */

#define VIRT_LIBVIRTD	"/usr/sbin/libvirtd"
#define VIRT_QEMU	"/usr/bin/qemu-system-x86_64"
#define VIRT_TESTS	"/var/cache/straddle-tests"	/* what was fetched */
#define VIRT_QEMU_10	VIRT_TESTS "/qemu10/qemu-system-x86_64"

#define VIRT_PROGRAMS_MAX	64

struct virt_options {
	/*
	 * As distributions ship it: QEMU runs as libvirt-qemu, without
	 * capabilities, under seccomp. Otherwise it is root, with all of them.
	 */
	bool production;
	const char *qemu;	/* the domains' emulator; NULL: VIRT_QEMU */
	bool memory_on_disk;	/* files of memory are there, not on tmpfs */
};

struct virt_host {
	const struct host *host;	/* its network, name and logs */
	struct virt_options options;
	char dir[160];			/* what is mounted in it, and where */
	char shared[160];		/* what is VIRT_SHARED, from outside */
	char uuid[37];			/* libvirt's host_uuid */
	pid_t holder_pid;
	int holder;			/* its pidfd; -1: it does not run */
	int lifeline;			/* the holder ends when it is closed */
	pid_t libvirtd;			/* our child; 0: it does not run */
	/* pidfds of our children in there, which have to be reaped by us */
	int programs[VIRT_PROGRAMS_MAX];
	size_t program_count;
};

struct virt_hosts {
	struct segment *segment;
	struct virt_host source, dest;
};

int virt_missing(struct fail *fail);
bool virt_is_required(void);

int virt_hosts_create(struct virt_hosts **virts, struct two_hosts *hosts,
		      const struct virt_options *options, struct fail *fail);
void virt_hosts_destroy(struct virt_hosts *virts);

/* As host_spawn() and host_run(), in all namespaces; logs: host_log(). */
pid_t virt_host_spawn(struct virt_host *virt, const char *const argv[],
		      const char *log, struct fail *fail);
int virt_host_run(struct virt_host *virt, const char *const argv[], char *text,
		  size_t size, struct fail *fail);
pid_t virt_host_pid(const struct virt_host *virt, pid_t pid);

int virt_host_read(const struct virt_host *virt, const char *path, char *text,
		   size_t size);
int virt_host_write(const struct virt_host *virt, const char *path,
		    const char *text);

int virt_host_start_libvirtd(struct virt_host *virt, struct fail *fail);
int virt_host_stop_libvirtd(struct virt_host *virt, int signal);

#endif
