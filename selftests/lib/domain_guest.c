/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_guest.c - the guest of selftests/libvirt/guest, for a domain to boot. */
#include "domain.h"

#include <stdio.h>

#include "program.h"
#include "sys.h"

/* Copy a file of the guest's build to where QEMU's user may read it. */
static int guest_copy(struct virt_host *virt, const char *name)
{
	char path[512], built[128];
	const char *const argv[] = { "/bin/cp", path, VIRT_SHARED "/", NULL };

	snprintf(built, sizeof(built), "selftests/libvirt/guest/%s", name);
	build_path(path, sizeof(path), built);
	return access(path, R_OK) ? -ENOENT :
				    virt_host_run(virt, argv, NULL, 0, NULL);
}

/**
 * domain_guest() - let a domain boot the guest of this build
 * @virt: a host; the files are on the storage that both share
 * @domain: receives their paths there
 *
 * Return: 0, or -ENOENT when it was not built.
 */
int domain_guest(struct virt_host *virt, struct domain *domain)
{
	if (guest_copy(virt, "vmlinuz") || guest_copy(virt, "initrd.img"))
		return -ENOENT;
	domain->kernel = VIRT_SHARED "/vmlinuz";
	domain->initrd = VIRT_SHARED "/initrd.img";
	return 0;
}
