/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descendants.c - kill and reap the children, theirs, and so on.
 *
 * The caller is a child subreaper: what loses its parent becomes its child.
 * Only own children are killed, and they keep their pid until they are
 * reaped here, so a kill cannot hit a stranger.
 */
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "descendants.h"
#include "sys.h"

struct process {
	int parent;
	char state;
	char name[32];
};

/* Return: false when it is gone. */
static bool process_read(pid_t pid, struct process *process)
{
	char path[32], line[512], *end;
	bool known = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file)) {
		/* PID (NAME) STATE PARENT, and NAME may hold anything */
		end = strrchr(line, ')');
		known = end && sscanf(end, ") %c %d", &process->state,
				      &process->parent) == 2;
	}
	if (known) {
		*end = '\0';
		snprintf(process->name, sizeof(process->name), "%s",
			 strchr(line, '(') + 1);
	}
	fclose(file);
	return known;
}

/* Where in the kernel its main thread waits; "" when that is not known. */
static void process_waits_in(pid_t pid, char where[64])
{
	char path[32];
	FILE *file;

	where[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	if (!fgets(where, 64, file))
		where[0] = '\0';
	fclose(file);
}

static int kill_child(pid_t pid)
{
	struct process process;
	char where[64];

	if (pid <= 0 || !process_read(pid, &process) ||
	    process.parent != getpid())
		return 0;
	if (process.state != 'Z') {
		process_waits_in(pid, where);
		printf("# killed what the test left running: %s (%d), in %s\n",
		       process.name, pid, where);
	}
	kill(pid, SIGKILL);
	return 1;
}

static int kill_children(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	int killed = 0;

	if (!proc)
		return 0;
	while ((entry = readdir(proc)))
		killed += kill_child(atoi(entry->d_name));
	closedir(proc);
	return killed;
}

/* Reap what ended. Return: children are left. */
static int reap_ended(void)
{
	pid_t pid;

	do {
		pid = sys_retry(waitpid(-1, NULL, WNOHANG));
	} while (pid > 0);
	return pid == 0;
}

/**
 * descendants_kill() - kill and reap every descendant of this process
 *
 * Each round ends a generation; the next one then has this process as parent.
 */
void descendants_kill(void)
{
	while (reap_ended()) {
		int killed = kill_children();

		if (!killed) {
			printf("# children are left that /proc does not show\n");
			return;
		}
		while (killed--)
			sys_retry(waitpid(-1, NULL, 0));
	}
}
