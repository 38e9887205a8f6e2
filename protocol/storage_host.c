// SPDX-License-Identifier: LGPL-2.1-or-later
/* storage_host.c - what copying disks does to a host: images, servers, sockets. */
#include "protocol/storage_host.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "protocol/storage.h"
#include "sys.h"

#define SOCKETS_DIR	"/run/straddle-disks-XXXXXX"
#define SERVER_MS	20000	/* a server to end */

/**
 * storage_host_init() - nothing yet
 * @host: receives it
 * @run_dir: of the agent; outlives it
 * @id: of the migration
 */
void storage_host_init(struct storage_host *host, const char *run_dir,
		       const uint8_t *id)
{
	unsigned int i;

	*host = (struct storage_host){ .run_dir = run_dir };
	memcpy(host->id, id, sizeof(host->id));
	for (i = 0; i < GUEST_DISKS_MAX; i++)
		host->disks[i].server.pidfd = -1;
}

/* ---- source ------------------------------------------------------------- */

/* Its user may go through it, nobody may list it. */
static int dir_make(struct storage_host *host)
{
	char path[sizeof(host->dir)] = SOCKETS_DIR;

	if (*host->dir)
		return 0;
	if (!mkdtemp(path))
		return -EIO;
	snprintf(host->dir, sizeof(host->dir), "%s", path);
	return sys_ret(chmod(path, 0711));
}

static int socket_bind(const char *path, uid_t user, gid_t group, int *listener)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int ret = fd < 0 ? fd : 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (!ret)
		ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		ret = sys_ret(chmod(path, 0600));
	if (!ret)
		ret = sys_ret(chown(path, user, group));
	if (!ret)
		ret = sys_ret(listen(fd, 1));
	if (!ret)
		*listener = take_fd(&fd);
	return ret;
}

/**
 * storage_host_listen() - source: a socket that the guest's process may use
 * @host: of the migration
 * @pid: of that process
 * @number: of the disk
 * @path: receives where it is
 * @size: of @path
 * @listener: receives it, the caller's
 *
 * Return: 0 or -errno.
 */
int storage_host_listen(struct storage_host *host, pid_t pid,
			unsigned int number, char *path, size_t size,
			int *listener)
{
	char *socket;
	uid_t user;
	gid_t group;
	int ret;

	if (number >= GUEST_DISKS_MAX || *host->disks[number].socket)
		return -EINVAL;
	socket = host->disks[number].socket;
	ret = guest_process_owner(pid, &user, &group);
	if (!ret)
		ret = dir_make(host);
	if (ret)
		return ret;
	snprintf(socket, sizeof(host->disks[number].socket), "%.47s/%u",
		 host->dir, number);
	storage_note(host->run_dir, host->id, "socket %s\n", socket);
	snprintf(path, size, "%s", socket);
	return socket_bind(socket, user, group, listener);
}

/**
 * storage_host_owns() - source: is that a socket of ours?
 * @host: of the migration
 * @socket: its path
 *
 * Return: whether storage_host_listen() made it.
 */
bool storage_host_owns(const struct storage_host *host, const char *socket)
{
	unsigned int i;

	for (i = 0; i < GUEST_DISKS_MAX; i++)
		if (*socket && !strcmp(host->disks[i].socket, socket))
			return true;
	return false;
}

/**
 * storage_host_copies() - source: a copy of a disk is about to begin
 * @host: of the migration
 * @target: the disk
 */
void storage_host_copies(struct storage_host *host, const char *target)
{
	storage_note(host->run_dir, host->id, "copy %s\n", target);
}

static void sockets_remove(struct storage_host *host)
{
	unsigned int i;

	for (i = 0; i < GUEST_DISKS_MAX; i++) {
		if (*host->disks[i].socket)
			(void)sys_ret(unlink(host->disks[i].socket));
		*host->disks[i].socket = '\0';
	}
	if (*host->dir)
		(void)sys_ret(rmdir(host->dir));
	*host->dir = '\0';
}

/* ---- dest --------------------------------------------------------------- */

/**
 * storage_host_make() - dest: an image for a disk that comes
 * @host: of the migration; its next number is the image's
 * @driver: of the guest
 * @incoming: checked
 * @disk: in its list
 * @image: receives what was made, or was there
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int storage_host_make(struct storage_host *host,
		      const struct guest_driver *driver,
		      const struct guest_incoming *incoming, unsigned int disk,
		      struct guest_image *image, struct fail *fail)
{
	struct guest_image *made = &host->disks[host->count].image;
	int ret;

	if (host->count == GUEST_DISKS_MAX || disk >= incoming->disk_count)
		return -EINVAL;
	host->count++;
	ret = driver->storage->make(incoming, disk, made, fail);
	if (made->made)
		storage_note(host->run_dir, host->id, "made %llu %llu %s\n",
			     (unsigned long long)made->device,
			     (unsigned long long)made->inode, made->path);
	*image = *made;
	return ret;
}

/* In the run directory, which is ours alone; gone when both have connected. */
static int listener_make(struct storage_host *host, struct sockaddr_un *address)
{
	uint64_t random;
	int ret, fd;

	if (gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random)))
		return -EIO;
	ret = snprintf(address->sun_path, sizeof(address->sun_path),
		       "%s/nbd-%016llx", host->run_dir,
		       (unsigned long long)random);
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

/**
 * storage_host_serve() - dest: start a server for an image
 * @host: of the migration
 * @driver: of the guest
 * @guest: created, waits for its state
 * @number: of the image
 * @flusher: receives a connection to the server, the caller's
 * @client: receives another one
 * @fail: says why not
 *
 * Both are in the server's queue before it answers anybody.
 *
 * Return: 0 or -errno.
 */
int storage_host_serve(struct storage_host *host,
		       const struct guest_driver *driver, struct guest *guest,
		       unsigned int number, int *flusher, int *client,
		       struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct storage_host_disk *disk;
	int listener, ret;

	if (number >= host->count || host->disks[number].server.pidfd >= 0)
		return -EINVAL;
	disk = &host->disks[number];
	listener = listener_make(host, &address);
	ret = listener < 0 ? listener : 0;
	if (!ret)
		ret = driver->storage->serve(guest, &disk->image, NBD_EXPORT,
					     listener, &disk->server, fail);
	if (!ret)
		ret = server_connect(&address, flusher);
	if (!ret)
		ret = server_connect(&address, client);
	if (listener >= 0) {
		(void)sys_ret(unlink(address.sun_path));
		close(listener);
	}
	return ret;
}

static int server_send(const struct guest_server *server, int signal)
{
	return sys_ret(syscall(SYS_pidfd_send_signal, server->pidfd, signal,
			       NULL, 0));
}

/**
 * storage_host_end() - dest: end the server of an image
 * @host: of the migration
 * @number: of the image
 * @signal: how; SIGKILL if it does not take it
 *
 * It closes its image: nobody else may have it open for writing meanwhile.
 *
 * Return: 0, also when there is none; or -errno: it took longer.
 */
int storage_host_end(struct storage_host *host, unsigned int number, int signal)
{
	struct guest_server *server;
	int ret;

	if (number >= host->count)
		return -EINVAL;
	server = &host->disks[number].server;
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
 * storage_host_over() - nothing has to be removed any more
 * @host: of the migration. Twice is once
 * @keep: the images are the guest's; else those that were made are removed
 */
void storage_host_over(struct storage_host *host, bool keep)
{
	unsigned int i;

	for (i = 0; i < host->count; i++) {
		if (!keep)
			storage_image_remove(&host->disks[i].image);
		host->disks[i].image.made = false;
	}
	sockets_remove(host);
	storage_forget(host->run_dir, host->id);
}

/**
 * storage_host_fini() - end what still runs; notes of what is left stay
 * @host: of the migration
 */
void storage_host_fini(struct storage_host *host)
{
	unsigned int i;

	for (i = 0; i < host->count; i++)
		storage_host_end(host, i, SIGKILL);
	sockets_remove(host);
}
