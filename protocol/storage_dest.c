// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storage_dest.c - images for the disks that come, and who writes them.
 *
 * The guest that waits for its state has opened its images and uses none of
 * them; until it is loaded they are the servers'.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define GREET_MS	10000
#define ARRIVE_MS	30000	/* the end of a copy that the source has seen */

static int disk_make(struct migration *m, const struct guest_incoming *incoming,
		     unsigned int index)
{
	struct storage_disk *disk = &m->storage->disks[m->storage->count];
	struct guest_image *image = &disk->image;

	m->storage->count++;
	disk->index = index;
	snprintf(disk->target, sizeof(disk->target), "%s",
		 incoming->disks[index].target);
	return m->port_ops->storage->make(m->port, incoming, index, image,
					  &m->fail);
}

/**
 * storage_make() - have an image for each disk that is to be copied
 * @m: preparing
 * @incoming: checked: its disks say whether they have to be copied
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_make(struct migration *m, const struct guest_incoming *incoming)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < incoming->disk_count && !ret; i++) {
		if (!incoming->disks[i].copy)
			continue;
		if (!m->storage)
			ret = storage_create(&m->storage);
		if (!ret)
			ret = disk_make(m, incoming, i);
	}
	return ret;
}

/* ---- servers ------------------------------------------------------------ */

static int disk_serve(struct migration *m, unsigned int number)
{
	struct storage_disk *disk = &m->storage->disks[number];
	int ret = m->port_ops->storage->serve(m->port, number, &disk->flusher,
					      &disk->client, &m->fail);

	if (!ret)
		ret = nbd_greet(disk->flusher, GREET_MS);
	return ret ? fail_set(&m->fail, ret,
			      "cannot serve %s, where the copy of disk %s goes: %s; the log of straddled there has the server's words",
			      disk->image.path, disk->target, strerror(-ret)) : 0;
}

/**
 * storage_serve() - start a server for each image
 * @m: its guest was created, and waits for its state
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_serve(struct migration *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; m->storage && i < m->storage->count && !ret; i++)
		ret = disk_serve(m, i);
	return ret;
}

/**
 * storage_take() - put a lane to the server that it is for
 * @m: prepared
 * @accepted: whose channel is taken, or closed: one lane a disk
 *
 * Return: 0 or -errno.
 */
int storage_take(struct migration *m, struct accepted *accepted)
{
	struct storage_disk *disk = NULL;
	struct relay_setup setup = {
		.end = RELAY_SERVER,
		.channel = accepted->channel,
	};

	if (m->storage && accepted->index < m->storage->count)
		disk = &m->storage->disks[accepted->index];
	if (!disk || disk->client < 0) {
		channel_close(accepted->channel);
		return 0;
	}
	setup.news = m->storage->news;
	setup.flusher = disk->flusher;
	setup.fd = take_fd(&disk->client);
	return relay_create(&setup, &disk->relay);
}

/**
 * storage_complete() - has each disk its lane?
 * @m: prepared
 *
 * Return: true when there is none left to wait for.
 */
bool storage_complete(const struct migration *m)
{
	unsigned int i;

	for (i = 0; m->storage && i < m->storage->count; i++)
		if (!m->storage->disks[i].relay)
			return false;
	return true;
}

/* ---- the end ------------------------------------------------------------ */

static bool is_over(const struct migration *m)
{
	unsigned int i;

	for (i = 0; i < m->storage->count; i++)
		if (relay_result(m->storage->disks[i].relay) == -EINPROGRESS)
			return false;
	return true;
}

/* The source saw the end of its copies before it sent its device state. */
static int copies_wait(struct migration *m)
{
	while (!is_over(m)) {
		struct event event;
		int ret = event_wait(m, ARRIVE_MS, &event);

		if (ret)
			return ret;
		if (event.kind == EVENT_TIMEOUT)
			return fail_set(&m->fail, -ETIMEDOUT,
					"the source did not end the copies of its disks");
		if (event.kind != EVENT_ENGINE)
			return event_refuse(m, &event);
	}
	return storage_error(m);
}

/**
 * storage_close() - the images are whole, and nobody's
 * @m: everything was sent
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_close(struct migration *m)
{
	unsigned int i;
	int ret;

	if (!m->storage)
		return 0;
	ret = copies_wait(m);
	for (i = 0; i < m->storage->count && !ret; i++) {
		ret = m->port_ops->storage->end(m->port, i, SIGTERM);
		if (ret)
			fail_set(&m->fail, ret, "what wrote %s does not end",
				 m->storage->disks[i].image.path);
	}
	return ret;
}

/**
 * storage_keep() - the images are the guest's
 * @m: past GO
 */
void storage_keep(struct migration *m)
{
	if (m->storage)
		m->port_ops->storage->over(m->port, true);
}

/**
 * storage_discard() - end the servers, remove the images that we made
 * @m: discarded; its guest is gone. Twice is once
 */
void storage_discard(struct migration *m)
{
	unsigned int i;

	for (i = 0; m->storage && i < m->storage->count; i++) {
		struct storage_disk *disk = &m->storage->disks[i];

		/* First, so that nobody waits for its answer. */
		m->port_ops->storage->end(m->port, i, SIGKILL);
		relay_destroy(disk->relay);
		disk->relay = NULL;
	}
	if (m->storage)
		m->port_ops->storage->over(m->port, false);
}
