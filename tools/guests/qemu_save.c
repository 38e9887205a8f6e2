// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_save.c - have QEMU write its device state into a file of ours.
 *
 * xen-save-devices-state needs no Xen. With "live" it also lets go of the
 * disk images of a guest that stands still: caches are flushed, locks
 * released, and "cont" takes them again. QEMU is handed a descriptor, since a
 * path that its user may write is one that its user may redirect.
 */
#include "tools/guests/qemu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu_stream.h"

#define DEVICES_MAX	(64u << 20)	/* bytes of device state */

/* An unnamed file, once more opened: QEMU takes it for writing only. */
static int file_make(int *fd, int *write_fd)
{
	__cleanup_fd int made = sys_ret(memfd_create("straddle-devices",
						     MFD_CLOEXEC | MFD_ALLOW_SEALING));
	char path[48];
	int again;

	if (made < 0)
		return made;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", made);
	again = sys_ret(open(path, O_WRONLY | O_CLOEXEC));
	if (again < 0)
		return again;
	*fd = take_fd(&made);
	*write_fd = again;
	return 0;
}

/**
 * qemu_save_end() - take the file back, unless its process is gone
 * @qemu: of a guest that goes on here, or does not; none begun is fine
 */
void qemu_save_end(struct qemu *qemu)
{
	if (!qemu_alive(qemu))
		qemu->devices_set = -1;
	qemu_fd_remove(&qemu->monitor, &qemu->devices_set);
}

/**
 * qemu_save_begin() - hand QEMU the file for its devices, while it still runs
 * @qemu: watched. Twice is once
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_save_begin(struct qemu *qemu, struct fail *fail)
{
	__cleanup_fd int file = -1, write_fd = -1;
	int ret;

	if (qemu->devices >= 0)
		return 0;
	qemu_save_end(qemu);
	ret = file_make(&file, &write_fd);
	if (ret)
		return fail_set(fail, ret, "cannot make a file for the devices of guest '%s': %s",
				qemu->name, strerror(-ret));
	ret = qemu_fd_add(&qemu->monitor, write_fd, &qemu->devices_set, fail);
	if (!ret)
		qemu->devices = take_fd(&file);
	return ret;
}

static int devices_write(struct qemu *qemu, struct fail *fail)
{
	struct json_object *arguments = json_object_new_object();
	char path[48];

	snprintf(path, sizeof(path), "/dev/fdset/%lld",
		 (long long)qemu->devices_set);
	json_object_object_add(arguments, "filename", json_object_new_string(path));
	json_object_object_add(arguments, "live", json_object_new_boolean(true));
	return qemu_call(&qemu->monitor, "xen-save-devices-state", arguments,
			 -1, NULL, fail);
}

/* The file is used up by it, and @devices then the caller's. */
static int devices_save(struct qemu *qemu, int *devices, struct fail *fail)
{
	int ret = qemu_save_begin(qemu, fail);

	if (ret)
		return ret;
	*devices = take_fd(&qemu->devices);
	return devices_write(qemu, fail);
}

/* Its file QEMU forgets when libvirtd is restarted: it is handed another. */
static int devices_save_again(struct qemu *qemu, int *devices,
			      struct fail *fail)
{
	struct fail why = { 0 };
	int ret = devices_save(qemu, devices, &why);

	if (ret != -EREMOTEIO)
		return ret ? fail_set(fail, ret, "%s", why.text) : 0;
	close(take_fd(devices));
	return devices_save(qemu, devices, fail);
}

/* How much of them is in use may have changed; where they are has not. */
static int blocks_refresh(struct qemu_monitor *monitor,
			  struct qemu_blocks *blocks, struct fail *fail)
{
	struct qemu_blocks *now = malloc(sizeof(*now));
	unsigned int i;
	int ret = now ? qemu_blocks_read(monitor, now, fail) : -ENOMEM;

	if (!ret && now->count != blocks->count)
		ret = -EBUSY;
	for (i = 0; !ret && i < now->count; i++) {
		if (strcmp(now->table[i].name, blocks->table[i].name) ||
		    now->table[i].total != blocks->table[i].total)
			ret = -EBUSY;
		else
			blocks->table[i].used = now->table[i].used;
	}
	free(now);
	if (ret == -EBUSY)
		fail_set(fail, ret,
			 "guest '%s' got other RAM blocks while it was being migrated; migrate it again",
			 monitor->guest);
	return ret;
}

/* The stream, from the devices that QEMU wrote into a file. */
static int stream_make(struct qemu *qemu, int devices, int *state_fd,
		       struct fail *fail)
{
	struct qemu_stream stream = {
		.machine = qemu->machine,
		.pid = qemu->pid,
		.blocks = qemu->blocks,
		.ahead = qemu->ahead,
	};
	void *map = NULL;
	struct stat status;
	/* QEMU has it open, and could cut it off below what is mapped here. */
	int ret = sys_ret(fcntl(devices, F_ADD_SEALS, F_SEAL_SHRINK));

	if (!ret)
		ret = sys_ret(fstat(devices, &status));
	if (!ret && (status.st_size <= 0 || status.st_size > DEVICES_MAX))
		ret = -EFBIG;
	if (!ret)
		ret = sys_mmap(&map, (size_t)status.st_size, PROT_READ,
			       MAP_SHARED, devices, 0);
	if (ret)
		return fail_set(fail, ret, "cannot take the devices of guest '%s': %s",
				qemu->name, strerror(-ret));
	stream.devices = map;
	stream.devices_size = (size_t)status.st_size;
	ret = qemu_stream_rest(&stream, state_fd, fail);
	munmap(map, stream.devices_size);
	return ret;
}

/**
 * qemu_save_ahead() - what an incoming QEMU may have before the guest stops
 * @qemu: of a guest that runs; its regions were listed
 * @state_fd: receives a memfd with the stream's first part, the caller's
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_save_ahead(struct qemu *qemu, int *state_fd, struct fail *fail)
{
	struct qemu_stream stream = {
		.machine = qemu->machine,
		.pid = qemu->pid,
		.blocks = qemu->blocks,
	};

	if (!qemu->blocks || !qemu->machine || qemu->ahead)
		return -EINVAL;
	return qemu_stream_ahead(&stream, &qemu->ahead, state_fd, fail);
}

/**
 * qemu_save() - what it needs beside that, and the pages of its regions
 * @qemu: of a guest that stands still, after qemu_save_ahead()
 * @state_fd: receives a memfd with the stream's rest, the caller's
 * @fail: says what failed
 *
 * Its disk images are inactive from here on, until it is resumed. It keeps
 * the file of its devices until qemu_save_end().
 *
 * Return: 0 or -errno.
 */
int qemu_save(struct qemu *qemu, int *state_fd, struct fail *fail)
{
	__cleanup_fd int devices = -1;
	int ret;

	if (!qemu->ahead)
		return -EINVAL;
	ret = devices_save_again(qemu, &devices, fail);
	if (!ret)
		ret = blocks_refresh(&qemu->monitor, qemu->blocks, fail);
	return ret ? ret : stream_make(qemu, devices, state_fd, fail);
}
