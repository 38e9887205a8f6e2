// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * modules.c - the kernel modules that make-initrd.sh put into /modules.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "sys.h"
#include "guest.h"

#define ORDER	"/modules/order"	/* file names, what others need first */

static void module_load(const char *name)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0) {
		report_error(fd, "module %s", name);
		return;
	}
	ret = (int)sys_ret(syscall(SYS_finit_module, fd, "", 0));
	if (ret && ret != -EEXIST)
		report_error(ret, "module %s", name);
	close(fd);
}

/**
 * modules_load() - load all modules; one that fails is reported
 */
void modules_load(void)
{
	FILE *order = fopen(ORDER, "re");
	char name[128];

	if (!order) {
		report_error(-ENOENT, ORDER);
		return;
	}
	while (fgets(name, sizeof(name), order)) {
		name[strcspn(name, "\n")] = '\0';
		module_load(name);
	}
	fclose(order);
}
