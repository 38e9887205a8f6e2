// SPDX-License-Identifier: LGPL-2.1-or-later
/* persistent.c - read whenever it is asked for: others write it too. */
#include "tools/vmm/persistent.h"

#include <errno.h>
#include <stddef.h>

#include "protocol/guest.h"
#include "tools/lib/textfile.h"

static int no_place(struct fail *fail)
{
	return fail_set(fail, -EINVAL,
			"this guest is transient: start it with --persistent FILE");
}

/**
 * persistent_read() - the persistent definition as it is on the disk
 * @path: its file, or NULL: transient
 * @text: receives it, owned by the caller; NULL when there is none
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int persistent_read(const char *path, char **text, struct fail *fail)
{
	if (path)
		return textfile_read(path, GUEST_DEFINITION_MAX, text, fail);
	*text = NULL;
	return 0;
}

/**
 * persistent_write() - replace or create the persistent definition
 * @path: its file, or NULL: transient
 * @text: the definition
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int persistent_write(const char *path, const char *text, struct fail *fail)
{
	return path ? textfile_write(path, text, fail) : no_place(fail);
}

/**
 * persistent_remove() - have no persistent definition any more
 * @path: its file, or NULL: transient
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int persistent_remove(const char *path, struct fail *fail)
{
	return path ? textfile_remove(path, fail) : no_place(fail);
}
