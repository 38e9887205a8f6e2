// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storage.c - what both sides of a copy have, and what a dead worker leaves.
 *
 * A file in the run directory, "disks-ID", names what has to be removed should
 * the worker be killed: one line each, "made DEVICE INODE PATH" for an image,
 * "copy TARGET" for a mirror, "socket PATH" for a socket in a directory.
 */
#include "protocol/storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "sys.h"

/**
 * storage_create() - no disk yet
 * @storage: receives it
 *
 * Return: 0 or -errno.
 */
int storage_create(struct storage **storage)
{
	struct storage *made = calloc(1, sizeof(*made));
	unsigned int i;

	if (!made)
		return -ENOMEM;
	made->news = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (made->news < 0) {
		int ret = made->news;

		free(made);
		return ret;
	}
	for (i = 0; i < GUEST_DISKS_MAX; i++) {
		struct storage_disk *disk = &made->disks[i];

		disk->listener = disk->client = disk->flusher = -1;
	}
	*storage = made;
	return 0;
}

static void disk_fini(struct storage_disk *disk)
{
	relay_destroy(disk->relay);
	if (disk->listener >= 0)
		close(disk->listener);
	if (disk->client >= 0)
		close(disk->client);
	if (disk->flusher >= 0)
		close(disk->flusher);
}

/**
 * storage_destroy() - break what still runs, free it
 * @storage: NULL is fine
 */
void storage_destroy(struct storage *storage)
{
	unsigned int i;

	if (!storage)
		return;
	for (i = 0; i < storage->count; i++)
		disk_fini(&storage->disks[i]);
	close(storage->news);
	free(storage);
}

static int disk_failed(struct migration *m, const struct storage_disk *disk,
		       int error)
{
	if (m->side == SIDE_DEST)
		return fail_set(&m->fail, error,
				"the copy of disk %s cannot be written to %s: %s%s",
				disk->target, disk->image.path, strerror(-error),
				error == -ENOSPC ? ": make room there" : "");
	if (error == -ETIMEDOUT)
		return fail_set(&m->fail, error,
				"%s takes no more of the copy of disk %s: is its storage stuck?",
				m->options.host, disk->target);
	return fail_set(&m->fail, error,
			"the copy of disk %s to %s broke: %s",
			disk->target, m->options.host, strerror(-error));
}

/**
 * storage_error() - what went wrong first with a copy
 * @m: to ask; @m->fail receives it in words
 *
 * Return: 0 or -errno.
 */
int storage_error(struct migration *m)
{
	unsigned int i;

	for (i = 0; m->storage && i < m->storage->count; i++) {
		const struct storage_disk *disk = &m->storage->disks[i];
		int ret = disk->relay ? relay_result(disk->relay) : 0;

		if (!ret && disk->relay && m->side == SIDE_SOURCE &&
		    !disk->ending)
			ret = -EPIPE;	/* nobody asked it to end */
		if (ret && ret != -EINPROGRESS)
			return disk_failed(m, disk, ret);
	}
	return 0;
}

/* ---- what a dead worker leaves ------------------------------------------- */

static void left_path(char *path, size_t size, const char *run_dir,
		      const uint8_t *id)
{
	int i, used = snprintf(path, size, "%s/disks-", run_dir);

	for (i = 0; i < MIGRATION_ID_SIZE; i++)
		used += snprintf(path + used, size - (size_t)used, "%02x", id[i]);
}

/**
 * storage_note() - write down what has to be removed if this worker dies
 * @run_dir: of the agent
 * @id: of the migration
 * @fmt: one line
 */
void storage_note(const char *run_dir, const uint8_t *id, const char *fmt, ...)
{
	__cleanup_file FILE *file = NULL;
	char path[320];
	va_list args;

	left_path(path, sizeof(path), run_dir, id);
	file = fopen(path, "ae");
	if (!file)
		return;
	va_start(args, fmt);
	vfprintf(file, fmt, args);
	va_end(args);
}

/**
 * storage_forget() - nothing is left that would have to be removed
 * @run_dir: of the agent
 * @id: of the migration
 */
void storage_forget(const char *run_dir, const uint8_t *id)
{
	char path[320];

	left_path(path, sizeof(path), run_dir, id);
	(void)sys_ret(unlink(path));
}

/* Only if it is the one that was made: its path may be another's by now. */
static void image_remove(const char *path, uint64_t device, uint64_t inode)
{
	struct stat status;

	if (!sys_ret(lstat(path, &status)) && status.st_dev == device &&
	    status.st_ino == inode)
		(void)sys_ret(unlink(path));
}

/**
 * storage_image_remove() - remove an image, if it was made by us
 * @image: that is of no use; nobody has it open
 */
void storage_image_remove(struct guest_image *image)
{
	if (image->made)
		image_remove(image->path, image->device, image->inode);
	image->made = false;
}

static void socket_remove(char *path)
{
	(void)sys_ret(unlink(path));
	*strrchr(path, '/') = '\0';
	(void)sys_ret(rmdir(path));
}

static void left_remove(char *line, const struct guest_driver *driver,
			struct guest *guest)
{
	struct fail ignored = { 0 };
	unsigned long long device, inode;
	int at = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "made %llu %llu %n", &device, &inode, &at) == 2 && at)
		image_remove(line + at, device, inode);
	else if (!strncmp(line, "socket /", 8))
		socket_remove(line + 7);
	else if (!strncmp(line, "copy ", 5) && guest && driver->storage)
		driver->storage->copy_end(guest, line + 5, &ignored);
}

/**
 * storage_left() - is there something that a worker left?
 * @run_dir: of the agent
 * @id: of the migration, in hex
 *
 * Return: whether storage_settle_left() would do something.
 */
bool storage_left(const char *run_dir, const char *id)
{
	char path[320];

	snprintf(path, sizeof(path), "%s/disks-%s", run_dir, id);
	return !sys_ret(access(path, F_OK));
}

/**
 * storage_settle_left() - remove what a worker left that was killed
 * @run_dir: of the agent
 * @id: of the migration, in hex
 * @driver: of the guest
 * @guest: that it copied disks of; NULL: it is not here
 *
 * Its server ended when it did.
 */
void storage_settle_left(const char *run_dir, const char *id,
			 const struct guest_driver *driver,
			 struct guest *guest)
{
	__cleanup_file FILE *file = NULL;
	char path[320], line[640];

	snprintf(path, sizeof(path), "%s/disks-%s", run_dir, id);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		left_remove(line, driver, guest);
	(void)sys_ret(unlink(path));
}
