// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_rest.c - a stream that came, behind its head.
 *
 * The head of every stream is the same: an incoming QEMU is given it at once,
 * and waits for the rest.
 */
#include <errno.h>
#include <string.h>

#include "sys.h"
#include "tools/guests/qemu_stream.h"

/**
 * qemu_rest_open() - what QEMU has not read yet
 * @state_fd: a file with a part of the stream
 * @first: it is the first part, which begins with the head
 * @rest: receives it; qemu_rest_close() lets go of it
 * @fail: says that it is no stream
 *
 * Return: 0, -EPROTO or -errno.
 */
int qemu_rest_open(int state_fd, bool first, struct qemu_rest *rest,
		   struct fail *fail)
{
	size_t head = first ? QEMU_STREAM_HEAD : 0;
	struct stat status;
	void *map = NULL;
	int ret = sys_ret(fstat(state_fd, &status));

	if (!ret && (size_t)status.st_size <= head)
		ret = -EPROTO;
	if (!ret)
		ret = sys_mmap(&map, (size_t)status.st_size, PROT_READ,
			       MAP_SHARED, state_fd, 0);
	if (!ret && memcmp(map, qemu_stream_head, head)) {
		munmap(map, (size_t)status.st_size);
		ret = -EPROTO;
	}
	if (ret)
		return fail_set(fail, ret, "the device state is none of QEMU's");
	*rest = (struct qemu_rest){
		.map = map,
		.map_size = (size_t)status.st_size,
		.bytes = (const char *)map + head,
		.size = (size_t)status.st_size - head,
	};
	return 0;
}

/**
 * qemu_rest_close() - let go of it
 * @rest: opened
 */
void qemu_rest_close(struct qemu_rest *rest)
{
	munmap(rest->map, rest->map_size);
}
