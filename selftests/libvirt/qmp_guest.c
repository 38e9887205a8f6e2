// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_guest.c - start a QEMU by hand, talk to its monitor, read its serial line. */
#include "qmp_guest.h"

#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "selftests/lib/program.h"
#include "selftests/lib/process.h"
#include "sys.h"
#include "tools/guests/qmp_line.h"

#define ARGS_MAX	48
#define UP_TRIES	200
#define REPORT_TRIES	2400
#define TRY_MS		50
#define REPORTS		4	/* two seconds of the guest's */
#define DISK_SIZE	(64u << 20)
#define CALL_MS		10000

static void uuid_make(char *uuid, size_t size)
{
	__cleanup_file FILE *file = fopen("/proc/sys/kernel/random/uuid", "re");

	if (!file || !fgets(uuid, (int)size, file))
		*uuid = '\0';
	uuid[strcspn(uuid, "\n")] = '\0';
}

/**
 * qmp_guest_init() - a guest that does not run yet
 * @guest: to initialise
 * @pair: of the hosts
 * @qemu: the program
 */
void qmp_guest_init(struct qmp_guest *guest, struct pair *pair,
		    const char *qemu)
{
	const char *top = pair->hosts->dir;

	*guest = (struct qmp_guest){ .pair = pair, .qemu = qemu };
	uuid_make(guest->uuid, sizeof(guest->uuid));
	snprintf(guest->serial, sizeof(guest->serial), "%s/serial", top);
	snprintf(guest->names[0], sizeof(guest->names[0]), "qmp:%.50s/a.qmp", top);
	snprintf(guest->names[1], sizeof(guest->names[1]), "qmp:%.50s/b.qmp", top);
}

/**
 * qmp_guest_missing() - what this machine lacks for such a guest
 * @guest: initialised
 * @boots: whether it has to boot
 * @fail: says what, and how to get it
 *
 * Return: 0 or -ENOPKG.
 */
int qmp_guest_missing(const struct qmp_guest *guest, bool boots,
		      struct fail *fail)
{
	char path[512];

	if (access(guest->qemu, X_OK))
		return fail_set(fail, -ENOPKG,
				"there is no %s: install qemu-system-x86, or run selftests/libvirt/fetch-qemu.sh",
				guest->qemu);
	build_path(path, sizeof(path), "selftests/libvirt/guest/initrd.img");
	if (boots && access(path, R_OK))
		return fail_set(fail, -ENOPKG, "there is no %s: make test-guest",
				path);
	return 0;
}

/**
 * qmp_guest_path() - where the guest's monitor listens
 * @guest: initialised
 * @side: 0: at the source, 1: at the dest
 *
 * Return: the path.
 */
const char *qmp_guest_path(const struct qmp_guest *guest, int side)
{
	return guest->names[side] + strlen("qmp:");
}

/**
 * qmp_guest_ask() - one command without arguments
 * @path: of the monitor
 * @verb: "query-status"
 * @reply: receives the answer as text; may be NULL
 * @size: of @reply
 *
 * Return: 0 or -errno.
 */
int qmp_guest_ask(const char *path, const char *verb, char *reply, size_t size)
{
	__cleanup_free char *text = NULL;
	struct qmp_line line;
	char command[128];
	int ret;

	snprintf(command, sizeof(command), "{\"execute\":\"%s\"}", verb);
	qmp_line_init(&line, path);
	ret = qmp_line_call(&line, command, -1, CALL_MS, &text, NULL);
	qmp_line_close(&line);
	if (!ret && reply)
		snprintf(reply, size, "%s", text);
	return ret;
}

static int start(struct qmp_guest *guest, const char *const more[],
		 struct fail *fail)
{
	char monitor[256], serial[256], log[2048] = "";
	const char *argv[ARGS_MAX] = {
		"/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
		"--clear-groups", guest->qemu, "-accel", "tcg", "-display",
		"none", "-qmp", monitor, "-chardev", serial, "-serial",
		"chardev:line",
	};
	const struct host *host = &guest->pair->hosts->source;
	size_t n = 15, i;

	snprintf(monitor, sizeof(monitor), "unix:%s,server=on,wait=off",
		 qmp_guest_path(guest, 0));
	snprintf(serial, sizeof(serial), "file,id=line,append=on,path=%s",
		 guest->serial);
	for (i = 0; more[i] && n < ARGS_MAX - 1; i++)
		argv[n++] = more[i];
	guest->first = host_spawn(host, guest->nobody ? argv : argv + 4,
				  "qemu.log", fail);
	for (i = 0; guest->first > 0 && i < UP_TRIES; i++) {
		if (!qmp_guest_ask(qmp_guest_path(guest, 0), "query-status",
				   NULL, 0))
			return 0;
		if (process_wait(guest->first, TRY_MS) != -ETIMEDOUT)
			break;
	}
	host_log(host, "qemu.log", log, sizeof(log));
	return fail_set(fail, -ENOTCONN, "QEMU did not start: %s", log);
}

/**
 * qmp_guest_idle() - start a QEMU at the source whose guest does nothing
 * @guest: initialised
 * @more: arguments, NULL at the end
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int qmp_guest_idle(struct qmp_guest *guest, const char *const more[],
		   struct fail *fail)
{
	return start(guest, more, fail);
}

static int disk_make(struct qmp_guest *guest)
{
	__cleanup_fd int fd = -1;

	snprintf(guest->disk, sizeof(guest->disk), "%s/disk",
		 guest->pair->hosts->dir);
	fd = sys_ret(open(guest->disk, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return fd < 0 ? fd : sys_ret(ftruncate(fd, DISK_SIZE));
}

/**
 * qmp_guest_boot() - boot the test guest at the source, wait for its report
 * @guest: initialised
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int qmp_guest_boot(struct qmp_guest *guest, struct fail *fail)
{
	char kernel[512], initrd[512], drive[256];
	const char *const more[] = {
		"-m", "192", "-smp", "2", "-uuid", guest->uuid, "-kernel", kernel,
		"-initrd", initrd, "-append",
		"console=ttyS0 quiet panic=-1 straddle.mem=64 straddle.rate=2000",
		"-drive", drive, NULL
	};
	struct qmp_report report;
	int ret = disk_make(guest);

	if (ret)
		return ret;
	build_path(kernel, sizeof(kernel), "selftests/libvirt/guest/vmlinuz");
	build_path(initrd, sizeof(initrd), "selftests/libvirt/guest/initrd.img");
	snprintf(drive, sizeof(drive), "file=%s,format=raw,if=virtio,cache=none",
		 guest->disk);
	ret = start(guest, more, fail);
	if (!ret)
		ret = qmp_guest_gets_on(guest, &report);
	return ret ? fail_set(fail, ret, "the guest does not boot: %s",
			      strerror(-ret)) : 0;
}

static uint64_t number_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

/**
 * qmp_guest_report() - the last thing the guest said of itself
 * @guest: booted
 * @report: receives it
 *
 * Return: 0 or -EAGAIN: it has said nothing yet.
 */
int qmp_guest_report(const struct qmp_guest *guest, struct qmp_report *report)
{
	__cleanup_file FILE *file = fopen(guest->serial, "re");
	char line[1024];
	int ret = -EAGAIN;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "straddle-guest: boot=%23s n=%" SCNu64,
			   report->boot, &report->number) != 2 ||
		    !strchr(line, '\n'))
			continue;
		report->bad = number_of(line, " bad=");
		report->disk_bad = number_of(line, " disk_bad=");
		report->disk_ok = number_of(line, " disk_ok=");
		ret = 0;
	}
	return ret;
}

/**
 * qmp_guest_gets_on() - wait until the guest has said more of itself
 * @guest: booted
 * @report: receives the last report
 *
 * Return: 0 or -ETIMEDOUT.
 */
int qmp_guest_gets_on(const struct qmp_guest *guest, struct qmp_report *report)
{
	struct qmp_report now;
	uint64_t goal = REPORTS;
	int i;

	if (!qmp_guest_report(guest, &now))
		goal = now.number + REPORTS;
	for (i = 0; i < REPORT_TRIES; i++) {
		if (!qmp_guest_report(guest, report) && report->number >= goal)
			return 0;
		poll(NULL, 0, TRY_MS);
	}
	return -ETIMEDOUT;
}

/**
 * qmp_guest_boots_again() - wait for a report of another boot
 * @guest: that was reset
 * @boot: id of the boot before
 *
 * Return: 0 or -ETIMEDOUT.
 */
int qmp_guest_boots_again(const struct qmp_guest *guest, const char *boot)
{
	struct qmp_report report;
	int i;

	for (i = 0; i < REPORT_TRIES; i++) {
		if (!qmp_guest_report(guest, &report) &&
		    strcmp(report.boot, boot))
			return 0;
		poll(NULL, 0, TRY_MS);
	}
	return -ETIMEDOUT;
}

static bool has_argument(const char *pid, const char *wanted)
{
	__cleanup_file FILE *file = NULL;
	char path[300], text[8192], *at;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	file = fopen(path, "re");
	size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[size] = '\0';
	for (at = text; at < text + size; at += strlen(at) + 1)
		if (!strcmp(at, wanted))
			return true;
	return false;
}

/**
 * qmp_guest_owners() - how many QEMUs have the guest
 * @guest: initialised
 *
 * Return: processes with its UUID, or -errno; a zombie is none.
 */
int qmp_guest_owners(const struct qmp_guest *guest)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int owners = 0;

	if (!dir)
		return -EIO;
	while ((entry = readdir(dir)))
		if (*entry->d_name >= '1' && *entry->d_name <= '9')
			owners += has_argument(entry->d_name, guest->uuid);
	closedir(dir);
	return owners;
}
