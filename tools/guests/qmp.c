// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qmp.c - the guest driver of QEMUs that somebody started by hand.
 *
 * Its guests are named by the socket of their monitor: "qmp:/path". Each
 * answer that is asked of such a guest is a short connection of its own, so
 * that its other users get the monitor, too; but from the moment it is stopped
 * until it is resumed the line is kept: it must be possible to resume it.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qmp_guest.h"

#define CALL_MS		30000	/* vCPUs and disks may have to be waited for */
#define QUIT_MS		3000

static int monitor_call(struct qemu_monitor *monitor, const char *command,
			int fd, char **reply, struct fail *fail)
{
	struct guest *guest = (struct guest *)((char *)monitor -
					offsetof(struct guest, qemu.monitor));

	return qmp_line_call(&guest->line, command, fd, CALL_MS, reply, fail);
}

static const struct qemu_monitor_ops monitor_ops = { .call = monitor_call };

/**
 * qmp_path() - where the monitor of a guest listens
 * @name: of the guest
 * @path: receives a part of @name
 * @fail: says what is wrong with the name
 *
 * Return: 0; -ENOENT: it is no name of this driver's; -EINVAL: it can be
 * nobody's.
 */
int qmp_path(const char *name, const char **path, struct fail *fail)
{
	const char *rest = name + strlen(QMP_PREFIX);

	if (strncmp(name, QMP_PREFIX, strlen(QMP_PREFIX)))
		return fail_set(fail, -ENOENT,
				"guest '%s' is no QEMU with a QMP socket, whose name is " QMP_PREFIX "/path/of/socket",
				name);
	if (*rest != '/' || strchr(rest, ',') || strlen(rest) >= QMP_PATH_MAX)
		return fail_set(fail, -EINVAL,
				"'%s' does not name a QMP socket: give " QMP_PREFIX " and its path from the root, without a comma, shorter than %zu bytes",
				name, QMP_PATH_MAX);
	*path = rest;
	return 0;
}

/**
 * qmp_guest_new() - a guest of which only the name is known
 * @name: of the guest
 * @fail: says what is wrong with it
 *
 * Return: it, to be freed by qmp_guest_close(), or NULL with @fail.
 */
struct guest *qmp_guest_new(const char *name, struct fail *fail)
{
	struct guest *guest;
	const char *path;

	if (qmp_path(name, &path, fail))
		return NULL;
	guest = calloc(1, sizeof(*guest));
	if (!guest) {
		fail_set(fail, -ENOMEM, "no memory");
		return NULL;
	}
	qemu_init(&guest->qemu, &monitor_ops);
	snprintf(guest->qemu.name, sizeof(guest->qemu.name), "%s", name);
	qmp_line_init(&guest->line, path);
	guest->state = -1;
	return guest;
}

/**
 * qmp_guest_close() - let go of a guest, which stays as it is
 * @guest: NULL is fine. One that was coming in and is not loaded ends
 */
void qmp_guest_close(struct guest *guest)
{
	if (!guest)
		return;
	qmp_line_close(&guest->line);
	if (guest->state >= 0)
		close(guest->state);
	qemu_fini(&guest->qemu);
	free(guest);
}

/**
 * qmp_hang_up() - an answer was had: others may have the monitor
 * @guest: whose line is kept nevertheless while it is held
 */
void qmp_hang_up(struct guest *guest)
{
	if (!guest->held)
		qmp_line_close(&guest->line);
}

static int qmp_open(const struct guest_host *host, const char *name,
		    struct guest **guest, struct fail *fail)
{
	struct fail why = { 0 };
	struct guest *got = qmp_guest_new(name, &why);
	int ret = got ? qmp_line_open(&got->line, &why) : why.err;

	(void)host;
	if (!ret)
		ret = qemu_watch(&got->qemu, got->line.pid, &why);
	if (ret) {
		qmp_guest_close(got);
		return fail_set(fail, ret, "%s", why.text);
	}
	qmp_hang_up(got);
	*guest = got;
	return 0;
}

/* Nobody keeps a list of them: who wants to move one knows its socket. */
static int qmp_list(const struct guest_host *host, guest_each_fn *each,
		    void *arg, struct fail *fail)
{
	(void)host;
	(void)each;
	(void)arg;
	(void)fail;
	return 0;
}

static bool qmp_alive(struct guest *guest)
{
	return qemu_alive(&guest->qemu);
}

static int qmp_pidfd(struct guest *guest)
{
	return guest->qemu.pidfd;
}

static int qmp_map(struct guest *guest, struct guest_description *description,
		   struct fail *fail)
{
	int ret = qemu_map(&guest->qemu, description, fail);

	if (!ret && guest->state >= 0)
		ret = qemu_check_own(&guest->qemu, description, fail);
	qmp_hang_up(guest);
	return ret;
}

/* It is answered when vCPUs stand still and the disks are drained. */
static int qmp_pause(struct guest *guest, struct fail *fail)
{
	char status[32] = "";
	int ret;

	guest->held = true;
	ret = qmp_status(guest, status, sizeof(status), fail);
	if (!ret)
		ret = qemu_call(&guest->qemu.monitor, "stop", NULL, -1, NULL, fail);
	if (ret)
		return ret;
	qmp_unmark(guest);
	return strcmp(status, "running") != 0;
}

/* It is answered when vCPUs run and QEMU has its disks again. */
static int qmp_resume(struct guest *guest, struct fail *fail)
{
	int ret = qemu_call(&guest->qemu.monitor, "cont", NULL, -1, NULL, fail);

	if (ret)
		return ret;
	qemu_release(&guest->qemu);
	qmp_unmark(guest);
	guest->held = false;
	qmp_hang_up(guest);
	return 0;
}

static int qmp_save_ahead(struct guest *guest, int *state_fd,
			  struct fail *fail)
{
	return qemu_save_ahead(&guest->qemu, state_fd, fail);
}

static int qmp_save(struct guest *guest, int *state_fd, struct fail *fail)
{
	int ret = qemu_save(&guest->qemu, state_fd, fail);

	qemu_save_end(&guest->qemu);
	qmp_hang_up(guest);
	return ret;
}

static int qmp_hold(struct guest *guest, bool hold, struct fail *fail)
{
	int ret = 0;

	if (hold)
		ret = qemu_hold(&guest->qemu, fail);
	else
		qemu_release(&guest->qemu);
	qmp_hang_up(guest);
	return ret;
}

static bool qmp_loads(struct guest *guest, uint32_t thread)
{
	return qemu_loads(&guest->qemu, thread);
}

/* "quit" closes its disks in good order; one that does not hear is killed. */
static int qmp_destroy(struct guest *guest, struct fail *fail)
{
	struct fail ignored = { 0 };
	__cleanup_free char *reply = NULL;

	if (qemu_alive(&guest->qemu) &&
	    !qmp_line_call(&guest->line, "{\"execute\":\"quit\"}", -1, QUIT_MS,
			   &reply, &ignored) &&
	    !sys_wait_fd(guest->qemu.pidfd, POLLIN, QUIT_MS))
		return 0;
	return qemu_kill(&guest->qemu, fail);
}

static int qmp_define(const struct guest_host *host, const char *name,
		      const char *text, char **previous, struct fail *fail)
{
	(void)host;
	if (text)
		return fail_set(fail, -EOPNOTSUPP,
				"guest '%s' is a QEMU without libvirt, which has no persistent definition: leave --persistent out",
				name);
	if (previous)
		*previous = NULL;
	return 0;
}

static int qmp_define_end(const struct guest_host *host, const char *name,
			  bool keep, struct fail *fail)
{
	(void)host;
	(void)name;
	(void)keep;
	(void)fail;
	return 0;
}

static int qmp_userfaultfd(struct guest *guest, int *uffd, struct fail *fail)
{
	(void)uffd;
	return fail_set(fail, -EOPNOTSUPP,
			"QEMU of guest '%s' hands over no userfaultfd: leave --handover out",
			guest->qemu.name);
}

static int qmp_userfaultfd_close(struct guest *guest, struct fail *fail)
{
	(void)guest;
	(void)fail;
	return 0;
}

const struct guest_driver qmp_driver = {
	.name = "qmp",
	.prefix = QMP_PREFIX "/",
	.list = qmp_list,
	.open = qmp_open,
	.close = qmp_guest_close,
	.alive = qmp_alive,
	.pidfd = qmp_pidfd,
	.describe = qmp_describe,
	.map = qmp_map,
	.pause = qmp_pause,
	.resume = qmp_resume,
	.save_ahead = qmp_save_ahead,
	.load_ahead = qmp_load_ahead,
	.save = qmp_save,
	.load = qmp_load,
	.hold = qmp_hold,
	.loads = qmp_loads,
	.check = qmp_check,
	.create_incoming = qmp_create_incoming,
	.destroy = qmp_destroy,
	.define = qmp_define,
	.define_end = qmp_define_end,
	.userfaultfd = qmp_userfaultfd,
	.userfaultfd_close = qmp_userfaultfd_close,
};
