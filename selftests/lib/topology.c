/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology.c - build two hosts, run programs in them, take them down. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "directory.h"
#include "pki.h"
#include "process.h"
#include "program.h"
#include "sys.h"
#include "tools/net/netns.h"
#include "topology.h"

static int host_folders(struct host *host, const char *top, struct fail *fail)
{
	const char *const folders[] = {
		host->dir, host->run_dir, host->state_dir, host->pki_dir,
	};
	size_t i;

	snprintf(host->dir, sizeof(host->dir), "%s/%s", top, host->name);
	snprintf(host->run_dir, sizeof(host->run_dir), "%s/run", host->dir);
	snprintf(host->state_dir, sizeof(host->state_dir), "%s/state",
		 host->dir);
	snprintf(host->pki_dir, sizeof(host->pki_dir), "%s/pki", host->dir);
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int ret = sys_ret(mkdir(folders[i], 0700));

		if (ret)
			return fail_set(fail, ret, "cannot make %s: %s",
					folders[i], strerror(-ret));
	}
	return 0;
}

static int host_init(struct host *host, const char *top, struct fail *fail)
{
	int ret = host_folders(host, top, fail);

	if (ret)
		return ret;
	host->netns = netns_create(fail);
	if (host->netns < 0)
		return host->netns;
	return net_open_in(&host->net, host->netns, fail);
}

static void host_fini(struct host *host)
{
	if (host->netns < 0)
		return;
	process_kill_netns(host->netns);
	net_close(host->net);
	close(host->netns);
}

static int hosts_connect(struct two_hosts *hosts, struct fail *fail)
{
	struct netns_end source = {
		.netns = hosts->source.netns, .name = HOST_LINK,
		.address = "10.88.0.1/24",
	};
	struct netns_end dest = {
		.netns = hosts->dest.netns, .name = HOST_LINK,
		.address = "10.88.0.2/24",
	};

	return netns_connect(&source, &dest, fail);
}

/**
 * two_hosts_create() - two hosts with a cable between them
 * @hosts: receives what two_hosts_destroy() frees
 * @rate: limits what leaves either host; NULL: no limit
 * @fail: says why not
 *
 * Return: 0 or -errno (-EPERM: network namespaces take root).
 */
int two_hosts_create(struct two_hosts **hosts, const struct net_rate *rate,
		     struct fail *fail)
{
	struct two_hosts *created = calloc(1, sizeof(*created));
	int ret;

	if (!created)
		return fail_set(fail, -ENOMEM, "no memory for two hosts");
	created->source = (struct host){
		.name = "source", .address = "10.88.0.1", .netns = -1,
	};
	created->dest = (struct host){
		.name = "dest", .address = "10.88.0.2", .netns = -1,
	};
	ret = directory_create(created->dir, sizeof(created->dir));
	if (ret) {
		free(created);
		return fail_set(fail, ret, "cannot make a folder for the hosts");
	}
	ret = host_init(&created->source, created->dir, fail);
	if (!ret)
		ret = host_init(&created->dest, created->dir, fail);
	if (!ret)
		ret = hosts_connect(created, fail);
	if (!ret && rate)
		ret = two_hosts_limit(created, rate, fail);
	if (ret)
		two_hosts_destroy(created);
	else
		*hosts = created;
	return ret;
}

/**
 * two_hosts_destroy() - end all that runs in the hosts, and remove them
 * @hosts: may be NULL
 */
void two_hosts_destroy(struct two_hosts *hosts)
{
	if (!hosts)
		return;
	host_fini(&hosts->source);
	host_fini(&hosts->dest);
	directory_remove(hosts->dir);
	free(hosts);
}

/**
 * two_hosts_limit() - limit what leaves either host
 * @hosts: the hosts
 * @rate: the limit; it takes the place of one that is there
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int two_hosts_limit(struct two_hosts *hosts, const struct net_rate *rate,
		    struct fail *fail)
{
	int ret = net_limit_tbf(hosts->source.net, HOST_LINK, rate, fail);

	if (ret)
		return ret;
	return net_limit_tbf(hosts->dest.net, HOST_LINK, rate, fail);
}

/**
 * two_hosts_issue() - give both hosts certificates of one new authority
 * @hosts: the hosts; the certificates are in their pki_dir
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int two_hosts_issue(struct two_hosts *hosts, struct fail *fail)
{
	struct host *const both[] = { &hosts->source, &hosts->dest };
	struct pki *pki;
	int i, ret = pki_create(&pki);

	if (ret)
		return fail_set(fail, ret, "cannot make a CA");
	for (i = 0; i < 2 && !ret; i++)
		ret = pki_issue(pki, both[i]->pki_dir, both[i]->name,
				both[i]->address, 1);
	pki_destroy(pki);
	if (ret)
		fail_set(fail, ret, "cannot make certificates: %s",
			 strerror(-ret));
	return ret;
}

static int link_address(int fd, unsigned long what, const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct ifreq request = { .ifr_name = HOST_LINK };

	inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&request.ifr_addr, &address, sizeof(address));
	return sys_ret(ioctl(fd, what, &request));
}

static int readdress(void *arg)
{
	__cleanup_fd int fd = sys_ret(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int ret = fd < 0 ? fd : link_address(fd, SIOCSIFADDR, arg);

	return ret ? ret : link_address(fd, SIOCSIFNETMASK, "255.255.255.0");
}

/**
 * host_readdress() - give a host another address, and take the one that it has
 * @host: whose; programs that listen at the old address are not told
 * @address: IPv4, in 10.88.0.0/24; used from now on
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int host_readdress(struct host *host, const char *address, struct fail *fail)
{
	int ret = netns_run(host->netns, readdress, (void *)address);

	if (ret)
		return fail_set(fail, ret, "cannot give %s to host %s: %s", address,
				host->name, strerror(-ret));
	host->address = address;
	return 0;
}

/* In the child: does not return. */
static void host_exec(const struct host *host, const char *const argv[],
		      int output)
{
	char path[512];

	build_path(path, sizeof(path), argv[0]);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (setns(host->netns, CLONE_NEWNET))
		dprintf(STDERR_FILENO, "cannot enter host %s\n", host->name);
	else if (execv(path, (char *const *)argv))
		dprintf(STDERR_FILENO, "cannot run %s\n", path);
	_exit(127);
}

/**
 * host_spawn() - start a program on a host
 * @host: where
 * @argv: its arguments; the first is its path for build_path()
 * @log: the file in the host's folder that its output is added to
 * @fail: says why not
 *
 * Return: its pid, a child of the caller; or -errno.
 */
pid_t host_spawn(const struct host *host, const char *const argv[],
		 const char *log, struct fail *fail)
{
	__cleanup_fd int output = -1;
	char path[256];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", host->dir, log);
	output = sys_ret(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			      0644));
	if (output < 0)
		return fail_set(fail, output, "cannot write %s: %s", path,
				strerror(-output));
	pid = sys_ret(fork());
	if (!pid)
		host_exec(host, argv, output);
	if (pid < 0)
		fail_set(fail, pid, "cannot start %s: %s", argv[0],
			 strerror(-pid));
	return pid;
}

/**
 * host_log() - read what a program wrote to its log
 * @host: where it ran
 * @log: the name that was given to host_spawn()
 * @text: receives it as a string, as much as fits of its end
 * @size: of @text
 *
 * Return: 0 or -errno.
 */
int host_log(const struct host *host, const char *log, char *text, size_t size)
{
	__cleanup_fd int fd = -1;
	size_t room = size - 1;
	struct stat stat;
	char path[256];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s", host->dir, log);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	if (fstat(fd, &stat))
		return -EIO;
	got = sys_ret(pread(fd, text, room, stat.st_size > (off_t)room ?
					    stat.st_size - (off_t)room : 0));
	text[got > 0 ? got : 0] = '\0';
	return got < 0 ? (int)got : 0;
}

/**
 * host_run() - run a program on a host to its end
 * @host: where
 * @argv: its arguments; the first is its path for build_path()
 * @text: receives its output as a string; NULL: nobody wants it
 * @size: of @text
 * @fail: says why not
 *
 * Return: its exit code, 128 + the signal that ended it, or -errno.
 */
int host_run(const struct host *host, const char *const argv[], char *text,
	     size_t size, struct fail *fail)
{
	char log[32], path[256];
	pid_t pid;
	int ret;

	snprintf(log, sizeof(log), "run.%d", gettid());
	pid = host_spawn(host, argv, log, fail);
	if (pid < 0)
		return pid;
	ret = process_wait(pid, -1);
	if (text && size)
		host_log(host, log, text, size);
	snprintf(path, sizeof(path), "%s/%s", host->dir, log);
	unlink(path);
	return ret;
}
