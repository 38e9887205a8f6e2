/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward_disks.c - what a worker has done to a guest's disks and their images. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "steward_own.h"
#include "sys.h"

/**
 * verb_copy_start() - have the guest copy a disk to a socket of ours
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_copy_start(struct steward *steward, const struct guest_driver *driver,
			   struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_copying what = { .disk = NULL };
	struct guest_disk disk;
	char socket[64], export[64];
	int ret;

	(void)out;
	wire_disk(in, &disk);
	wire_chars(in, socket, sizeof(socket));
	wire_chars(in, export, sizeof(export));
	wire_value(in, &what.incremental);
	wire_value(in, &what.synchronous);
	wire_value(in, &what.bandwidth);
	ret = wire_end(in);
	if (!ret && !driver->storage)
		ret = -EOPNOTSUPP;
	if (ret)
		return ret;
	what.disk = &disk;
	what.socket = socket;
	what.export = export;
	if (!storage_host_owns(&steward->storage, socket))
		return fail_set(fail, -EACCES, "%s is no socket of this migration", socket);
	storage_host_copies(&steward->storage, disk.target);
	return driver->storage->copy_start(steward->guest, &what, fail);
}

static int target_in(const struct guest_driver *driver, struct wire *in, char *target,
		     uint64_t *bandwidth)
{
	wire_chars(in, target, sizeof(((struct guest_disk *)NULL)->target));
	if (bandwidth)
		wire_value(in, bandwidth);
	return driver->storage ? wire_end(in) : -EOPNOTSUPP;
}

/**
 * verb_copy_look() - how far a copy is
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_copy_look(struct steward *steward, const struct guest_driver *driver,
			  struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_copy copy = { .done = 0 };
	char target[32];
	int ret = target_in(driver, in, target, NULL);

	if (!ret)
		ret = driver->storage->copy_look(steward->guest, target, &copy, fail);
	if (!ret)
		wire_value(out, &copy);
	return ret;
}

/**
 * verb_copy_limit() - another limit for a copy
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_copy_limit(struct steward *steward, const struct guest_driver *driver,
			   struct wire *in, struct wire *out, struct fail *fail)
{
	uint64_t bandwidth;
	char target[32];

	(void)out;
	return target_in(driver, in, target, &bandwidth) ?:
	       driver->storage->copy_limit(steward->guest, target, bandwidth, fail);
}

/**
 * verb_copy_end() - end a copy
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_copy_end(struct steward *steward, const struct guest_driver *driver,
			 struct wire *in, struct wire *out, struct fail *fail)
{
	char target[32];

	(void)out;
	return target_in(driver, in, target, NULL) ?:
	       driver->storage->copy_end(steward->guest, target, fail);
}

/**
 * verb_image_make() - an image for a disk that comes
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_image_make(struct steward *steward, const struct guest_driver *driver,
		    struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_incoming incoming;
	struct incoming_parts parts;
	struct guest_image image = { .made = false };
	unsigned int disk;
	int ret;

	wire_incoming(in, &incoming, &parts);
	wire_value(in, &disk);
	ret = wire_end(in);
	if (!ret && !driver->storage)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = storage_host_make(&steward->storage, driver, &incoming, disk, &image,
					fail);
	if (!ret)
		wire_image(out, &image);
	incoming_parts_free(&parts);
	return ret;
}

/**
 * verb_image_serve() - a server for an image, and two connections to it
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_image_serve(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	int flusher = -1, client = -1, ret;
	unsigned int number;

	wire_value(in, &number);
	ret = wire_end(in);
	if (!ret && !driver->storage)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = storage_host_serve(&steward->storage, driver, steward->guest, number,
					 &flusher, &client, fail);
	if (flusher >= 0)
		wire_fd_give(out, flusher);
	if (client >= 0)
		wire_fd_give(out, client);
	return ret;
}

/**
 * verb_image_end() - end the server of an image
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_image_end(struct steward *steward, const struct guest_driver *driver,
		   struct wire *in, struct wire *out, struct fail *fail)
{
	unsigned int number;
	int signal, ret;

	(void)driver;
	(void)out;
	(void)fail;
	wire_value(in, &number);
	wire_value(in, &signal);
	ret = wire_end(in);
	if (!ret && signal != SIGTERM && signal != SIGKILL)
		ret = -EINVAL;
	return ret ? ret : storage_host_end(&steward->storage, number, signal);
}

/**
 * verb_disk_listen() - a socket that the guest's process may connect to
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_disk_listen(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	pid_t pid = __atomic_load_n(&steward->pid, __ATOMIC_RELAXED);
	char path[64] = "";
	unsigned int number;
	int listener = -1, ret;

	(void)driver;
	(void)fail;
	wire_value(in, &number);
	ret = wire_end(in);
	if (!ret)
		ret = storage_host_listen(&steward->storage, pid, number, path, sizeof(path),
					  &listener);
	if (ret)
		return ret;
	wire_chars(out, path, sizeof(path));
	wire_fd_give(out, listener);
	return 0;
}

/**
 * verb_disks_over() - nothing of the copies has to be removed any more
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_disks_over(struct steward *steward, const struct guest_driver *driver,
		    struct wire *in, struct wire *out, struct fail *fail)
{
	uint8_t keep;
	int ret;

	(void)driver;
	(void)out;
	(void)fail;
	wire_value(in, &keep);
	ret = wire_end(in);
	if (!ret)
		storage_host_over(&steward->storage, keep);
	return ret;
}
