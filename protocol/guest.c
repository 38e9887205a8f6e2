/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - whose guest one is, and what its driver answered. */
#include "protocol/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

/**
 * guest_description_fini() - close and free what a description holds
 * @description: of a driver's describe(), or all zero; all zero afterwards
 */
void guest_description_fini(struct guest_description *description)
{
	for (unsigned int i = 0; i < description->region_count; i++)
		if (description->regions[i].fd >= 0)
			close(description->regions[i].fd);
	free(description->live);
	free(description->persistent);
	free(description->disks);
	*description = (struct guest_description){ 0 };
}

/**
 * guest_name_fits() - may a name be that of a driver's guest?
 * @driver: to look at
 * @name: of a guest
 *
 * Return: whether it makes sense to ask the driver for it.
 */
bool guest_name_fits(const struct guest_driver *driver, const char *name)
{
	return driver->prefix ?
	       !strncmp(name, driver->prefix, strlen(driver->prefix)) :
	       !strchr(name, '/');
}

/**
 * guest_process_owner() - whose user and group a guest's process has
 * @pid: of the process
 * @user: receives the one that counts
 * @group: likewise
 *
 * Return: 0 or -ESRCH.
 */
int guest_process_owner(pid_t pid, uid_t *user, gid_t *group)
{
	__cleanup_file FILE *file = NULL;
	char path[64], line[256];
	unsigned int uid, gid;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && found < 2 && fgets(line, sizeof(line), file)) {
		found += sscanf(line, "Uid: %*u %u", &uid) == 1;
		found += sscanf(line, "Gid: %*u %u", &gid) == 1;
	}
	if (found < 2)
		return -ESRCH;
	*user = uid;
	*group = gid;
	return 0;
}

/**
 * guest_find() - open a guest, whoever runs it
 * @drivers: to ask, one after the other; ends with NULL
 * @host: where guests are
 * @name: of the guest
 * @driver: receives its driver
 * @guest: receives the guest, to be closed by its driver
 * @fail: says why not
 *
 * Return: 0; -ENOENT: nobody knows it; or the -errno of the driver that does.
 */
int guest_find(const struct guest_driver *const *drivers,
	       const struct guest_host *host, const char *name,
	       const struct guest_driver **driver, struct guest **guest,
	       struct fail *fail)
{
	struct fail first = { 0 };

	for (; *drivers; drivers++) {
		struct fail why = { 0 };
		int ret;

		if (!guest_name_fits(*drivers, name))
			continue;
		ret = (*drivers)->open(host, name, guest, &why);
		if (!ret) {
			*driver = *drivers;
			return 0;
		}
		if (ret != -ENOENT)
			return fail_set(fail, ret, "%s", why.text);
		fail_set(&first, ret, "%s", why.text);
	}
	return fail_set(fail, -ENOENT, "%s", first.err ? first.text :
			"no guest has a name like this");
}

/**
 * guest_driver_named() - the driver that calls itself so
 * @drivers: that there are; ends with NULL
 * @name: "vmm"
 *
 * Return: it, or NULL: this version has none of that name.
 */
const struct guest_driver *guest_driver_named(
	const struct guest_driver *const *drivers, const char *name)
{
	while (*drivers && strcmp((*drivers)->name, name))
		drivers++;
	return *drivers;
}
