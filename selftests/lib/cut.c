// SPDX-License-Identifier: LGPL-2.1-or-later
/* cut.c - break connections of a process, and links, from outside. */
#include "selftests/lib/cut.h"

#include <dirent.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "sys.h"

/* As protocol/tune.c marks them. */
static const int marks[] = {
	[CUT_CONTROL] = 0xa0, [CUT_FAULT] = 0xb8, [CUT_PUSH] = 0x20,
};

static bool carries(int fd, enum cut_what what)
{
	struct tcp_info info;
	socklen_t size = sizeof(info), tos_size = sizeof(int);
	int tos = 0;

	return !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) &&
	       info.tcpi_state == TCP_ESTABLISHED &&
	       !getsockopt(fd, IPPROTO_IP, IP_TOS, &tos, &tos_size) &&
	       tos == marks[what];
}

/* The port of one end of a connection; 0: it has none. */
static in_port_t port_of(int fd, bool peer)
{
	struct sockaddr_in address = { .sin_port = 0 };
	socklen_t size = sizeof(address);

	if (peer ? getpeername(fd, (struct sockaddr *)&address, &size)
		 : getsockname(fd, (struct sockaddr *)&address, &size))
		return 0;
	return address.sin_port;
}

/*
 * A duplicate of the first connection that carries it, from that port; or
 * -ENOENT.
 */
static int connection_get(pid_t pid, int pidfd, enum cut_what what, in_port_t from)
{
	char path[64];
	struct dirent *entry;
	int found = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (found < 0 && (entry = readdir(dir))) {
		int fd = (int)sys_ret(syscall(SYS_pidfd_getfd, pidfd,
					      atoi(entry->d_name), 0));

		if (fd >= 0 && carries(fd, what) && (!from || port_of(fd, true) == from))
			found = fd;
		else if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return found;
}

static int connection_of(pid_t pid, enum cut_what what, in_port_t from)
{
	__cleanup_fd int pidfd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));

	return pidfd < 0 ? pidfd : connection_get(pid, pidfd, what, from);
}

/**
 * cut_connection() - break a connection of a process by RST
 * @pid: of the process
 * @what: it carries
 *
 * Return: 0; -ENOENT: it has none; or -errno.
 */
int cut_connection(pid_t pid, enum cut_what what)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	__cleanup_fd int fd = connection_of(pid, what, 0);

	return fd < 0 ? fd : sys_ret(connect(fd, &none, sizeof(none)));
}

/* Its segments end here, as a rule of a firewall would end them. */
static int deafen(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };

	return sys_ret(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
				  sizeof(program)));
}

/**
 * cut_silently() - nothing comes through on one connection any more
 * @source: the process that has opened it
 * @dest: the one that it leads to
 * @what: it carries
 *
 * Neither end is told; all other connections go on.
 *
 * Return: 0; -ENOENT: there is none; or -errno.
 */
int cut_silently(pid_t source, pid_t dest, enum cut_what what)
{
	__cleanup_fd int here = connection_of(source, what, 0), there = -1;
	int ret;

	if (here < 0)
		return here;
	there = connection_of(dest, what, port_of(here, false));
	if (there < 0)
		return there;
	ret = deafen(here);
	return ret ? ret : deafen(there);
}

/**
 * cut_round_trip() - how long a byte and its acknowledgement take
 * @pid: of the process
 * @what: the connection carries
 *
 * Return: in us, as TCP knows it; or -errno.
 */
int64_t cut_round_trip(pid_t pid, enum cut_what what)
{
	__cleanup_fd int fd = connection_of(pid, what, 0);
	struct tcp_info info = { .tcpi_rtt = 0 };
	socklen_t size = sizeof(info);
	int ret = fd < 0 ? fd : sys_ret(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));

	return ret ? ret : (int64_t)info.tcpi_rtt;
}

/**
 * cut_rate() - a link that lets next to nothing through
 * @hosts: whose; two_hosts_limit() makes it another one
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int cut_rate(struct two_hosts *hosts, struct fail *fail)
{
	static const struct net_rate nothing = {
		.rate = 800, .burst = 1600, .latency_us = 1000,
	};

	return two_hosts_limit(hosts, &nothing, fail);
}
