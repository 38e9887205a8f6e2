// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_hold.c - nobody saves a held guest, or moves it away.
 *
 * It is an ordinary paused guest to its owner, who may save it. That ends its
 * process, and with it the memory that the dest has not got yet (QEMU even
 * aborts, for its images are inactive). Saving is a migration to QEMU, and it
 * refuses any while it has an image open of a format that it cannot migrate:
 * so it is given one, which belongs to no device. Of those formats Parallels has
 * the least head (docs/interop/parallels.rst of QEMU).
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu.h"

#define NODE	"straddle-held"

struct parallels {
	char magic[16];
	uint32_t version, heads, cylinders, tracks, entries;
	uint64_t sectors;
	uint32_t in_use, data_at, flags;
	uint64_t extension_at;
	uint32_t table[1];
} __attribute__((packed));

_Static_assert(sizeof(struct parallels) == 68, "as on the disk");

/* An empty image in an unnamed file, open for reading only. */
static int image_make(int *fd)
{
	struct parallels image = {
		.magic = { 'W', 'i', 't', 'h', 'o', 'u', 't', 'F', 'r', 'e',
			   'e', 'S', 'p', 'a', 'c', 'e' },
		.version = htole32(2), .heads = htole32(16),
		.cylinders = htole32(1), .tracks = htole32(8),
		.entries = htole32(1), .sectors = htole64(8),
	};
	__cleanup_fd int made = sys_ret(memfd_create(NODE, MFD_CLOEXEC));
	char path[48];
	int ret = made < 0 ? made : sys_write_all(made, &image, sizeof(image));

	if (!ret)	/* whole sectors */
		ret = sys_ret(ftruncate(made, 512));
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", made);
	*fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	return *fd < 0 ? *fd : 0;
}

/**
 * qemu_hold_begin() - hand QEMU that image, while it still runs
 * @qemu: watched. Twice is once
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_hold_begin(struct qemu *qemu, struct fail *fail)
{
	__cleanup_fd int fd = -1;
	int ret;

	if (qemu->hold_set >= 0)
		return 0;
	ret = image_make(&fd);
	if (ret)
		return fail_set(fail, ret, "cannot make an image to hold guest '%s' by: %s",
				qemu->name, strerror(-ret));
	return qemu_fd_add(&qemu->monitor, fd, &qemu->hold_set, fail);
}

static int node_add(struct qemu *qemu, struct fail *fail)
{
	struct json_object *arguments = json_object_new_object();
	struct json_object *file = json_object_new_object();
	char path[48];

	snprintf(path, sizeof(path), "/dev/fdset/%lld", (long long)qemu->hold_set);
	json_object_object_add(file, "driver", json_object_new_string("file"));
	json_object_object_add(file, "filename", json_object_new_string(path));
	json_object_object_add(file, "locking", json_object_new_string("off"));
	json_object_object_add(arguments, "driver", json_object_new_string("parallels"));
	json_object_object_add(arguments, "node-name", json_object_new_string(NODE));
	json_object_object_add(arguments, "read-only", json_object_new_boolean(true));
	json_object_object_add(arguments, "file", file);
	return qemu_call(&qemu->monitor, "blockdev-add", arguments, -1, NULL, fail);
}

/* What QEMU's no means: it has the image already, or is saving at this moment. */
static int node_ask(struct qemu *qemu, struct fail *fail)
{
	struct fail why = { 0 };
	int ret = node_add(qemu, &why);

	if (ret == -EREMOTEIO && strstr(why.text, "Duplicate"))
		return 0;
	if (ret == -EREMOTEIO && strstr(why.text, "in progress"))
		ret = -EBUSY;
	return ret ? fail_set(fail, ret, "%s", why.text) : 0;
}

/**
 * qemu_hold() - from here on it refuses to be saved or moved away
 * @qemu: of a guest that stands still, and was saved by us
 * @fail: says why it does not
 *
 * Return: 0; -EREMOTEIO: this QEMU cannot be kept from it; -EBUSY: it is being
 * saved or moved by somebody; or another -errno.
 */
int qemu_hold(struct qemu *qemu, struct fail *fail)
{
	struct fail why = { 0 };
	int ret = qemu_hold_begin(qemu, fail);

	if (!ret)
		ret = node_ask(qemu, &why);
	if (ret == -EREMOTEIO) {	/* forgotten, as in devices_save_again() */
		qemu_fd_remove(&qemu->monitor, &qemu->hold_set);
		ret = qemu_hold_begin(qemu, fail);
		if (!ret)
			ret = node_ask(qemu, fail);
	} else if (ret) {
		fail_set(fail, ret, "%s", why.text);
	}
	/* It has its own by now. */
	qemu_fd_remove(&qemu->monitor, &qemu->hold_set);
	return ret;
}

/**
 * qemu_release() - it may be saved and moved away again
 * @qemu: of a guest that goes on here, or that an operator has to do with;
 *	whoever held it
 */
void qemu_release(struct qemu *qemu)
{
	struct json_object *arguments = json_object_new_object();
	struct fail ignored = { 0 };

	json_object_object_add(arguments, "node-name",
			       json_object_new_string(NODE));
	qemu_call(&qemu->monitor, "blockdev-del", arguments, -1, NULL, &ignored);
	qemu_fd_remove(&qemu->monitor, &qemu->hold_set);
}
