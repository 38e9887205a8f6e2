// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * socket.c - one live socket a name.
 *
 * Paths go through /proc/self/fd, so that a run directory may be longer
 * than the 107 bytes of a socket's address.
 */
#include "tools/vmm/socket.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/un.h>

#include "cleanup.h"
#include "sys.h"

static int make_dir(const char *path)
{
	int ret = sys_ret(mkdir(path, 0700));

	return ret == -EEXIST ? 0 : ret;
}

static int open_guests(const char *run_dir, int *dir, struct fail *fail)
{
	char path[512];
	int ret, fd = -1;

	if (snprintf(path, sizeof(path), "%s/guests", run_dir) >=
	    (int)sizeof(path))
		return fail_set(fail, -ENAMETOOLONG,
				"the run directory's path is too long");
	ret = make_dir(run_dir);
	if (!ret)
		ret = make_dir(path);
	if (!ret) {
		fd = sys_ret(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		ret = fd < 0 ? fd : 0;
	}
	if (ret)
		return fail_set(fail, ret,
				"cannot use %s: %s; choose another --run-dir",
				path, strerror(-ret));
	*dir = fd;
	return 0;
}

static bool is_live(const struct sockaddr_un *address)
{
	__cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				     SOCK_NONBLOCK, 0);
	int ret = sys_ret(connect(fd, (const struct sockaddr *)address,
				  sizeof(*address)));

	/* -EAGAIN: its queue of connections is full, so somebody is there. */
	return !ret || ret == -EAGAIN;
}

static int bind_name(int dir, const char *name, int fd, struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/%s.sock", dir, name);
	if (is_live(&address))
		return fail_set(fail, -EADDRINUSE,
				"a guest %s runs here already; choose another --name or end "
				"that one",
				name);
	socket_remove(dir, name);
	ret = sys_ret(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	if (!ret)
		ret = sys_ret(listen(fd, 16));
	return ret ? fail_set(fail, ret, "cannot listen for guest %s: %s",
			      name, strerror(-ret)) : 0;
}

/**
 * socket_listen() - take a name, unless a live guest has it
 * @run_dir: created where missing
 * @name: the guest's
 * @dir_fd: receives the directory, for socket_remove()
 * @fd: receives the listening socket, non-blocking
 * @fail: says what is in the way
 *
 * A lock on the directory keeps two that start at once apart.
 *
 * Return: 0, -EADDRINUSE or -errno.
 */
int socket_listen(const char *run_dir, const char *name, int *dir_fd,
		  int *fd, struct fail *fail)
{
	__cleanup_fd int dir = -1;
	__cleanup_fd int got = -1;
	int ret = open_guests(run_dir, &dir, fail);

	if (ret)
		return ret;
	got = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0));
	ret = got < 0 ? got : sys_retry(flock(dir, LOCK_EX));
	if (ret)
		return fail_set(fail, ret, "cannot make a control socket: %s",
				strerror(-ret));
	ret = bind_name(dir, name, got, fail);
	flock(dir, LOCK_UN);
	if (ret)
		return ret;
	*fd = take_fd(&got);
	*dir_fd = take_fd(&dir);
	return 0;
}

/**
 * socket_remove() - remove a socket's name
 * @dir_fd: of socket_listen()
 * @name: the guest's
 */
void socket_remove(int dir_fd, const char *name)
{
	char file[80];

	snprintf(file, sizeof(file), "%s.sock", name);
	unlinkat(dir_fd, file, 0);
}
