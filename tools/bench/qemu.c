// SPDX-License-Identifier: LGPL-2.1-or-later
/* qemu.c - start a QEMU, or meet one that somebody else has started. */
#include "tools/bench/qemu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"

#define TRIES		2000
#define TRY_MS		5
#define PATH_SIZE	108
#define UUID		"57add1e0-0000-4000-8000-00000000be7c"	/* nobody sees another */

/* image.S */
extern const char bench_guest[], bench_guest_end[];

/**
 * qemu_path() - a file or a socket of a QEMU
 * @plan: of it
 * @what: "qmp" is for whoever moves it, "watch" the second monitor
 * @path: receives where it is
 * @size: of @path
 */
void qemu_path(const struct qemu_plan *plan, const char *what, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.%s", plan->dir, plan->name, what);
}

static int kernel_write(const char *path)
{
	__cleanup_fd int fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	return fd < 0 ? fd
		      : sys_write_all(fd, bench_guest, (size_t)(bench_guest_end - bench_guest));
}

static int spawn(struct qemu *qemu, const struct qemu_plan *plan, struct fail *fail)
{
	char kernel[PATH_SIZE], log[PATH_SIZE], memory[24], backend[80];
	char qmp[160], watch[160], serial[160];
	const char *argv[] = {
		plan->program, "-name", "debug-threads=on", "-accel", "tcg", "-cpu", "max",
		"-machine", "pc,memory-backend=memory", "-object", backend, "-m", memory,
		"-nodefaults", "-display", "none", "-uuid", UUID, "-kernel", kernel, "-qmp", qmp,
		"-chardev", watch, "-mon", "chardev=watch,mode=control", "-serial", serial,
		plan->incoming ? "-incoming" : NULL, plan->incoming, NULL,
	};
	int ret;

	qemu_path(plan, "kernel", kernel, sizeof(kernel));
	qemu_path(plan, "log", log, sizeof(log));
	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)plan->memory_mib);
	snprintf(backend, sizeof(backend), "memory-backend-memfd,id=memory,size=%lluM,share=on",
		 (unsigned long long)plan->memory_mib);
	snprintf(qmp, sizeof(qmp), "unix:%s/%s.qmp,server=on,wait=off", plan->dir, plan->name);
	snprintf(watch, sizeof(watch), "socket,id=watch,path=%s/%s.watch,server=on,wait=off",
		 plan->dir, plan->name);
	snprintf(serial, sizeof(serial), "unix:%s/%s.serial,server=on,wait=off", plan->dir,
		 plan->name);
	ret = kernel_write(kernel);
	if (ret)
		return fail_set(fail, ret, "cannot write %s: %s", kernel, strerror(-ret));
	qemu->pid = program_start(&plan->host, argv, log, fail);
	return qemu->pid < 0 ? qemu->pid : 0;
}

/* What it printed is why it ended. */
static int died(const struct qemu_plan *plan, struct fail *fail)
{
	char log[PATH_SIZE], text[512] = "";
	__cleanup_file FILE *file = NULL;
	size_t size;

	qemu_path(plan, "log", log, sizeof(log));
	file = fopen(log, "re");
	size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return fail_set(fail, -ECHILD, "%s ended: %s", plan->program,
			*text ? text : "it printed nothing");
}

/* One that listens where another one did has made the socket anew. */
static int monitor_meet(struct qemu *qemu, const struct qemu_plan *plan, ino_t not_at,
			struct fail *fail)
{
	char path[PATH_SIZE];
	struct stat there;

	qemu_path(plan, "watch", path, sizeof(path));
	if (stat(path, &there) || there.st_ino == not_at)
		return -EAGAIN;
	qemu->met_at = there.st_ino;
	return monitor_open(&qemu->monitor, path, fail);
}

/**
 * qemu_meet() - find a QEMU's second monitor and its guest's serial line
 * @qemu: receives them
 * @plan: of it
 * @not_at: where another QEMU with the same names was met; 0: there was none
 * @fail: says why not
 *
 * Return: 0; -EAGAIN: it is not up yet, so try again; or -errno.
 */
int qemu_meet(struct qemu *qemu, const struct qemu_plan *plan, ino_t not_at, struct fail *fail)
{
	char path[PATH_SIZE];
	int ret = qemu->monitor.fd < 0 ? monitor_meet(qemu, plan, not_at, fail) : 0;

	if (ret || qemu->console.fd >= 0)
		return ret;
	qemu_path(plan, "serial", path, sizeof(path));
	return console_open(&qemu->console, path);
}

/**
 * qemu_start() - start a QEMU on a host, and connect to it
 * @qemu: receives it; qemu_end() ends it, also after a failure here
 * @plan: where and what
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int qemu_start(struct qemu *qemu, const struct qemu_plan *plan, struct fail *fail)
{
	int i, status, ret;

	*qemu = (struct qemu){ .monitor.fd = -1, .console.fd = -1 };
	ret = spawn(qemu, plan, fail);
	for (i = 0; !ret && i < TRIES; i++) {
		ret = qemu_meet(qemu, plan, 0, fail);
		if (ret != -EAGAIN)
			return ret;
		if (program_ended(qemu->pid, &status)) {
			qemu->pid = 0;
			return died(plan, fail);
		}
		poll(NULL, 0, TRY_MS);
		ret = 0;
	}
	return ret ?: fail_set(fail, -ETIMEDOUT, "%s does not listen at its sockets in %s",
			       plan->program, plan->dir);
}

/**
 * qemu_end() - end a QEMU that we started, and hang up
 * @qemu: started or met
 */
void qemu_end(struct qemu *qemu)
{
	monitor_close(&qemu->monitor);
	console_close(&qemu->console);
	program_end(qemu->pid);
	qemu->pid = 0;
}
