// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * storage_dest.c - images for the disks that come, and who writes them.
 *
 * The guest that waits for its state has opened its images and uses none of
 * them; until it is loaded they are the servers'.
 */
#include <errno.h>
#include <gnutls/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define GREET_MS	10000
#define ARRIVE_MS	30000	/* the end of a copy that the source has seen */
#define SERVER_MS	20000	/* a server to end */

static int disk_make(struct migration *m, const struct guest_incoming *incoming,
		     unsigned int index)
{
	struct storage_disk *disk = &m->storage->disks[m->storage->count];
	struct guest_image *image = &disk->image;
	int ret;

	m->storage->count++;
	disk->index = index;
	snprintf(disk->target, sizeof(disk->target), "%s",
		 incoming->disks[index].target);
	ret = m->driver->storage->make(incoming, index, image, &m->fail);
	if (image->made)
		storage_note(m->run_dir, m->id, "made %llu %llu %s\n",
			     (unsigned long long)image->device,
			     (unsigned long long)image->inode, image->path);
	return ret;
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

/* In the run directory, which is ours alone; gone when both have connected. */
static int listener_make(struct migration *m, struct sockaddr_un *address)
{
	uint64_t random;
	int ret, fd;

	if (gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random)))
		return -EIO;
	ret = snprintf(address->sun_path, sizeof(address->sun_path),
		       "%s/nbd-%016llx", m->run_dir, (unsigned long long)random);
	if (ret >= (int)sizeof(address->sun_path))
		return -ENAMETOOLONG;
	fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return fd;
	ret = sys_ret(bind(fd, (struct sockaddr *)address, sizeof(*address)));
	if (!ret)
		ret = sys_ret(listen(fd, 2));
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int server_connect(const struct sockaddr_un *address, int *connected)
{
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret = fd < 0 ? fd : sys_ret(connect(fd, (struct sockaddr *)
					(uintptr_t)address, sizeof(*address)));

	if (!ret)
		*connected = take_fd(&fd);
	return ret;
}

static int disk_serve(struct migration *m, struct storage_disk *disk)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = listener_make(m, &address);
	int ret = listener < 0 ? listener : 0;

	if (!ret)
		ret = m->driver->storage->serve(m->guest, &disk->image, NBD_EXPORT,
						listener, &disk->server, &m->fail);
	/* Both are in the queue before anybody answers. */
	if (!ret)
		ret = server_connect(&address, &disk->flusher);
	if (!ret)
		ret = server_connect(&address, &disk->client);
	if (listener >= 0) {
		(void)sys_ret(unlink(address.sun_path));
		close(listener);
	}
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
		ret = disk_serve(m, &m->storage->disks[i]);
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

static int server_send(const struct guest_server *server, int signal)
{
	return sys_ret(syscall(SYS_pidfd_send_signal, server->pidfd, signal,
			       NULL, 0));
}

/* It closes its image: nobody else may have it open for writing meanwhile. */
static int server_end(struct guest_server *server, int signal)
{
	int ret;

	if (server->pidfd < 0)
		return 0;
	server_send(server, signal);
	ret = sys_wait_fd(server->pidfd, POLLIN, SERVER_MS);
	if (ret) {
		server_send(server, SIGKILL);
		sys_wait_fd(server->pidfd, POLLIN, SERVER_MS);
	}
	sys_retry(waitpid(server->pid, NULL, WNOHANG));
	close(take_fd(&server->pidfd));
	return ret;
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
		struct storage_disk *disk = &m->storage->disks[i];

		ret = server_end(&disk->server, SIGTERM);
		if (ret)
			fail_set(&m->fail, ret, "what wrote %s does not end",
				 disk->image.path);
	}
	return ret;
}

/**
 * storage_keep() - the images are the guest's
 * @m: past GO
 */
void storage_keep(struct migration *m)
{
	unsigned int i;

	for (i = 0; m->storage && i < m->storage->count; i++)
		m->storage->disks[i].image.made = false;
	if (m->storage)
		storage_forget(m->run_dir, m->id);
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
		server_end(&disk->server, SIGKILL);
		relay_destroy(disk->relay);
		disk->relay = NULL;
		storage_image_remove(&disk->image);
	}
	if (m->storage)
		storage_forget(m->run_dir, m->id);
}
