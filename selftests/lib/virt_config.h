/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt_config.h - the directories and files that make a host a libvirt host. */
#ifndef STRADDLE_TEST_VIRT_CONFIG_H
#define STRADDLE_TEST_VIRT_CONFIG_H

#include "fail.h"
#include "selftests/lib/virt_host.h"

/*
 * libvirtd's sockets, where the other host can reach them. All else that it
 * writes under /run, with fsync() at each change of a domain, is on a tmpfs.
 */
#define VIRT_SOCKETS	"/run/libvirt-sockets"

#define VIRT_SHARED_DIR	"shared"	/* in two_hosts' folder */

struct virt_bind {
	const char *from;	/* in the host's dir */
	const char *to;		/* where the host has it */
	bool is_file;
	bool is_optional;	/* nothing where the machine has none */
};

/* In the order of mounting; NULL at the end. */
extern const struct virt_bind virt_binds[];

int virt_config_write(struct virt_host *virt, const struct two_hosts *hosts,
		      struct fail *fail);

#endif
