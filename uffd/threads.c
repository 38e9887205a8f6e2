/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* threads.c - whom to stop in a process, and where it can call the kernel. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cleanup.h>

#include "uffd/inject.h"
#include "uffd/sys.h"

#define SEARCH_MAX	(UINT64_C(4) << 20)	/* bytes of code looked at */

static const unsigned char syscall_instruction[] = { 0x0f, 0x05 };

/* How good a candidate is: the higher the better, < 0: cannot be stopped. */
enum rank {
	RANK_ENDED = -2,
	RANK_BUSY = -1,
	RANK_FAULT = 0,		/* waits for a page: would fault again */
	RANK_THREAD = 1,
	RANK_MAIN = 2,
};

static int proc_read(char *buf, size_t size, const char *path)
{
	int __cleanup_fd fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t got;

	if (fd < 0)
		return fd;
	got = sys_retry(read(fd, buf, size - 1));
	if (got < 0)
		return (int)got;
	buf[got] = '\0';
	return 0;
}

static enum rank thread_rank(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	const char *name_end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (proc_read(text, sizeof(text), path))
		return RANK_ENDED;
	name_end = strrchr(text, ')');
	if (!name_end || name_end[1] != ' ' || strchr("ZXx", name_end[2]))
		return RANK_ENDED;
	if (name_end[2] == 'D')
		return RANK_BUSY;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", pid, tid);
	if (!proc_read(text, sizeof(text), path) && strstr(text, "userfault"))
		return RANK_FAULT;
	return pid == tid ? RANK_MAIN : RANK_THREAD;
}

/**
 * threads_filtered() - does a thread run under a seccomp filter?
 * @tid: the thread
 *
 * Return: true when it does, or when that cannot be seen.
 */
bool threads_filtered(pid_t tid)
{
	char path[64], text[4096];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (proc_read(text, sizeof(text), path))
		return true;
	line = strstr(text, "\nSeccomp:");
	return line && !strstr(line, "Seccomp:\t0");
}

/**
 * threads_choose() - list the threads that can be stopped, the best first
 * @pid: the process
 * @tids: receives the threads
 * @max: room in @tids
 *
 * The main thread comes first, because it is rarely a vCPU; threads that
 * wait for a page come last; those in uninterruptible sleep are left out.
 *
 * Return: how many there are; -ESRCH: no such process, or it ended; -EBUSY: all of them
 * sleep uninterruptibly.
 */
int threads_choose(pid_t pid, pid_t *tids, size_t max)
{
	static const enum rank order[] = { RANK_MAIN, RANK_THREAD, RANK_FAULT };
	struct { pid_t tid; enum rank rank; } found[THREADS_MAX];
	size_t count = 0, chosen = 0;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while (count < THREADS_MAX && (entry = readdir(dir))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0)
			continue;
		found[count].tid = tid;
		found[count].rank = thread_rank(pid, tid);
		count += found[count].rank != RANK_ENDED;
	}
	closedir(dir);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t j = 0; j < count && chosen < max; j++)
			if (found[j].rank == order[i])
				tids[chosen++] = found[j].tid;
	if (!count)
		return -ESRCH;
	return chosen ? (int)chosen : -EBUSY;
}

/**
 * threads_ended() - see whether a thread is gone
 * @pid: its process
 * @tid: the thread
 *
 * Return: whether it ended, or is a zombie.
 */
bool threads_ended(pid_t pid, pid_t tid)
{
	return thread_rank(pid, tid) == RANK_ENDED;
}

/* Executable mappings, the surest first: the vdso is in nobody's way. */
static int mapping_rank(const char *line)
{
	char perms[5];

	if (sscanf(line, "%*x-%*x %4s", perms) != 1 || perms[0] != 'r' ||
	    perms[2] != 'x')
		return -1;
	if (strstr(line, "[vdso]"))
		return 2;
	return strstr(line, "/libc") ? 1 : 0;
}

static int search_mapping(pid_t pid, uint64_t start, uint64_t end,
			  uint64_t *gate)
{
	unsigned char code[4096];
	const unsigned char *hit;

	if (end - start > SEARCH_MAX)
		end = start + SEARCH_MAX;
	for (; start < end; start += sizeof(code)) {
		if (sys_peek(pid, start, code, sizeof(code)))
			return -ESRCH;
		hit = memmem(code, sizeof(code), syscall_instruction,
			     sizeof(syscall_instruction));
		if (hit) {
			*gate = start + (uint64_t)(hit - code);
			return 0;
		}
	}
	return -ENOENT;
}

/**
 * threads_find_gate() - find a syscall instruction in a process's code
 * @pid: the process
 * @gate: receives its address
 *
 * Any two bytes 0f 05 that are mapped executable will do: they need not be
 * an instruction where the program's own flow passes.
 *
 * Return: 0; -ESRCH: no such process, or no right to look; -ENOENT: its
 * code has none.
 */
int threads_find_gate(pid_t pid, uint64_t *gate)
{
	FILE __cleanup_file *maps = NULL;
	char path[64], line[512];
	uint64_t start, end;
	int ret = -ESRCH;	/* one that is ending has no mappings */

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return -ESRCH;
	for (int rank = 2; rank >= 0; rank--) {
		rewind(maps);
		while (fgets(line, sizeof(line), maps)) {
			if (mapping_rank(line) != rank)
				continue;
			start = strtoull(line, NULL, 16);
			end = strtoull(strchr(line, '-') + 1, NULL, 16);
			ret = search_mapping(pid, start, end, gate);
			if (!ret)
				return 0;
		}
	}
	return ret;
}
