// SPDX-License-Identifier: LGPL-2.1-or-later
/* traces.c - what a migration has left: processes, descriptors, files. */
#include "selftests/lib/traces.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

static int descriptors(const char *pid, const char *what)
{
	char path[64], link[256];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		ssize_t got = readlinkat(dirfd(dir), entry->d_name, link,
					 sizeof(link) - 1);

		link[got > 0 ? got : 0] = '\0';
		found += !!strstr(link, what);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool has_uffd(pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return descriptors(text, "userfaultfd");
}

/**
 * process_is_ordinary() - is there nothing left of a userfaultfd?
 * @pid: of a guest
 *
 * Neither a descriptor nor a registered mapping.
 *
 * Return: 1 when so, 0 when not, or -errno.
 */
int process_is_ordinary(pid_t pid)
{
	char path[64], line[512];
	__cleanup_file FILE *file = NULL;
	bool registered = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	while (fgets(line, sizeof(line), file))
		registered |= !strncmp(line, "VmFlags:", 8) &&
			      (strstr(line, " um") || strstr(line, " uw") ||
			       strstr(line, " ui"));
	return !registered && !has_uffd(pid);
}

static bool process_is(const char *pid, const struct stat *netns,
		       const char *name)
{
	char path[64], comm[32] = "";
	__cleanup_file FILE *file = NULL;
	struct stat own;

	snprintf(path, sizeof(path), "/proc/%.16s/ns/net", pid);
	if (stat(path, &own) || own.st_dev != netns->st_dev ||
	    own.st_ino != netns->st_ino)
		return false;
	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(comm, sizeof(comm), file))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return !name || !strcmp(comm, name);
}

/* Return: the sum of what @count says of each, or -errno. */
static int processes_sum(const struct host *host, const char *name,
			 int (*count)(const char *pid, void *arg), void *arg)
{
	struct dirent *entry;
	struct stat netns;
	int sum = 0;
	DIR *proc;

	if (fstat(host->netns, &netns))
		return -EBADF;
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && process_is(entry->d_name, &netns, name))
			sum += count(entry->d_name, arg);
	if (proc)
		closedir(proc);
	return sum;
}

static int count_one(const char *pid, void *last)
{
	*(pid_t *)last = atoi(pid);
	return 1;
}

static int count_descriptors(const char *pid, void *what)
{
	return descriptors(pid, what);
}

/**
 * host_processes() - count processes on a host
 * @host: where
 * @name: that they call themselves, or NULL: any
 *
 * Return: how many, or -errno.
 */
int host_processes(const struct host *host, const char *name)
{
	pid_t last;

	return processes_sum(host, name, count_one, &last);
}

/**
 * host_descriptors() - count what processes of a host have open
 * @host: where
 * @what: part of what /proc/PID/fd says: "memfd:", "userfaultfd"
 *
 * Return: how many, or -errno.
 */
int host_descriptors(const struct host *host, const char *what)
{
	return processes_sum(host, NULL, count_descriptors, (void *)what);
}

/**
 * host_worker() - find the one process of a name on a host
 * @host: where
 * @name: "source" or "dest"
 *
 * Return: its pid, or -ESRCH: there is none, or more.
 */
pid_t host_worker(const struct host *host, const char *name)
{
	pid_t last = -1;

	return processes_sum(host, name, count_one, &last) == 1 ? last : -ESRCH;
}

/**
 * host_files() - count files that a migration may have left
 * @host: where
 * @prefix: of names in its run_dir
 *
 * Return: how many, or -errno.
 */
int host_files(const struct host *host, const char *prefix)
{
	struct dirent *entry;
	int found = 0;
	DIR *dir = opendir(host->run_dir);

	if (!dir)
		return -ENOENT;
	while ((entry = readdir(dir)))
		found += !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(dir);
	return found;
}
